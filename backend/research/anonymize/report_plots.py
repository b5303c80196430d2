"""The plots of a report as SVG texts, without a script and without a reference to anything outside."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from backend.research.anonymize.domains import Ints
from backend.research.anonymize.quality import Correlation, names_of

# Text stays text (read by screen readers); ids do not depend on chance, so equal reports are equal files.
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "svg.hashsalt": "assent",
    "font.family": "sans-serif",
    "font.size": 9,
}
_BLUE, _GREY, _GRID = "#2f6690", "#9aa5b1", "#e4e7eb"


def class_size_plot(sizes: Ints, k: int) -> str:
    """How many classes have how many patients, on a logarithmic axis; the promised k is marked."""

    def draw(axes: Any) -> None:
        top = max(int(sizes.max()), k + 1)
        edges = np.unique(np.round(np.geomspace(int(sizes.min()), top + 1, 30)))
        if len(edges) < 2:
            edges = np.array([k, top + 1])
        axes.hist(sizes, bins=edges, color=_BLUE)
        axes.axvline(k, color="#c0392b", linewidth=1.2, label=f"k = {k}")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")  # powers would be written as formulas
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("patients in a class")
        axes.set_ylabel("classes")
        axes.legend(frameon=False)

    return _svg(draw, "How many classes have how many patients")


def bars(values: Mapping[str, float], label: str) -> str:
    """A horizontal bar in [0, 1] for each name."""

    def draw(axes: Any) -> None:
        names = list(values)[::-1]
        axes.barh(names, [values[name] for name in names], color=_BLUE)
        axes.set_xlim(0, 1)
        axes.set_xlabel(label)

    return _svg(draw, label, height=0.9 + 0.32 * len(values))


def level_plot(levels: Mapping[str, Sequence[int]]) -> str:
    """For each column the share of cells on each level of its hierarchy, darkest at the value itself."""

    def draw(axes: Any) -> None:
        names = list(levels)[::-1]
        highest = max(len(counts) for counts in levels.values())
        left = np.zeros(len(names))
        for level in range(highest):
            share = np.array(
                [
                    levels[name][level] / sum(levels[name]) if level < len(levels[name]) else 0.0
                    for name in names
                ]
            )
            shade = 0.25 + 0.6 * level / max(highest - 1, 1)
            color = mpl.colors.to_hex(tuple(np.array(mpl.colors.to_rgb(_BLUE)) * (1 - shade) + shade))
            axes.barh(names, share, left=left, color=color, label="value" if level == 0 else f"level {level}")
            left += share
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of released cells")
        axes.legend(frameon=False, ncol=min(highest, 5), loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return _svg(draw, "Released cells by level", height=1.3 + 0.32 * len(levels))


def correlation_plot(pairs: Sequence[Correlation]) -> str:
    """Cramér's V of each pair: before above the diagonal, after below it."""
    names = names_of(pairs)

    def draw(axes: Any) -> None:
        place = {name: number for number, name in enumerate(names)}
        grid = np.full((len(names), len(names)), np.nan)
        for pair in pairs:
            one, other = sorted((place[pair.one], place[pair.other]))
            grid[one, other], grid[other, one] = pair.before, pair.after
        image = axes.pcolormesh(grid[::-1], vmin=0, vmax=1, cmap="Blues", edgecolors="white", linewidth=0.5)
        axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=45, ha="right")
        axes.set_yticks(np.arange(len(names)) + 0.5, list(names)[::-1])
        axes.set_xlabel("above the diagonal: input; below: release")
        axes.grid(visible=False)
        bar = axes.figure.colorbar(image, ax=axes, label="Cramér's V")
        bar.solids.set_rasterized(False)  # else it is an image, and the page has none

    return _svg(draw, "Relations between columns", height=1.6 + 0.36 * len(names))


def _svg(draw: Callable[[Any], None], title: str, *, height: float = 2.8) -> str:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.8, height), layout="constrained")
        axes = figure.add_subplot()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(color=_GRID, linewidth=0.6)
        draw(axes)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    text = target.getvalue()
    return text[text.index("<svg") :]  # without the XML declaration and the document type's address

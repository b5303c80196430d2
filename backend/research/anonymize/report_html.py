"""The report as one HTML page that needs nothing else: plots inside, no script, no address to load from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from backend.research.anonymize import report_plots as plots
from backend.research.anonymize.meanings import MEANINGS
from backend.research.anonymize.report import ENGINE_VERSION, Report

_TITLES = {
    "privacy": "What is promised",
    "rows": "Rows and cells",
    "classes": "Classes",
    "sensitive": "Sensitive columns",
    "loss": "Loss",
    "shift": "Shift of columns and of their relations",
    "risk": "Risk of finding a person",
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;background:#fff;max-width:56rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #e4e7eb;
padding-bottom:.3rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
padding:.3rem .6rem .3rem 0}
tr{border-bottom:1px solid #f0f2f4}td.v{font-variant-numeric:tabular-nums;white-space:nowrap;font-weight:600}
.m{color:#52606d}.wide{overflow-x:auto;margin-top:1rem}caption{text-align:left;font-weight:600}
p.m{margin:.4rem 0}
.grid td.v,.grid th{padding-right:1.2rem}
@media(max-width:40rem){.figures tr{display:grid;grid-template-columns:1fr auto}.figures
td.m{grid-column:1/-1;padding-top:0}}
code{font-size:.85em;overflow-wrap:anywhere}svg{max-width:100%;height:auto;margin-top:.8rem}
""".strip()


def render(report: Report) -> str:
    """Return the page."""
    found = report.as_json()
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>Anonymization report</title><style>{_STYLE}</style></head><body>",
        "<h1>Anonymization report</h1>",
        f"<p>{escape(_summary(report))}</p>",
        f"<p>Release (SHA-256) <code>{escape(report.digest)}</code>, engine version {ENGINE_VERSION}.</p>",
    ]
    for section, title in _TITLES.items():
        parts.append(f"<h2>{escape(title)}</h2>")
        parts.append(_table(section, found[section]))
        parts.extend(_plots(section, report))
    parts.append("</body></html>\n")
    return "".join(parts)


def _summary(report: Report) -> str:
    rows = report.quality
    return (
        f"{rows.rows_released:,} of {rows.rows_before:,} rows leave. Every combination of quasi-identifiers "
        f"is shared by at least {report.k:,} patients. {report.quality.loss:.1%} of the detail of the "
        "quasi-identifiers was given up. Everything here was counted again on the released values by a check "
        "that shares no code with the engine."
    )


def _table(section: str, value: Any) -> str:
    """One line for each figure, then a grid for each thing that is counted by name (a column, a quantile)."""
    rows = [
        f'<tr><td>{escape(label)}</td><td class="v">{escape(shown)}</td>'
        f'<td class="m">{escape(meaning)}</td></tr>'
        for label, shown, meaning in _figures(section, value)
    ]
    lines = f'<table class="figures">{"".join(rows)}</table>' if rows else ""
    return lines + "".join(_grid(*named) for named in _by_name(section, value))


def _figures(path: str, value: Any, label: str = "") -> Iterator[tuple[str, str, str]]:
    """(label, value, meaning) of each single figure below a path."""
    meaning = meaning_of(path)
    if isinstance(value, Mapping):
        if not _goes_by_name(path):
            for name, item in value.items():
                yield from _figures(f"{path}.{name}", item, f"{label} {_words(name)}".strip())
    elif meaning is not None:
        yield label, _shown(value), meaning


def _by_name(path: str, value: Any, label: str = "") -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(path, label, values) of each mapping below a path whose keys are names."""
    if isinstance(value, Mapping) and value:
        if _goes_by_name(path):
            yield path, label, value
        else:
            for name, item in value.items():
                yield from _by_name(f"{path}.{name}", item, f"{label} {_words(name)}".strip())


def _goes_by_name(path: str) -> bool:
    return any(pattern == f"{path}.*" or pattern.startswith(f"{path}.*.") for pattern in MEANINGS)


def _grid(path: str, label: str, values: Mapping[str, Any]) -> str:
    """One row for each name, one column for each of its figures, and below what the figures mean."""
    rows = {name: item if isinstance(item, Mapping) else {"": item} for name, item in values.items()}
    fields = list(dict.fromkeys(field for row in rows.values() for field in row))
    head = "".join(f"<th>{escape(_words(field))}</th>" for field in fields)
    head = f"<tr><th></th>{head}</tr>" if any(fields) else ""
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f'<td class="v">{escape(_shown(row.get(field)))}</td>' for field in fields)
        + "</tr>"
        for name, row in rows.items()
    )
    meanings = (
        (field, meaning_of(f"{path}.{name}.{field}" if field else f"{path}.{name}"))
        for name in list(rows)[:1]
        for field in fields
    )
    notes = " ".join(
        f"<b>{escape(_words(field))}</b> {escape(meaning)}" if field else escape(meaning)
        for field, meaning in meanings
        if meaning
    )
    caption = f"<caption>{escape(label)}</caption>" if label else ""
    return (
        f'<div class="wide"><table class="grid">{caption}{head}{body}</table></div><p class="m">{notes}</p>'
    )


def meaning_of(path: str) -> str | None:
    """The sentence for a figure's path: its own, or the one with ``*`` for a name."""
    if path in MEANINGS:
        return MEANINGS[path]
    for pattern, meaning in MEANINGS.items():
        head, star, tail = pattern.partition("*")
        if star and path.startswith(head) and path.endswith(tail) and len(path) > len(head) + len(tail):
            return meaning
    return None


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value) or "none"
    return str(value)


def _plots(section: str, report: Report) -> Iterator[str]:
    columns = report.quality.columns
    if section == "classes":
        yield plots.class_size_plot(report.sizes, report.request.model.k)
    elif section == "loss":
        yield plots.bars({name: column.loss for name, column in columns.items()}, "loss")
        yield plots.level_plot({name: column.levels for name, column in columns.items()})
    elif section == "shift":
        yield plots.bars({name: column.shift for name, column in columns.items()}, "shift (total variation)")
        if report.quality.correlations:
            yield plots.correlation_plot(report.quality.correlations)
    elif section == "risk":
        yield plots.bars(
            {
                "prosecutor": report.risks.prosecutor.highest,
                "journalist": report.risks.journalist.highest,
                "marketer": report.risks.marketer,
            },
            "chance of picking the right row (highest; marketer: average)",
        )

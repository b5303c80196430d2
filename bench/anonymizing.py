"""The anonymization engine: loss and time over the Adult table and over a million rows drawn from it.

Times are the engine's, from codes to the class of each row, in processor time (it runs in one thread), the
least of several runs. They are told in Y, one ``numpy.unique(key, return_inverse, return_counts)`` pass over
the mixed-radix key of the same rows in the same process. Loss is the mean over the quasi-identifiers of
(leaves - 1) / (domain - 1), a suppressed cell 1, counted here from the codes of each class.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.compile_kernels import compile_kernels
from backend.research.anonymize.engine import classes_of
from backend.research.anonymize.problem import Ints, problem_of
from backend.research.anonymize.types import Diversity, DiversityKind, Mode, PrivacyModel
from bench import adult
from bench.adult import Encoded
from bench.machine import own_peak_mb
from bench.results import Result, at_least, at_most, shown, skipped

ROOT: Final = Path(__file__).resolve().parent.parent
CHECKERS: Final = ROOT / ".venv-checkers" / "bin" / "python"
LARGE: Final = 1_000_000
K: Final = PrivacyModel(5)
# Of the optimum to the digits that are published for it: no other engine finds less.
OPTIMA: Final = ((0.0, 0.6250), (0.04, 0.2044), (1.0, 0.1690))
MAX_UTILITY: Final = (
    ("k 5", K, 0.0285, 30),
    ("k 5, 3 distinct values", PrivacyModel(5, Diversity(DiversityKind.DISTINCT, 3)), 0.0317, 35),
    ("k 5, entropy of 3", PrivacyModel(5, Diversity(DiversityKind.ENTROPY, 3)), 0.0437, 120),
    ("k 5, recursive (4, 3)", PrivacyModel(5, Diversity(DiversityKind.RECURSIVE, 3, 4.0)), 0.0370, 115),
    ("k 5, t 0.2", PrivacyModel(5, t=0.2), 0.40, 700),
)

Classes = NDArray[np.int32]


def measure() -> list[Result]:
    compile_kernels()
    source = adult.encoded()
    unit = _unit(source, 30)
    results = [shown("Y over 30,162 rows of Adult", unit * 1e3, "ms")]
    for name, model, loss, limit in MAX_UTILITY:
        results += _case(f"max-utility, {name}", source, model, Mode.MAX_UTILITY, (loss, limit), unit)
    results += _case("strict, k 5", source, K, Mode.STRICT, (0.0365, 80), unit)
    for suppression, loss in OPTIMA:
        name = f"full-domain, k 5, {suppression:.0%} suppression"
        goals = (loss, 60 if suppression <= 0.04 else None)
        results += _case(name, source, K, Mode.FULL_DOMAIN, goals, unit, suppression=suppression)
    results += _against_anjana(source)
    large = adult.drawn(source, LARGE)
    unit = _unit(large, 3)
    results.append(shown("Y over 1,000,000 rows", unit * 1e3, "ms"))
    results += _case("1,000,000 rows, max-utility, k 5", large, K, Mode.MAX_UTILITY, (0.0050, 2.5), unit)
    return [*results, at_most("anonymize 1,000,000 rows: memory of the process", _memory(), "MB", 1_000)]


def loss_of(table: Encoded, class_of: Classes, levels: Ints | None) -> float:
    kept = class_of >= 0
    classes = class_of[kept]
    lost = 0.0
    for place, (codes, hierarchy) in enumerate(zip(table.codes, table.hierarchies, strict=True)):
        if levels is not None:
            lost += float(hierarchy.loss()[levels[place], codes[kept]].sum())
            continue
        low, high = np.full(classes.max() + 1, hierarchy.size), np.zeros(classes.max() + 1, dtype=np.int64)
        np.minimum.at(low, classes, codes[kept])
        np.maximum.at(high, classes, codes[kept])
        used = low <= high
        cost = np.zeros(len(low))
        cost[used] = hierarchy.loss()[hierarchy.lca(low[used], high[used]), low[used]]
        lost += float(cost[classes].sum())
    return (lost / len(table.codes) + int((~kept).sum())) / len(class_of)


def _case(
    name: str,
    table: Encoded,
    model: PrivacyModel,
    mode: Mode,
    goals: tuple[float, float | None],
    unit: float,
    *,
    suppression: float = 0.04,
) -> list[Result]:
    """Rows for loss, time in Y and rows suppressed."""
    found: list[tuple[Classes, Ints | None]] = []

    def once() -> None:
        found[:] = [_classes(table, model, mode, suppression)]

    seconds = _least(once, 7 if len(table.sensitive) < LARGE else 3)
    class_of, levels = found[0]
    most, limit = goals
    loss = loss_of(table, class_of, levels)
    # The optima are told with four digits.
    results = [at_most(f"{name}: loss", loss, "", most + (0.00005 if mode is Mode.FULL_DOMAIN else 0.0))]
    timed = f"{name}: time"
    results.append(at_most(timed, seconds / unit, "Y", limit) if limit else shown(timed, seconds / unit, "Y"))
    results.append(shown(f"{name}: rows suppressed", float((class_of < 0).sum()), "rows"))
    return results


def _classes(
    table: Encoded, model: PrivacyModel, mode: Mode, suppression: float
) -> tuple[Classes, Ints | None]:
    problem = problem_of(
        table.codes,
        table.hierarchies,
        [table.sensitive],
        model=model,
        suppression=suppression,
        merge=mode is not Mode.MAX_UTILITY or model.t is None,
    )
    class_of, levels = classes_of(problem, mode)
    return class_of[problem.tuple_of], levels


def _against_anjana(source: Encoded) -> list[Result]:
    """Full-domain with 4 % suppression, which is what anjana does."""
    name = "k 5, 4 % suppression, against anjana"
    if not CHECKERS.exists():
        return [skipped(name, "x", "make .build/stamps/checkers")]
    lines = {column: found for column, found in adult.lines().items() if column in adult.QUASI}
    with tempfile.TemporaryDirectory() as folder:
        table, output, hierarchies = (Path(folder) / part for part in ("in.csv", "out.csv", "lines.json"))
        adult.table().write_csv(table)
        hierarchies.write_text(json.dumps(lines))
        script = str(ROOT / "bench" / "outside" / "greedy.py")
        command = [str(CHECKERS), script, str(table), str(output), "5", "4", str(hierarchies)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own list
        seconds = json.loads(answer.stdout.splitlines()[-1])["seconds"]
        theirs = _loss_of_labels(pl.read_csv(output, infer_schema=False), lines, len(source.sensitive))
    class_of, levels = _classes(source, K, Mode.MAX_UTILITY, 0.04)
    ours = _least(lambda: _classes(source, K, Mode.MAX_UTILITY, 0.04), 7)
    return [
        at_most(f"{name}: loss, of its", loss_of(source, class_of, levels) / theirs, "x", 0.15),
        at_least(f"{name}: speed, of its", seconds / ours, "x", 60),
        shown(f"{name}: its loss", theirs, ""),
    ]


def _loss_of_labels(released: pl.DataFrame, lines: dict[str, list[tuple[str, ...]]], rows: int) -> float:
    lost = float((rows - released.height) * len(lines))
    for name, found in lines.items():
        stands_for: dict[str, set[str]] = {}
        for line in found:
            for label in line:
                stands_for.setdefault(label, set()).add(line[0])
        cost = {label: (len(leaves) - 1) / (len(found) - 1) for label, leaves in stands_for.items()}
        lost += sum(cost[label] for label in released[name])
    return lost / len(lines) / rows


def _unit(table: Encoded, runs: int) -> float:
    key = table.key()
    return _least(lambda: np.unique(key, return_inverse=True, return_counts=True), runs)


def _least(work: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def _memory() -> float:
    """Most memory (MB) that a process of its own needs for the million rows, the rows themselves included."""
    command = [sys.executable, "-m", "bench.anonymizing"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 -- ours
    return float(answer.stdout)


def main() -> int:
    """Print the most memory, in MB, that this process needed."""
    _classes(adult.drawn(adult.encoded(), LARGE), K, Mode.MAX_UTILITY, 0.04)
    sys.stdout.write(str(own_peak_mb()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Releases of the Adult table, recounted by pycanon, which we did not write, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import polars as pl
import pytest

from backend.research.anonymize.engine import anonymize
from backend.research.anonymize.types import Anonymized, Diversity, DiversityKind, Mode, PrivacyModel
from bench import adult
from tests.support.components import require
from tests.unit.research.anonymize import naive

ROOT = Path(__file__).parents[4]
PYTHON = ROOT / ".venv-checkers" / "bin" / "python"
SCRIPT = ROOT / "tests" / "support" / "outside" / "recount.py"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return adult.table()


def release(
    table: pl.DataFrame, model: PrivacyModel, *, mode: Mode = Mode.MAX_UTILITY, limit: float = 0.04
) -> Anonymized:
    return anonymize(
        {name: table[name] for name in adult.QUASI},
        adult.hierarchies(),
        {adult.SENSITIVE: table[adult.SENSITIVE]},
        model=model,
        suppression=limit,
        mode=mode,
    )


def recount(done: Anonymized, table: pl.DataFrame, wanted: str, folder: Path) -> dict[str, float]:
    """What pycanon finds in the rows that are released."""
    require(PYTHON.exists(), "pycanon is not here", "make .build/stamps/checkers")
    path = folder / "released.csv"
    released = pl.DataFrame({name: labels.cast(pl.String) for name, labels in done.quasi.items()})
    released = released.with_columns(table[adult.SENSITIVE]).filter(~pl.Series(done.suppressed))
    released.write_csv(path)
    command = [str(PYTHON), str(SCRIPT), str(path), ",".join(adult.QUASI), adult.SENSITIVE, wanted]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def loss_of(done: Anonymized) -> float:
    lines = adult.lines()
    total = 0.0
    for name, column in done.quasi.items():
        size = len(lines[name])
        cost = {
            label: (len(naive.leaves(lines[name], label)) - 1) / (size - 1)
            for line in lines[name]
            for label in line
        }
        total += sum(1.0 if label is None else cost[label] for label in column)
    return total / len(done.quasi) / len(done.suppressed)


@pytest.mark.parametrize(
    ("mode", "most"), [(Mode.STRICT, 0.0500), (Mode.MAX_UTILITY, 0.0285), (Mode.FULL_DOMAIN, 0.2045)]
)
def test_k_of_every_mode_is_what_pycanon_counts(
    table: pl.DataFrame, tmp_path: Path, mode: Mode, most: float
) -> None:
    done = release(table, PrivacyModel(5), mode=mode)
    assert recount(done, table, "k", tmp_path)["k"] >= 5
    assert loss_of(done) <= most


@pytest.mark.parametrize(
    ("diversity", "most"),
    [
        (Diversity(DiversityKind.DISTINCT, 3), 0.0317),
        # A little above 3: pycanon cuts off digits, and three equal shares are 2.9999999 to it.
        (Diversity(DiversityKind.ENTROPY, 3.0001), 0.0437),
        (Diversity(DiversityKind.RECURSIVE, 3, 4.0), 0.0370),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
def test_l_of_every_kind_is_what_pycanon_counts(
    table: pl.DataFrame, tmp_path: Path, diversity: Diversity, most: float
) -> None:
    """pycanon's c starts from the rarest value, not the most frequent, so it is below the defined one."""
    done = release(table, PrivacyModel(5, diversity))
    found = recount(done, table, diversity.kind.value, tmp_path)
    assert found["k"] >= 5
    assert found["l"] >= 3
    assert found.get("c", 0) <= 4
    assert loss_of(done) <= most


def test_t_is_what_pycanon_counts(table: pl.DataFrame, tmp_path: Path) -> None:
    """Nothing suppressed, since pycanon knows only the released rows as the whole."""
    done = release(table, PrivacyModel(5, t=0.2), limit=0.0)
    found = recount(done, table, "t", tmp_path)
    assert found["k"] >= 5
    assert found["t"] <= 0.2 + 1e-9
    assert loss_of(done) <= 0.40

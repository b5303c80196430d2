"""``assent anonymize`` over a million rows: from CSV to CSV, verified, in a process of its own.

Time is what passes from the first byte read to the last one durable, the least of three runs, in Y: one
``numpy.unique(key, return_inverse, return_counts)`` pass over the mixed-radix key of the same rows in the
same process. Memory is the most that the process held in its first run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from backend.research.anonymize.compile_kernels import compile_kernels
from backend.research.anonymize.files import Paths, anonymize_file
from backend.research.anonymize.release import Request
from backend.research.anonymize.types import Mode, PrivacyModel
from bench import adult
from bench.machine import own_peak_mb
from bench.results import Result, at_most, shown

ROWS: Final = 1_000_000
RUNS: Final = 3
LIMIT_Y: Final = 17
LIMIT_MB: Final = 600


def measure() -> list[Result]:
    compile_kernels()  # as at set-up: compiling in the child would count as its memory
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        child = [sys.executable, "-m", "bench.anonymizing_files", folder]
        found = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - this module
    name = "1,000,000 rows, CSV to CSV with verification"
    return [
        shown(f"{name}: seconds", found["seconds"], "s"),
        at_most(f"{name}: time", found["seconds"] / found["unit"], "Y", LIMIT_Y),
        at_most(f"{name}: memory of the process", found["megabytes"], "MB", LIMIT_MB),
    ]


def _prepare(folder: Path) -> None:
    source = adult.drawn(adult.encoded(), ROWS)
    names = (*adult.QUASI, adult.SENSITIVE)
    lines = adult.lines()
    parsed = adult.hierarchies()
    columns = dict(zip(names, (*source.codes, source.sensitive), strict=True))
    pl.DataFrame(
        {name: np.array(parsed[name].leaves, dtype=object)[codes].tolist() for name, codes in columns.items()}
    ).write_csv(folder / "in.csv")
    for name in adult.QUASI:
        (folder / f"{name}.csv").write_text("".join(";".join(line) + "\n" for line in lines[name]))
    roles = [f"  {name}: {{role: quasi, hierarchy: {name}.csv}}" for name in adult.QUASI]
    schema = ["columns:", *roles, f"  {adult.SENSITIVE}: {{role: sensitive}}"]
    (folder / "schema.yml").write_text("\n".join(schema) + "\n")


def _run(folder: Path) -> dict[str, float]:
    seconds, megabytes = [], 0.0
    for number in range(RUNS + 1):  # the first one loads the kernels
        paths = Paths(folder / "in.csv", folder / "schema.yml", folder / f"out-{number}.csv")
        begun = time.perf_counter()
        anonymize_file(paths, Request(PrivacyModel(5), Mode.MAX_UTILITY, 0.04))
        seconds.append(time.perf_counter() - begun)
        paths.output.unlink()
        if number == 0:
            megabytes = own_peak_mb()
    return {"seconds": min(seconds[1:]), "unit": _unit(folder), "megabytes": megabytes}


def _unit(folder: Path) -> float:
    table = pl.read_csv(folder / "in.csv", infer_schema=False)
    key = np.zeros(table.height, dtype=np.uint64)
    for name, hierarchy in adult.hierarchies().items():
        if name in adult.QUASI:
            codes = table[name].cast(pl.Enum(hierarchy.leaves)).to_physical().to_numpy()
            key = key * np.uint64(hierarchy.size) + codes.astype(np.uint64)
    least = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        np.unique(key, return_inverse=True, return_counts=True)
        least.append(time.perf_counter() - begun)
    return min(least)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_run(Path(sys.argv[1]))))

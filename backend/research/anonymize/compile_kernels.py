"""Compile every kernel once and leave the machine code in the cache: ``python -m`` this at set-up.

A small table goes through every mode with models with and without sensitive columns and with and without
patients of several rows, so that every kernel is met with every type that it is ever called with.
"""

from __future__ import annotations

import itertools
import sys
import time
from contextlib import suppress

from backend.research.anonymize.engine import anonymize
from backend.research.anonymize.errors import ModelUnsatisfiable, TableUseless
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.types import Diversity, DiversityKind, Mode, PrivacyModel

ROWS = 240


def main() -> int:
    started = time.perf_counter()
    compile_kernels()
    sys.stdout.write(f"kernels compiled in {time.perf_counter() - started:.1f} s\n")
    return 0


def compile_kernels() -> None:
    digits = Hierarchy.parse([(str(value), f"{value // 2}h", "*") for value in range(8)], column="digits")
    # Rows of mixed density: some are published at once, some on the way, some only by widening.
    quasi = {f"q{place}": [str(row * row // (7 + place) % 8) for row in range(ROWS)] for place in range(3)}
    ill = {"ill": [str(row % 5) for row in range(ROWS)]}
    models = (
        PrivacyModel(3),
        PrivacyModel(3, Diversity(DiversityKind.DISTINCT, 2)),
        PrivacyModel(3, Diversity(DiversityKind.RECURSIVE, 2, 3.0), 0.4),
    )
    for mode, model, patients in itertools.product(Mode, models, (None, [row // 2 for row in range(ROWS)])):
        with suppress(TableUseless, ModelUnsatisfiable):  # the kernels were called all the same
            anonymize(
                quasi,
                dict.fromkeys(quasi, digits),
                ill,
                model=model,
                suppression=0.2,
                mode=mode,
                patients=patients,
            )


if __name__ == "__main__":
    sys.exit(main())

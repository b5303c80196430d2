"""The Adult table and its hierarchies, and a table of a million rows drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.encode import encode
from backend.research.anonymize.hierarchy import Codes, Hierarchy

DATA: Final = Path(__file__).parent / "data" / "adult"
QUASI: Final = (
    "sex",
    "age",
    "race",
    "marital-status",
    "education",
    "native-country",
    "workclass",
    "salary-class",
)
SENSITIVE: Final = "occupation"
REDRAWN: Final = 0.15
SEED: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Codes a column, with the hierarchies of the quasi-identifiers."""

    codes: list[Codes]
    sensitive: Codes
    hierarchies: list[Hierarchy]

    def key(self) -> NDArray[np.uint64]:
        """The mixed-radix key over the quasi-identifiers."""
        key = np.zeros(len(self.sensitive), dtype=np.uint64)
        for codes, hierarchy in zip(self.codes, self.hierarchies, strict=True):
            key = key * np.uint64(hierarchy.size) + codes.astype(np.uint64)
        return key


def table() -> pl.DataFrame:
    return pl.read_csv(DATA / "adult.csv.gz", separator=";", infer_schema=False)


def lines() -> dict[str, list[tuple[str, ...]]]:
    """The lines of every hierarchy, the sensitive column's too."""
    return {
        name: [
            tuple(line.split(";"))
            for line in (DATA / f"adult_hierarchy_{name}.csv").read_text().splitlines()
            if line
        ]
        for name in (*QUASI, SENSITIVE)
    }


def hierarchies() -> Mapping[str, Hierarchy]:
    return {name: Hierarchy.parse(found, column=name) for name, found in lines().items()}


def encoded() -> Encoded:
    found, parsed = table(), hierarchies()
    codes = {name: encode(found[name], hierarchy) for name, hierarchy in parsed.items()}
    return Encoded([codes[name] for name in QUASI], codes[SENSITIVE], [parsed[name] for name in QUASI])


def drawn(source: Encoded, rows: int) -> Encoded:
    """A bootstrap of ``rows`` rows; each cell of a quasi-identifier redrawn from its column at times."""
    random = np.random.default_rng(SEED)
    places = random.integers(0, len(source.sensitive), rows)
    columns = []
    for codes in source.codes:
        column = codes[places]
        redrawn = random.random(rows) < REDRAWN
        column[redrawn] = codes[random.integers(0, len(codes), int(redrawn.sum()))]
        columns.append(column)
    return Encoded(columns, source.sensitive[places], source.hierarchies)

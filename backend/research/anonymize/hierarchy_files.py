"""Hierarchy files in the text form that ARX uses: ``value;group;wider group;*``, a line a value."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from backend.research.anonymize.errors import HierarchyInvalid
from backend.research.anonymize.refusals import TableInvalid
from backend.research.anonymize.schema import Role, Schema

Lines = Sequence[Sequence[str]]
DELIMITER = ";"


def read_hierarchies(schema: Schema, folder: Path) -> dict[str, Lines]:
    """Return the lines of each quasi-identifier's hierarchy, by column.

    Raises TableInvalid when a file cannot be read, HierarchyInvalid when it is empty; both name the column.
    """
    return {
        column.name: _lines(folder / column.hierarchy, column.name)
        for column in schema.columns
        if column.role is Role.QUASI
    }


def _lines(path: Path, column: str) -> Lines:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, delimiter=DELIMITER, strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as failure:
        raise TableInvalid(f"the hierarchy of column {column!r} cannot be read", field=column) from failure
    if not lines:
        raise HierarchyInvalid(f"the hierarchy of column {column!r} is empty", field=column)
    return lines

"""From columns of text to codes, failing closed: a missing or unknown value is an error, never a category."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from backend.research.anonymize.errors import AnonymizationInvalid, ValueOutsideDomain
from backend.research.anonymize.hierarchy import Codes, Hierarchy
from backend.research.anonymize.problem import Ids

Column = Sequence[str] | pl.Series


def encode(values: Column, hierarchy: Hierarchy) -> Codes:
    """Codes of a quasi-identifier; numbers are read as their text.

    Raises ValueOutsideDomain naming the column (never the value, it may be a patient's) for null, NaN and
    whatever the hierarchy does not have.
    """
    name = hierarchy.column
    if isinstance(values, pl.Series) and isinstance(values.dtype, pl.Enum):
        return _recode(values, values.dtype, hierarchy)
    text = _text(values, name)
    try:
        return text.cast(pl.Enum(hierarchy.leaves)).to_physical().to_numpy().astype(np.int32)
    except pl.exceptions.PolarsError:
        raise _outside(name) from None


def _recode(values: pl.Series, kind: pl.Enum, hierarchy: Hierarchy) -> Codes:
    """Codes of a column that has codes of its own: only its categories are looked up as text."""
    if values.null_count():
        raise _outside(hierarchy.column)
    place = {leaf: code for code, leaf in enumerate(hierarchy.leaves)}
    known = np.array([place.get(text, -1) for text in kind.categories], dtype=np.int32)
    codes: Codes = known[values.to_physical().to_numpy()]
    if (known < 0).any() and (codes < 0).any():
        raise _outside(hierarchy.column)
    return codes


def encode_free(values: Column, name: str) -> Codes:
    """Codes of a sensitive column, by the order of its texts; raises ValueOutsideDomain for null and NaN."""
    text = _text(values, name)
    return text.rank("dense").to_numpy().astype(np.int32) - np.int32(1)


def encode_patients(values: Sequence[object] | pl.Series) -> Ids:
    """Number the patients in the order first seen; raises ValueOutsideDomain where one is missing."""
    numbers: dict[object, int] = {}
    found = [
        numbers.setdefault(value, len(numbers)) if _known(value) else -1
        for value in (values.to_list() if isinstance(values, pl.Series) else values)
    ]
    codes = np.array(found, dtype=np.int32)
    if (codes < 0).any():
        raise _outside("patient")
    return codes


def require_one_length(columns: Iterable[Sequence[object] | pl.Series]) -> int:
    """The number of rows; raises AnonymizationInvalid when columns differ in it."""
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise AnonymizationInvalid("columns differ in length")
    return lengths.pop()


def _text(values: Column, name: str) -> pl.Series:
    """The column as strings without nulls."""
    try:
        series = values if isinstance(values, pl.Series) else pl.Series(name, list(values))
        if series.dtype.is_float() and series.is_nan().any():
            raise _outside(name)
        text = series.cast(pl.String)
    except (pl.exceptions.PolarsError, TypeError):
        raise _outside(name) from None
    if text.null_count():
        raise _outside(name)
    return text


def _known(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _outside(name: str) -> ValueOutsideDomain:
    return ValueOutsideDomain(f"column {name}", field=name)

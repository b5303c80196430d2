"""Tables in CSV and Parquet: read whole and strictly.

A quasi-identifier is read as a ``polars.Enum`` of its hierarchy's values, so that what is outside stops the
reading; an identifier is not read at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from backend.research.anonymize.errors import ValueOutsideDomain
from backend.research.anonymize.refusals import SchemaInvalid, TableInvalid
from backend.research.anonymize.schema import Role, Schema

CSV, PARQUET = ".csv", ".parquet"
SUFFIXES = (CSV, PARQUET)


def suffix_of(path: Path) -> str:
    """Return the kind of a table's file; raises TableInvalid for one that is neither."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise TableInvalid(f"{path.name}: a table's name ends in .csv or .parquet")
    return suffix


def columns_of(path: Path, delimiter: str) -> tuple[str, ...]:
    """The names in a table's header, as they stand there. Raises TableInvalid."""
    try:
        if suffix_of(path) == PARQUET:
            return tuple(pl.read_parquet_schema(path))
        # Read as a row, because as a header a name given twice would be changed silently.
        first = pl.read_csv(path, separator=delimiter, has_header=False, n_rows=1, infer_schema=False)
        return tuple(name or "" for name in first.row(0))
    except (OSError, pl.exceptions.PolarsError) as failure:
        raise TableInvalid(f"{path.name} cannot be read as a table") from failure


def read_table(path: Path, schema: Schema, leaves: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Read all columns but identifiers; ``leaves`` are the values of each quasi-identifier's hierarchy.

    Quasi-identifiers come as Enum of their leaves, sensitive columns as Enum of the values they have, the
    patient as String. Raises SchemaInvalid when file and schema name different columns, TableInvalid for a
    file that is no table and ValueOutsideDomain, naming the column, for a value that is missing or outside.
    """
    schema.require_columns(columns_of(path, schema.delimiter))
    kinds: dict[str, pl.DataType] = {}
    for column in schema.columns:
        if column.role is Role.QUASI:
            kinds[column.name] = pl.Enum(leaves[column.name])
        elif column.role is Role.SENSITIVE:
            kinds[column.name] = pl.Categorical()
        elif column.role in (Role.PATIENT, Role.INSENSITIVE):
            kinds[column.name] = pl.String()
    frame = _read_csv(path, schema, kinds) if suffix_of(path) == CSV else _read_parquet(path, schema, kinds)
    if frame.is_empty():
        raise TableInvalid(f"{path.name} has no rows")
    for column in schema.columns:
        if column.role in (Role.QUASI, Role.SENSITIVE, Role.PATIENT):
            _require_values(frame[column.name])
    # Each column its own few values from here on, instead of numbers shared by the whole process.
    return frame.with_columns(
        pl.col(name).cast(pl.Enum(frame[name].unique().cast(pl.String).sort())) for name in schema.sensitive
    )


def read_population(path: Path, schema: Schema, leaves: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Read the quasi-identifiers of a population; what else its file holds is not read.

    Raises as ``read_table``.
    """
    found = columns_of(path, schema.delimiter)
    for name in schema.quasi:
        if found.count(name) != 1:
            raise SchemaInvalid(f"the population has not exactly one column {name!r}", field=name)
    own = Schema(tuple(column for column in schema.columns if column.role is Role.QUASI), schema.delimiter)
    kinds: dict[str, pl.DataType] = {name: pl.Enum(leaves[name]) for name in schema.quasi}
    frame = _read_csv(path, own, kinds) if suffix_of(path) == CSV else _read_parquet(path, own, kinds)
    for name in schema.quasi:
        _require_values(frame[name])
    return frame


def _read_csv(path: Path, schema: Schema, kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    try:
        return pl.read_csv(
            path, separator=schema.delimiter, columns=list(kinds), schema_overrides=kinds, infer_schema=False
        )
    except pl.exceptions.PolarsError as failure:
        # What the library says quotes the value, which may be a patient's: find the column and say only that.
        try:
            text = pl.read_csv(
                path, separator=schema.delimiter, columns=list(schema.quasi), infer_schema=False
            )
        except pl.exceptions.PolarsError:
            raise TableInvalid(f"{path.name} cannot be read as a table") from None
        for name in schema.quasi:
            _enum(text[name], kinds[name])
        raise TableInvalid(f"{path.name} cannot be read as a table") from failure
    except OSError as failure:
        raise TableInvalid(f"{path.name} cannot be read as a table") from failure


def _read_parquet(path: Path, schema: Schema, kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path, columns=list(kinds))
    except (OSError, pl.exceptions.PolarsError) as failure:
        raise TableInvalid(f"{path.name} cannot be read as a table") from failure
    made: list[pl.Series] = []
    for name, kind in kinds.items():
        series = frame[name]
        if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
            raise TableInvalid(f"column {name!r} holds no plain values", field=name)
        role = next(column.role for column in schema.columns if column.name == name)
        if series.dtype.is_float() and role is not Role.INSENSITIVE and bool(series.is_nan().any()):
            raise ValueOutsideDomain(f"column {name!r} holds values that are not a number", field=name)
        if role is Role.QUASI:
            series = _enum(series.cast(pl.String), kind)
        elif role is not Role.INSENSITIVE:
            series = series.cast(pl.String).cast(kind)
        made.append(series)
    return pl.DataFrame(made)


def _enum(series: pl.Series, kind: pl.DataType) -> pl.Series:
    try:
        return series.cast(kind)
    except pl.exceptions.InvalidOperationError:
        raise ValueOutsideDomain(
            f"column {series.name!r} holds a value that its hierarchy does not have", field=series.name
        ) from None


def _require_values(series: pl.Series) -> None:
    if series.null_count():
        raise ValueOutsideDomain(f"column {series.name!r} has rows without a value", field=series.name)
    if series.dtype == pl.Categorical:
        values = series.unique().cast(pl.String)
        if bool((values.str.to_lowercase() == "nan").any()):
            raise ValueOutsideDomain(
                f"column {series.name!r} holds values that are not a number", field=series.name
            )
        if bool((values.str.strip_chars() == "").any()):
            raise ValueOutsideDomain(f"column {series.name!r} has rows without a value", field=series.name)
    if series.dtype == pl.String and bool((series.str.strip_chars() == "").any()):
        raise ValueOutsideDomain(f"column {series.name!r} has rows without a value", field=series.name)

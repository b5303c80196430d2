"""A sample table with the schema of a study's variables, for writing an analysis before it is approved.

Made from the schema alone: each column is drawn evenly over the variable's public levels, columns are
independent, and nothing was ever looked up. The same variables and seed give the same table.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from backend.research.canonical import digest_of
from backend.research.errors import StudyInvalid
from backend.research.study import MAX_VARIABLES, variable_json
from backend.research.variables import Variable, validate_variable

if TYPE_CHECKING:
    import polars as pl

PATIENT: Final = "patient"  # as in a released dataset: a pseudonym of the study
MAX_ROWS: Final = 100_000


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


def sample(variables: Sequence[Variable], *, rows: int, seed: int) -> pl.DataFrame:
    """Return ``rows`` invented patients; raises StudyInvalid naming the field."""
    if not 0 < len(variables) <= MAX_VARIABLES:
        raise StudyInvalid(f"1 to {MAX_VARIABLES} variables", field="variables")
    for place, variable in enumerate(variables):
        validate_variable(variable, field=f"variables.{place}")
    if len({variable.name for variable in variables} | {PATIENT}) != len(variables) + 1:
        raise StudyInvalid(f"names of variables are distinct, and none is '{PATIENT}'", field="variables")
    if not 0 < rows <= MAX_ROWS:
        raise StudyInvalid(f"1 to {MAX_ROWS} rows", field="rows")
    schema = digest_of(["assent-sample-1", [variable_json(variable) for variable in variables], seed])
    source = random.Random(schema)
    columns = {PATIENT: [f"{source.getrandbits(128):032x}" for _ in range(rows)]}
    for variable in variables:
        columns[variable.name] = source.choices(variable.domain, k=rows)
    import polars as pl  # noqa: PLC0415 - half a second of a start that few need

    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def encode(table: pl.DataFrame, form: Format) -> bytes:
    """The table as a file: UTF-8 CSV with a header, or Parquet."""
    if form is Format.CSV:
        return table.write_csv().encode()
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()

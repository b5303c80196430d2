"""Why a file is not taken or a release not made. Texts name columns and rules, never a value."""

from __future__ import annotations

from backend.errors import Conflict, IntegrityError, InvalidInput


class SchemaInvalid(InvalidInput):
    code = "schema_invalid"
    remedy = "Correct the named column or key of the schema; docs/anonymize.md describes its form."


class TableInvalid(InvalidInput):
    """A file is not a table that can be read whole, or an output cannot be written as asked."""

    code = "table_invalid"
    remedy = "Give a CSV file with a header line or a Parquet file, and outputs that do not exist yet."


class ReleaseUnverified(IntegrityError):
    code = "release_unverified"
    remedy = "The independent check of the table failed. Nothing was released; tell the operator."


class ReleaseOverlap(Conflict):
    """Together with earlier releases of the same people, a table would single out fewer than promised."""

    code = "release_overlap"
    remedy = (
        "Nothing was released. Release once for all recipients, leave out who was in an earlier release, or "
        "ask for a larger k."
    )

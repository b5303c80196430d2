"""What a released dataset is made of: the rows in two formats, what was measured on it, and how to cite it.

A ZIP archive; equal releases give equal bytes. ``read`` takes it apart for its reader, and refuses what is
none. It leaves sealed and padded (``sealed.py``), so that its compressed size tells little.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from backend.errors import IntegrityError

PSEUDONYM: Final = "pseudonym"
_DATA_CSV: Final = "data.csv"
_DATA_PARQUET: Final = "data.parquet"
_RELEASE: Final = "release.json"
_METHODS: Final = "methods.txt"
_FILES: Final = (_RELEASE, _METHODS, _DATA_CSV, _DATA_PARQUET)
_MADE_AT: Final = (1980, 1, 1, 0, 0, 0)  # ZIP's earliest: when it was made is in release.json
_MAX_FILE_BYTES: Final = 4 << 30


class PackageInvalid(IntegrityError):
    code = "dataset_package_invalid"
    remedy = "Fetch the dataset again. If it stays so, tell the custodian that released it."


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """``table`` has text columns, the pseudonym first; ``about`` names the release and what was measured."""

    table: pl.DataFrame
    about: Mapping[str, Any]
    methods: str


def table_of(names: Sequence[str], rows: Sequence[Sequence[str]], pseudonyms: Sequence[str]) -> pl.DataFrame:
    """Rows under their names, each behind its pseudonym. A study's column cannot be called so."""
    if PSEUDONYM in names:
        raise ValueError("a column has the name of the pseudonym")
    columns = {PSEUDONYM: list(pseudonyms)} | {
        name: [row[place] for row in rows] for place, name in enumerate(names)
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def build(package: Package) -> bytes:
    """Pack a release."""
    parquet = io.BytesIO()
    package.table.write_parquet(parquet, compression="zstd", statistics=False)
    about = json.dumps(package.about, indent=2, sort_keys=True, ensure_ascii=False)
    contents = {
        _RELEASE: about.encode() + b"\n",
        _METHODS: package.methods.encode(),
        _DATA_CSV: package.table.write_csv().encode(),
        _DATA_PARQUET: parquet.getvalue(),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _FILES:
            entry = zipfile.ZipInfo(name, _MADE_AT)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, contents[name])
    return packed.getvalue()


def read(packed: bytes) -> Package:
    """Take a release apart. Raises PackageInvalid unless it is one, its two tables saying the same."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entries = archive.infolist()
            if [entry.filename for entry in entries] != list(_FILES):
                raise PackageInvalid("it does not hold the files of a release")
            if any(entry.file_size > _MAX_FILE_BYTES for entry in entries):
                raise PackageInvalid("a file is too large")
            contents = {name: archive.read(name) for name in _FILES}
        about = json.loads(contents[_RELEASE])
        table = pl.read_parquet(io.BytesIO(contents[_DATA_PARQUET]))
        methods = contents[_METHODS].decode()
    except (zipfile.BadZipFile, ValueError, OSError, pl.exceptions.PolarsError) as failure:
        raise PackageInvalid from failure
    if not isinstance(about, dict) or table.write_csv().encode() != contents[_DATA_CSV]:
        raise PackageInvalid("its tables differ")
    return Package(table, about, methods)

"""What a released export is made of: NDJSON files, one a resource type, and what was done to the data.

A ZIP archive with ``release.json``, ``methods.txt`` and files named as FHIR Bulk Data exports are
(``Observation.ndjson``: one resource a line, UTF-8). Equal releases give equal bytes. It leaves sealed and
padded (``datasets.sealed``).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.research.exports.errors import ExportPackageInvalid

_RELEASE: Final = "release.json"
_METHODS: Final = "methods.txt"
_MADE_AT: Final = (1980, 1, 1, 0, 0, 0)  # ZIP's earliest: when it was made is in release.json
_PIECE_BYTES: Final = 1 << 20
_MAX_TEXT_BYTES: Final = 16 << 20
# What reading an archive raises that is none, or is damaged; RuntimeError where it says that it is encrypted.
_DAMAGES: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError),
    *(KeyError, TypeError, ValueError, OSError),
)


def build(about: Mapping[str, Any], methods: str, files: Iterable[tuple[str, Iterable[bytes]]]) -> bytes:
    """Pack a release: ``files`` are names with their contents in pieces."""
    packed = io.BytesIO()
    texts = json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ((_RELEASE, (texts,)), (_METHODS, (methods.encode(),)), *files):
            entry = zipfile.ZipInfo(name, _MADE_AT)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                for piece in content:
                    member.write(piece)
    return packed.getvalue()


@dataclass(frozen=True, slots=True)
class ExportPackage:
    """A release, taken apart. ``counts`` are of resources by type. Files stay packed until they are read."""

    about: Mapping[str, Any]
    methods: str
    counts: Mapping[str, int]
    _packed: bytes

    def lines(self, resource_type: str) -> Iterator[bytes]:
        """The resources of one type as they are written, a line each; none of a type that is not in it."""
        if resource_type in self.counts:
            with (
                zipfile.ZipFile(io.BytesIO(self._packed)) as archive,
                archive.open(f"{resource_type}.ndjson") as member,
            ):
                yield from member


def read(packed: bytes) -> ExportPackage:
    """Take a release apart. Raises ExportPackageInvalid unless each file is what the release says of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            if {entry.compress_type for entry in archive.infolist()} != {zipfile.ZIP_DEFLATED}:
                raise ExportPackageInvalid("it is packed in another way")
            about = json.loads(_text(archive, _RELEASE))
            methods = _text(archive, _METHODS).decode()
            files = {f"{item['type']}.ndjson": item for item in about["files"]}
            if [entry.filename for entry in archive.infolist()] != [_RELEASE, _METHODS, *files]:
                raise ExportPackageInvalid("it does not hold the files of a release")
            for name, item in files.items():
                with archive.open(name) as member:
                    _require_same(member, item)
    except _DAMAGES as failure:
        raise ExportPackageInvalid from failure
    counts = {item["type"]: item["count"] for item in files.values()}
    return ExportPackage(about, methods, counts, packed)


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MAX_TEXT_BYTES:
        raise ExportPackageInvalid("a file is too large")
    return archive.read(name)


def _require_same(member: Any, item: Mapping[str, Any]) -> None:
    digest, size, lines = hashlib.sha256(), 0, 0
    # Never more than the release says: what is packed may be a bomb.
    while size <= item["bytes"] and (piece := member.read(_PIECE_BYTES)):
        digest.update(piece)
        size += len(piece)
        lines += piece.count(b"\n")
    if (size, lines, digest.hexdigest()) != (item["bytes"], item["count"], item["sha256"]):
        raise ExportPackageInvalid("a file is not what the release says of it")

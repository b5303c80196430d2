"""Which scans of a paper are taken."""

from __future__ import annotations

from typing import Final

from backend.consent.paper_errors import ScanUnacceptable

MAX_SCAN_BYTES: Final = 1024 * 1024
# What the first bytes are: a document that pretends to be another is none that anybody can look at later.
BEGINNINGS: Final = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}


def require_acceptable(scan: bytes, media_type: str) -> None:
    """Raise ScanUnacceptable for another form, an empty one or a large one."""
    beginning = BEGINNINGS.get(media_type)
    if beginning is None:
        raise ScanUnacceptable(field="media_type")
    if len(scan) > MAX_SCAN_BYTES or not scan.startswith(beginning):
        raise ScanUnacceptable(field="scan")

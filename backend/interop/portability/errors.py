"""What can be wrong with an archive of a patient's record."""

from __future__ import annotations

from backend.errors import InvalidInput


class ArchiveMalformed(InvalidInput):
    """Not an archive that the service made, or cut off."""

    code = "archive_malformed"
    remedy = (
        "Give the archive as it was sent by GET /v1/portability/archive; ask for it again if it was cut off."
    )


class ArchiveForged(InvalidInput):
    """Something in the archive is not what was signed, stored or logged."""

    code = "archive_forged"
    remedy = "Do not rely on it: ask the custodian for a new one and compare."

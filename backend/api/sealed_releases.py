"""What leaves of a run sealed to its researcher's key: as a stream that nobody else opens."""

from __future__ import annotations

from typing import Any, Final

from fastapi.responses import StreamingResponse

from backend.research.datasets.sealed import MEDIA_TYPE
from backend.research.handover import SealedRelease
from backend.types import to_hex

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {MEDIA_TYPE: {}}, "description": "sealed to the registered key"}
}


def download(sealed: SealedRelease) -> StreamingResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{sealed.release.hex()[:16]}.assent"',
        "Assent-Release": to_hex(sealed.release),
        "Cache-Control": "no-store",
    }
    return StreamingResponse(sealed.content, media_type=MEDIA_TYPE, headers=headers)

"""Content that leaves piece by piece, and only as long as its reader may have it.

Whoever may read at the first byte may not at the last: a stop, an erasure or the end of a consent counts
from its receipt. So the decision is made again every 16 MiB, and what is cut is seen to be cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from backend.errors import AssentError
from backend.records.segments import FHIR_MEDIA_TYPE

STREAMED_BYTES: Final = 4 << 20  # content of more is never held in memory
CHECK_EVERY_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 1 << 20


class StreamCut(AssentError):
    """The reader got a part, and must be able to tell."""

    code = "stream_cut"
    remedy = "What was received is incomplete. Read the record again; the answer then says why, if it may."


def is_streamed(*, media_type: str, size_bytes: int) -> bool:
    """Whether a segment leaves as a stream. FHIR has to be parsed on the way out."""
    return media_type != FHIR_MEDIA_TYPE and size_bytes > STREAMED_BYTES


@dataclass(frozen=True, slots=True)
class Watch:
    """``still`` raises when the reader may not go on; ``cut`` writes down why and after how many bytes."""

    still: Callable[[], None]
    cut: Callable[[AssentError, int], None]


def watched(pieces: Iterable[bytes], watch: Watch) -> Iterator[bytes]:
    """Yield the same bytes, the last of them only when all were checked. Raises StreamCut.

    ``pieces`` raises when something is not what was stored, which may be after its last byte.
    """
    released, checked = 0, 0
    held: bytes | None = None
    try:
        for piece in _gathered(pieces):
            if held is not None:
                if released - checked >= CHECK_EVERY_BYTES:
                    watch.still()
                    checked = released
                yield held
                released += len(held)
            held = piece
        watch.still()
    except AssentError as failure:
        watch.cut(failure, released)
        raise StreamCut from failure
    if held is not None:
        yield held


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces to about 1 MiB: each costs its consumer a turn in another thread."""
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)

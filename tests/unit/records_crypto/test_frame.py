from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.records.envelope_errors import FrameInvalid, SourceChanged
from backend.records.frame import (
    FrameReader,
    Source,
    describe,
    describe_stream,
    frame,
    pieces_of,
)

TEXT = "text/plain; charset=utf-8"


def framed(data: bytes, media_type: str = TEXT) -> bytes:
    return b"".join(frame(describe(data, media_type), [data]))


def unframed(plaintext: bytes, piece: int) -> tuple[Source | None, bytes]:
    reader = FrameReader()
    out = b"".join(reader.feed(plaintext[at : at + piece]) for at in range(0, len(plaintext), piece))
    reader.finish()
    return reader.source, out


@given(st.binary(max_size=9000), st.integers(1, 5000))
def test_frame_read_in_any_pieces_gives_the_document_back(data: bytes, piece: int) -> None:
    plaintext = framed(data)
    assert len(plaintext) == describe(data, TEXT).framed_size
    assert unframed(plaintext, piece) == (describe(data, TEXT), data)


@pytest.mark.parametrize("media_type", ["a/b", "application/fhir+json", "x/" + "y" * 60, "x/" + "y" * 127])
def test_frame_with_short_and_long_media_types_is_read_back(media_type: str) -> None:
    assert unframed(framed(b"data", media_type), 11) == (describe(b"data", media_type), b"data")


@pytest.mark.parametrize("data", [b"tex", b"text!", b"texT", b""])
def test_frame_of_a_source_that_changed_is_refused(data: bytes) -> None:
    with pytest.raises(SourceChanged):
        list(frame(describe(b"text", TEXT), [data]))


def test_describe_stream_returns_to_where_it_began() -> None:
    stream = io.BytesIO(b"skipped" + b"document")
    stream.seek(7)
    assert describe_stream(stream, TEXT) == describe(b"document", TEXT)
    assert b"".join(pieces_of(stream)) == b"document"


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p[:-1],  # cut short
        lambda p: p + bytes(1),  # padded further
        lambda p: p[:-1] + b"\x01",  # something hidden in the padding
        lambda p: bytes(7) + b"\x05" + p[8:],  # another length: what it uncovers is no longer padding
        lambda p: bytes(7) + b"\x03" + p[8:],
        lambda p: p[:9] + b"\x19" + p[10:],  # another tag
        lambda p: p[:10] + b"\x79" + p[11:],  # text instead of bytes
        lambda p: p[:10] + b"\x59\x00" + p[11:],  # a longer head
        lambda p: p[:13] + b"\xff" + p[14:],  # a broken header
        lambda p: p[: p.index(b"text/plain")] + b"text.plain" + p[p.index(b"text/plain") + 10 :],
        lambda p: p[:100].replace(b"data", b"dATA") + p[100:],  # not what the digest says
        lambda p: p[:20],
        lambda p: b"",
    ],
)
def test_frame_that_is_malformed_is_refused(change: object) -> None:
    plaintext = framed(b"data")
    assert callable(change)
    changed = change(plaintext)
    assert changed != plaintext
    with pytest.raises(FrameInvalid):
        unframed(changed, 4096)


@pytest.mark.parametrize(
    "media_type", ["", "text", "text/", "/plain", "text/plain\n", "té/xt", "a/" + "b" * 200]
)
def test_source_with_a_bad_media_type_is_refused(media_type: str) -> None:
    with pytest.raises(ValueError, match="media type"):
        Source(media_type, 1, hashlib.sha256(b"1").digest())

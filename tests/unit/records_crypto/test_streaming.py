"""A stream that is watched, and a document that waits in a spool."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator

import pytest

from backend.consent.errors import ConsentRequired
from backend.errors import AssentError, LedgerUnavailable, TooLarge
from backend.records.envelope_errors import FrameInvalid
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.spool import IN_MEMORY_BYTES, Spool
from backend.records.storage_ports import StorageFull, StorageUnavailable
from backend.records.streaming import CHECK_EVERY_BYTES, StreamCut, Watch, is_streamed, watched

MIB = 1 << 20


class Watching:
    """Counts the checks; ``refuse_at`` is the check that refuses, from 1."""

    def __init__(self, refuse_at: int | None = None, failure: AssentError | None = None) -> None:
        self.checks = 0
        self.cuts: list[tuple[str, int]] = []
        self._refuse_at = refuse_at
        self._failure = failure or ConsentRequired()

    @property
    def watch(self) -> Watch:
        return Watch(self._still, lambda failure, released: self.cuts.append((failure.code, released)))

    def _still(self) -> None:
        self.checks += 1
        if self.checks == self._refuse_at:
            raise self._failure


def taken(stream: Iterator[bytes]) -> bytes:
    """What comes out before it ends or is cut."""
    out: list[bytes] = []
    with pytest.raises(StreamCut):
        out.extend(stream)
    return b"".join(out)


def pieces(size: int, piece: int = 64 * 1024) -> Iterator[bytes]:
    for _ in range(size // piece):
        yield bytes(piece)


def test_watched_stream_is_what_was_given_and_checked_every_16_mib_and_at_the_end() -> None:
    watching = Watching()
    out = b"".join(watched(pieces(40 * MIB), watching.watch))
    assert (len(out), watching.checks, watching.cuts) == (40 * MIB, 3, [])


@pytest.mark.parametrize(
    ("failure", "code"), [(None, "consent_required"), (LedgerUnavailable(), "ledger_unavailable")]
)
def test_stream_is_cut_where_its_reader_may_not_go_on(failure: AssentError | None, code: str) -> None:
    watching = Watching(2, failure)
    assert len(taken(watched(pieces(40 * MIB), watching.watch))) == 2 * CHECK_EVERY_BYTES
    assert watching.cuts == [(code, 2 * CHECK_EVERY_BYTES)]


def test_last_piece_is_kept_back_until_the_reader_was_checked_again() -> None:
    watching = Watching(1)
    assert taken(watched(pieces(5 * MIB), watching.watch)) == bytes(4 * MIB)


def test_last_piece_is_kept_back_until_the_end_is_known_to_be_sound() -> None:
    def damaged() -> Iterator[bytes]:
        yield from pieces(3 * MIB)
        raise FrameInvalid

    watching = Watching()
    assert len(taken(watched(damaged(), watching.watch))) == 2 * MIB
    assert watching.cuts == [("frame_invalid", 2 * MIB)]


def test_only_large_segments_that_are_no_fhir_are_streamed() -> None:
    assert is_streamed(media_type="application/dicom", size_bytes=4 * MIB + 1)
    assert not is_streamed(media_type="application/dicom", size_bytes=4 * MIB)
    assert not is_streamed(media_type=FHIR_MEDIA_TYPE, size_bytes=64 * MIB)


class MemoryFile(io.BytesIO):
    """A scratch file that shows what was written. ``full_at``: the size at which the disk is full."""

    def __init__(self, full_at: int) -> None:
        super().__init__()
        self._full_at = full_at

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if self.tell() + len(data) > self._full_at:
            raise StorageFull
        super().write(data)

    def read_again(self) -> Iterator[bytes]:
        self.seek(0)
        while piece := self.read(100_000):
            yield piece


class MemoryScratch:
    def __init__(self, full_at: int = 1 << 30) -> None:
        self.files: list[MemoryFile] = []
        self._full_at = full_at

    def require_room(self, size_bytes: int) -> None: ...

    def new(self) -> MemoryFile:
        self.files.append(MemoryFile(self._full_at))
        return self.files[-1]


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY_BYTES, IN_MEMORY_BYTES + 1, 5 * MIB + 3])
def test_spool_gives_back_what_came_and_knows_size_and_digest(size: int) -> None:
    document = os.urandom(size)
    scratch = MemoryScratch()
    with Spool(scratch, limit_bytes=size) as spool:
        for start in range(0, size, 70_000):
            spool.add(document[start : start + 70_000])
        spool.finish()
        assert [b"".join(spool.pieces()) for _ in range(2)] == [document, document]
        assert (spool.size_bytes, spool.sha256) == (size, hashlib.sha256(document).digest())
        assert len(scratch.files) == (size > IN_MEMORY_BYTES)
    assert all(file.closed for file in scratch.files)


def test_scratch_file_holds_ciphertext_that_was_not_changed() -> None:
    scratch = MemoryScratch()
    with Spool(scratch, limit_bytes=9 * MIB) as spool:
        spool.add(b"a name" * 500_000)
        spool.finish()
        (file,) = scratch.files
        assert b"name" not in file.getvalue()
        file.seek(2_000_000)
        file.write(b"x")
        with pytest.raises(StorageUnavailable):
            list(spool.pieces())


def test_spool_over_its_limit_or_on_a_full_disk_is_closed_with_an_error() -> None:
    scratch = MemoryScratch(full_at=3 * MIB)
    with Spool(scratch, limit_bytes=2 * MIB) as spool:
        spool.add(bytes(2 * MIB))
        with pytest.raises(TooLarge):
            spool.add(b"x")
    with Spool(scratch, limit_bytes=9 * MIB) as spool, pytest.raises(StorageFull):
        spool.add(bytes(4 * MIB))
    assert [file.closed for file in scratch.files] == [True, True]

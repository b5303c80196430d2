"""The content cipher on 512 MiB, its output discarded: against a bare AES-GCM loop, and against age."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.keystore import Secret
from backend.records.blocks import BLOCK_BYTES, Splitter
from backend.records.context import ContentContext
from backend.records.envelope import decrypt, encrypt, seal
from backend.records.frame import PIECE_BYTES, describe_stream, pieces_of
from backend.types import MemberId, RecordId
from bench.results import Result, ratio_at_least, shown, skipped

SIZE_BYTES: Final = 512 << 20
ROUNDS: Final = 5
GOAL_OF_AES: Final = 0.8
GOAL_OF_AGE: Final = {"encrypt": 2.5, "decrypt": 3.0}
GOAL_OF_SHA256: Final = 0.7
_CHUNK: Final = 64 * 1024
_LABEL: Final = b"benchmark"
_CONTEXT: Final = ContentContext(MemberId(bytes(32)), RecordId(bytes(16)), 1, "s0000")
_Stream = Callable[[Iterable[bytes]], Iterable[object]]


def measure() -> list[Result]:
    """Medians of ``ROUNDS``, each work with its reference in turn; MB are 10**6 bytes."""
    return [*_against_aes(), *_against_age(), *_blocks()]


def _against_aes() -> list[Result]:
    """From memory to memory: both sides read the same 512 MiB, piece by piece. What is decrypted comes in
    blocks, as from the block store."""
    key = Secret.generate()
    plain = bytearray(os.urandom(1 << 20) * (SIZE_BYTES >> 20))
    # In one allocation, as ``plain``: memory that grew bit by bit is read a tenth slower, by whatever cipher.
    sealed = bytearray(b"".join(encrypt(_pieces(plain), key=key, context=_LABEL)))

    def reference() -> None:
        cipher, out = AESGCM(key.reveal()), bytearray(_CHUNK + 16)
        for number, piece in enumerate(_pieces(plain)):
            cipher.encrypt_into(number.to_bytes(12, "big"), piece, None, out)

    found = _rates(
        reference,
        lambda: _discard(encrypt(_pieces(plain), key=key, context=_LABEL)),
        lambda: _discard(decrypt(_pieces(sealed, BLOCK_BYTES), key=key, context=_LABEL)),
    )
    return [
        ratio_at_least(
            f"{work} a 512 MiB stream, against one AESGCM.encrypt_into loop",
            rate,
            "MB/s",
            reference=found[0],
            limit=GOAL_OF_AES,
        )
        for work, rate in zip(("encrypt", "decrypt"), found[1:], strict=True)
    ]


def _against_age() -> list[Result]:
    """From a file in memory to nowhere, as a program would be used; age runs as its own process."""
    names = {work: f"{work} a 512 MiB file, against age" for work in GOAL_OF_AGE}
    if shutil.which("age") is None or shutil.which("age-keygen") is None:
        return [skipped(name, "MB/s", "the program age is not installed") for name in names.values()]
    with tempfile.TemporaryDirectory(prefix="assent-bench-", dir=_memory()) as name:
        directory = Path(name)
        identity = directory / "identity"
        made = _run("age-keygen", "-o", str(identity)).stderr
        recipient = made.rpartition(":")[2].strip()
        plain, ours, theirs = (directory / name for name in ("plain", "ours", "theirs"))
        _fill(plain)
        key = Secret.generate()
        with plain.open("rb") as source, ours.open("wb") as target:
            for piece in encrypt(pieces_of(source), key=key, context=_LABEL):
                target.write(piece)
        _run("age", "-r", recipient, "-o", str(theirs), str(plain))
        encrypted = _rates(
            lambda: _run("age", "-r", recipient, "-o", os.devnull, str(plain)),
            lambda: _through(plain, lambda pieces: encrypt(pieces, key=key, context=_LABEL)),
        )
        decrypted = _rates(
            lambda: _run("age", "-d", "-i", str(identity), "-o", os.devnull, str(theirs)),
            lambda: _through(ours, lambda pieces: decrypt(pieces, key=key, context=_LABEL)),
        )
    return [
        ratio_at_least(names[work], mine, "MB/s", reference=ages, limit=GOAL_OF_AGE[work])
        for work, (ages, mine) in zip(names, (encrypted, decrypted), strict=True)
    ]


def _blocks() -> list[Result]:
    """From memory into named blocks; the block store is not part of it."""
    key, share = Secret.generate(), Secret.generate()
    with tempfile.TemporaryDirectory(prefix="assent-bench-", dir=_memory()) as name:
        directory = Path(name)
        path = directory / "plain"
        _fill(path)

        def framed() -> None:
            with path.open("rb") as stream:
                source = describe_stream(stream, "application/octet-stream")
                sealing = seal(
                    pieces_of(stream), source=source, context=_CONTEXT, dek=key, erasure_share=share
                )
                _discard(Splitter(sealing))

        digest, blocks, whole = _rates(
            lambda: _through(path, _hashed),
            lambda: _through(path, lambda pieces: Splitter(encrypt(pieces, key=key, context=_LABEL))),
            framed,
        )
    title = "encrypt, hash, split into blocks, compute CIDs, against SHA-256"
    return [
        ratio_at_least(title, blocks, "MB/s", reference=digest, limit=GOAL_OF_SHA256),
        shown(f"{title}: with the source's own digest, taken and checked", whole, "MB/s", reference=digest),
    ]


def _rates(*works: Callable[[], object]) -> list[float]:
    """Return MB/s of each, medians; they take turns, so that what else the machine does falls on all."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, spent in zip(works, seconds, strict=True):
            started = time.perf_counter()
            work()
            spent.append(time.perf_counter() - started)
    return [SIZE_BYTES / statistics.median(spent) / 1e6 for spent in seconds]


def _pieces(data: bytearray, size: int = _CHUNK) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), size):
        yield view[start : start + size]


def _through(path: Path, work: _Stream) -> None:
    with path.open("rb") as stream:
        _discard(work(pieces_of(stream)))


def _hashed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    yield digest.digest()


def _discard(pieces: Iterable[object]) -> None:
    for _ in pieces:
        pass


def _fill(path: Path) -> None:
    piece = os.urandom(PIECE_BYTES)
    with path.open("wb") as stream:
        for _ in range(SIZE_BYTES // PIECE_BYTES):
            stream.write(piece)


def _memory() -> str | None:
    """Where files lie in memory, so that no disk is measured; None for the usual place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # nosec B108


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

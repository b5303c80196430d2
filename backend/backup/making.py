"""Makes a base: everything there is, while the service goes on.

The index is read first, then keys and blocks, which hold at least what the index names; the chain last, which
holds at least what the index repeats of it. What an erasure took meanwhile is simply not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.backup import block_copy, sealed_file
from backend.backup.errors import BackupDamaged
from backend.backup.operations import Operation, PutFile
from backend.backup.recovery_key import ServiceHalf
from backend.backup.sealed_file import Written
from backend.backup.shelf import MANIFEST, PINS, Shelf, new_generation
from backend.backup.sources import Sources
from backend.keystore import Secret
from backend.records.blocks import Cid

INDEX: Final = "index"
KEYS: Final = "keys"
CHAIN: Final = "chain"
SEALED_PARTS: Final = (INDEX, KEYS, CHAIN)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a base says of itself; the only part that names the others."""

    generation: str
    made_at: int
    facts: dict[str, str]
    log_size: int
    log_root: str
    counts: dict[str, int]
    parts: dict[str, Written]

    def encode(self) -> bytes:
        parts = {name: [part.sha256.hex(), part.size_bytes] for name, part in self.parts.items()}
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({**fields, "parts": parts}).encode()

    @classmethod
    def decode(cls, content: bytes) -> Manifest:
        """Raises BackupDamaged."""
        try:
            fields = json.loads(content)
            parts = {
                name: Written(bytes.fromhex(digest), size) for name, (digest, size) in fields["parts"].items()
            }
            return cls(**{**fields, "parts": parts})
        except (KeyError, TypeError, ValueError) as error:
            raise BackupDamaged("the manifest cannot be read") from error


@dataclass(frozen=True, slots=True)
class Base:
    """A base that is made, and where the tail goes on from.

    ``file_keys`` opens the parts without the recovery key, for who checks what was written, and only so long.
    """

    manifest: Manifest
    digest: bytes  # of the manifest's file
    pins: frozenset[Cid]
    damaged: frozenset[Cid]  # roots that could not be copied
    journal_bytes: int
    file_keys: dict[str, Secret]


def make_base(
    sources: Sources,
    shelf: Shelf,
    key: ServiceHalf,
    *,
    clock: Callable[[], int],
    go_on: Callable[[], None] = lambda: None,
) -> Base:
    """Write a new generation, durable and whole on return; the caller holds ``shelf.writing``.

    ``go_on`` is asked again and again; what it raises ends the making, and nothing is left of it. Raises
    RecoveryKeyExpired, BackupUnwritable, Unavailable of a store.
    """
    now = clock()
    key.require_live(now)
    generation = new_generation(now)
    counts: dict[str, int] = {}
    parts: dict[str, Written] = {}
    file_keys: dict[str, Secret] = {}
    log_size, log_root = sources.index.log_head()

    with shelf.making(generation) as folder:

        def keep(part: str, contents: Iterable[Operation]) -> Written:
            counted = _Counting(contents, go_on)
            file_keys[part] = Secret.generate()
            written = sealed_file.write(
                folder / part,
                counted,
                to=key,
                generation=generation,
                part=part,
                at=now,
                file_key=file_keys[part],
            )
            counts[part] = counted.count
            return written

        parts[INDEX] = keep(INDEX, sources.documents())
        parts[KEYS] = keep(KEYS, sources.secrets())
        roots = sorted(sources.blocks.pins())
        damaged = set(block_copy.copy_out(sources.blocks, shelf, roots, go_on))
        pins = [root for root in roots if root not in damaged]
        parts[PINS] = _write_pins(folder / PINS, pins)
        counts[PINS], counts["damaged roots"] = len(pins), len(damaged)
        end = sources.journal_end()
        parts[CHAIN] = keep(CHAIN, _chain(sources, end))
        manifest = Manifest(
            generation, now, dict(sources.facts), log_size, log_root.hex(), dict(counts), parts
        )
        whole = keep(MANIFEST, [PutFile(MANIFEST, manifest.encode())])
    return Base(manifest, whole.sha256, frozenset(pins), frozenset(damaged), end, file_keys)


def prune(shelf: Shelf, sources: Sources, *, keep: int, now: int) -> None:
    """Remove generations beyond ``keep`` and those whose key has ended, and the blocks only they named.

    The newest one that was verified stays, so that no row of bad ones pushes the last good one out.
    """
    generations = shelf.generations()
    verified = [name for name in generations if shelf.verified_at(name) is not None]
    kept = generations[-keep:] + verified[-1:]
    ended = expired(shelf, now)
    gone = [name for name in generations if name not in kept or name in ended]
    kept = [name for name in generations if name not in gone]
    named = {root for name in gone for root in _pins_said(shelf, name)}
    for name in gone:
        shelf.remove(name)
    named -= {root for name in kept for root in _pins_said(shelf, name)}
    named -= set(sources.blocks.pins())
    for root in named:
        _remove_blob(shelf, root)


def expired(shelf: Shelf, now: int) -> list[str]:
    """Return the whole generations whose key has ended."""
    return [name for name in shelf.generations() if _expired(shelf, name, now)]


def _expired(shelf: Shelf, generation: str, now: int) -> bool:
    try:
        return sealed_file.read_header(shelf.path(generation, MANIFEST)).expires <= now
    except BackupDamaged:
        return False  # for a person to look at


def _remove_blob(shelf: Shelf, root: Cid) -> None:
    """The root goes first: while it is there, its children are."""
    try:
        children = block_copy.children_of(root, shelf.block(root))
    except BackupDamaged:
        return
    for cid in (root, *children):
        shelf.remove_block(cid)


def _pins_said(shelf: Shelf, generation: str) -> Iterator[Cid]:
    try:
        with shelf.path(generation, PINS).open(encoding="ascii") as file:
            yield from (Cid(line.rstrip("\n")) for line in file)
    except (OSError, UnicodeDecodeError):
        return


def _chain(sources: Sources, end: int) -> Iterator[Operation]:
    yield from sources.small_files()
    yield from sources.journal_from(0, end)


def _write_pins(path: Path, pins: Iterable[Cid]) -> Written:
    return sealed_file.write_stream(path, (f"{root}\n".encode() for root in pins))


def read_pins(path: Path, known: Written) -> Iterator[Cid]:
    """Yield the roots of a base. Raises BackupDamaged unless the list is the manifest's."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            for line in file:
                digest.update(line)
                size += len(line)
                yield Cid(line.decode("ascii").rstrip("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise BackupDamaged("the list of pins cannot be read") from error
    if Written(digest.digest(), size) != known:
        raise BackupDamaged("the list of pins is not the one of this backup")


class _Counting:
    def __init__(self, contents: Iterable[Operation], go_on: Callable[[], None]) -> None:
        self._contents = contents
        self._go_on = go_on
        self.count = 0

    def __iter__(self) -> Iterator[Operation]:
        for operation in self._contents:
            self._go_on()
            self.count += 1
            yield operation

"""Reads a generation back: everything authentic, in the order it was written, base first, then the tail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from backend.backup import block_copy, sealed_file
from backend.backup.errors import BackupDamaged, BackupMissing, RecoveryKeyDiffers, RecoveryKeyExpired
from backend.backup.making import CHAIN, INDEX, KEYS, Manifest, read_pins
from backend.backup.operations import (
    DropPin,
    DropSecret,
    NoteVersion,
    Operation,
    PutFile,
    PutPin,
    PutSecret,
)
from backend.backup.sealed_file import Header, Opener, Written
from backend.backup.shelf import MANIFEST, PINS, Shelf, tail_part
from backend.keystore import KeyName, KeyVersion, Secret
from backend.records.blocks import Cid


@dataclass(frozen=True, slots=True)
class Listed:
    """What can be told of a generation without its key; nothing of it is checked."""

    generation: str
    header: Header
    parts: int
    reaches: int  # unix seconds of the last part
    verified: int | None  # unix seconds when its base was read back and found right


def listed(shelf: Shelf, generation: str) -> Listed:
    """Raises BackupMissing, BackupDamaged."""
    header = sealed_file.read_header(shelf.path(generation, MANIFEST))
    parts = shelf.tail(generation)
    last = sealed_file.read_header(shelf.path(generation, tail_part(parts))) if parts else header
    return Listed(generation, header, parts, last.at, shelf.verified_at(generation))


class Backup:
    """One generation and what opens it.

    Opening raises RecoveryKeyExpired (unless ``expired`` is allowed), RecoveryKeyDiffers, BackupMissing and
    BackupDamaged. Of the tail the first ``parts`` are read, all of them where it is None.
    """

    def __init__(
        self,
        shelf: Shelf,
        generation: str,
        opener: Opener,
        *,
        now: int,
        expired: bool = False,
        parts: int | None = None,
    ) -> None:
        self._shelf = shelf
        self.generation = generation
        self._opener = opener
        if generation not in shelf.generations():
            raise BackupMissing(f"{generation}: no whole backup")
        header = sealed_file.read_header(shelf.path(generation, MANIFEST))
        if header.key != opener.service.key.id:
            raise RecoveryKeyDiffers
        if not expired and now >= opener.service.expires_at:
            raise RecoveryKeyExpired
        self.parts = shelf.tail(generation)
        if parts is not None:
            self.parts = min(parts, self.parts)
        found: list[Written] = []
        contents = list(self._read(MANIFEST, finished=found))
        match contents:
            case [PutFile(name, content)] if name == MANIFEST:
                self.manifest = Manifest.decode(content)
            case _:
                raise BackupDamaged("the manifest cannot be read")
        if self.manifest.generation != generation:
            raise BackupDamaged("the manifest is another backup's")
        self._manifest_digest = found[0].sha256

    def index(self) -> Iterator[Operation]:
        return self._base(INDEX)

    def secrets(self) -> Iterator[Operation]:
        return self._base(KEYS)

    def chain(self) -> Iterator[Operation]:
        return self._base(CHAIN)

    def tail(self) -> Iterator[Operation]:
        """Yield what the tail says, part after part; each goes on from the one before it."""
        previous = self._manifest_digest
        for number in range(1, self.parts + 1):
            found: list[Written] = []
            yield from self._read(tail_part(number), previous=previous, finished=found)
            previous = found[0].sha256

    def final_secrets(self) -> dict[KeyName, Secret | None]:
        """Return what the tail makes of the secrets it names, None for an erased one.

        It is read before the base, so that an erased secret is never written to a restored store.
        """
        final: dict[KeyName, Secret | None] = {}
        for operation in self.tail():
            match operation:
                case PutSecret(kind, name, secret):
                    final[kind, name] = secret
                case DropSecret(kind, name):
                    final[kind, name] = None
        return final

    def secret_names(self) -> set[KeyName]:
        """Return the name of every secret that counts at the end of the tail."""
        names = {(each.kind, each.name) for each in self.secrets() if isinstance(each, PutSecret)}
        for name, secret in self.final_secrets().items():
            if secret is None:
                names.discard(name)
            else:
                names.add(name)
        return names

    def versions(self) -> list[KeyVersion]:
        """Return where the classes of keys stand at the end of the tail."""
        noted = (each for each in chain(self.secrets(), self.tail()) if isinstance(each, NoteVersion))
        return list({each.key_class: KeyVersion(*each) for each in noted}.values())

    def pins(self) -> set[Cid]:
        """Return the roots that count at the end of the tail."""
        roots = set(read_pins(self._shelf.path(self.generation, PINS), self.manifest.parts[PINS]))
        for operation in self.tail():
            match operation:
                case PutPin(root):
                    roots.add(Cid(root))
                case DropPin(root):
                    roots.discard(Cid(root))
        return roots

    def verify(self, go_on: Callable[[], None] = lambda: None) -> dict[str, int]:
        """Read all of it, blocks too, and return how much there is. Raises BackupDamaged naming the part.

        ``go_on`` is asked again and again; what it raises ends the check.
        """
        counts: Counter[str] = Counter()
        for part in (self.index(), self.secrets(), self.chain(), self.tail()):
            for operation in part:
                go_on()
                counts[type(operation).__name__] += 1
        for root in self.pins():
            go_on()
            counts["blocks"] += block_copy.check(self._shelf, root)
        return {**counts, "tail parts": self.parts}

    def _base(self, part: str) -> Iterator[Operation]:
        return self._read(part, known=self.manifest.parts[part])

    def _read(
        self,
        part: str,
        *,
        previous: bytes = b"",
        known: Written | None = None,
        finished: list[Written] | None = None,
    ) -> Iterator[Operation]:
        return sealed_file.read(
            self._shelf.path(self.generation, part),
            opener=self._opener,
            generation=self.generation,
            part=part,
            previous=previous,
            known=known,
            finished=None if finished is None else finished.append,
        )

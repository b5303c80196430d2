"""Epoch keys in files: ``epoch-<number>.key`` holds one, wrapped under the root.

A passphrase or key file opens the root. Copies of these files defeat erasure, so backups must not
hold them as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.durable import shred_file, write_file
from backend.adapters.keys.epochs import Place, SoftwareEpochKey
from backend.adapters.keys.root import RootParameters, Unlock, new_root, open_root
from backend.keystore import KeyStoreDamaged, KeyStoreRolledBack, Secret
from backend.records import canonical
from backend.records.envelope_errors import NotCanonical, WrapRefused
from backend.records.wrapping import unwrap, wrap

_FILE_NAME = re.compile(r"epoch-[0-9]{1,12}\.key(\.tmp)?")
_FIELDS: Final[dict[str, type]] = {"epoch": int, "root": list, "store": bytes, "v": int, "wrapped": bytes}


@dataclass(frozen=True, slots=True)
class Root:
    """The opened root key with what is needed to write it down again."""

    key: Secret
    parameters: RootParameters


def epoch_path(directory: Path, epoch: int) -> Path:
    return directory / f"epoch-{epoch}.key"


def _info(store_id: bytes, epoch: int) -> bytes:
    return canonical.encode(["assent/keystore/epoch/1", store_id, epoch])


def write_epoch(directory: Path, *, store_id: bytes, epoch: int, key: Secret, root: Root) -> None:
    """Put an epoch key's file in place, durable on return. Raises OSError."""
    content = canonical.encode(
        {
            "v": 1,
            "store": store_id,
            "epoch": epoch,
            "root": root.parameters.encode(),
            "wrapped": wrap(key, under=root.key, info=_info(store_id, epoch)),
        }
    )
    write_file(epoch_path(directory, epoch), content)


def read_epoch(
    directory: Path, *, store_id: bytes, epoch: int, opener: Unlock | tuple[Root, ...]
) -> tuple[Secret, Root]:
    """Open an epoch key with a passphrase or key file, or with the one of several open roots that fits.

    Raises KeyStoreRolledBack when the file is not there, KeyStorePassphrase when it does not open, and
    KeyStoreDamaged when it is not what was written. OSError passes.
    """
    try:
        content = epoch_path(directory, epoch).read_bytes()
    except FileNotFoundError as error:
        raise KeyStoreRolledBack from error
    try:
        fields = canonical.decode_map(content, _FIELDS)
    except NotCanonical as error:
        raise KeyStoreDamaged from error
    if (fields["v"], fields["epoch"], fields["store"]) != (1, epoch, store_id):
        raise KeyStoreDamaged
    parameters = RootParameters.decode(fields["root"])
    if isinstance(opener, tuple):
        root = next((root for root in opener if root.parameters == parameters), None)
        if root is None:
            raise KeyStoreDamaged
    else:
        root = Root(open_root(opener, parameters), parameters)
    try:
        return unwrap(fields["wrapped"], under=root.key, info=_info(store_id, epoch)), root
    except WrapRefused as error:
        raise KeyStoreDamaged from error


def destroy_other_epochs(directory: Path, epoch: int | None) -> None:
    """Shred every epoch file but one, or all. Raises OSError; safe to repeat."""
    for path in list(directory.iterdir()):
        if _FILE_NAME.fullmatch(path.name) and path.name != f"epoch-{epoch}.key":
            shred_file(path)


class FileEpochs:
    """Implements ``EpochKeys``."""

    kind = "embedded"

    def __init__(self, unlock: Unlock) -> None:
        self._unlock = unlock
        self._root: Root | None = None
        self._next: Root | None = None

    def change_root(self, unlock: Unlock) -> None:
        """Have the next epoch wrapped under another root; ``open`` finds out which of the two counts."""
        self._next = Root(*new_root(unlock))

    def make(self, place: Place, epoch: int) -> SoftwareEpochKey:
        root = self._next or self._root or Root(*new_root(self._unlock))
        key = Secret.generate()
        write_epoch(place.directory, store_id=place.store_id, epoch=epoch, key=key, root=root)
        return SoftwareEpochKey(key)

    def open(self, place: Place, epoch: int) -> SoftwareEpochKey:
        known = tuple(root for root in (self._root, self._next) if root is not None)
        key, self._root = read_epoch(
            place.directory, store_id=place.store_id, epoch=epoch, opener=known or self._unlock
        )
        self._next = None
        return SoftwareEpochKey(key)

    def destroy_others(self, place: Place, epoch: int | None) -> None:
        destroy_other_epochs(place.directory, epoch)

    def close(self) -> None:
        self._root = self._next = None

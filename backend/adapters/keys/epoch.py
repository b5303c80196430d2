"""The epoch key: wraps every page key, lies in a file of its own, and is replaced at every erasure.

``epoch-<number>.key`` holds it wrapped under the root. The database names the number that counts. A new epoch
is written and synced first, then the database commits to it, then the old file is shredded: at each instant
exactly one of the files opens the database, and once the old one is gone no older copy of the database opens.
Copies of these files defeat erasure, so backups must not hold them as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.durable import shred_file, write_file
from backend.adapters.keys.root import RootParameters, Unlock, open_root
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


def destroy_other_epochs(directory: Path, epoch: int) -> None:
    """Shred every epoch file but one. Raises OSError; safe to repeat."""
    keep = epoch_path(directory, epoch).name
    for path in list(directory.iterdir()):
        if _FILE_NAME.fullmatch(path.name) and path.name != keep:
            shred_file(path)

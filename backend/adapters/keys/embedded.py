"""The key store in files of this machine: a passphrase or key file opens an epoch key, and that all the rest.

``root -> epoch key (epoch-<n>.key) -> page keys -> up to 256 secrets each (keys.db)``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from backend.adapters.keys.epoch import FileEpochs
from backend.adapters.keys.paged import PagedKeyStore
from backend.adapters.keys.root import Unlock


class EmbeddedKeyStore(PagedKeyStore):
    """Opening raises KeyStorePassphrase too."""

    def __init__(
        self,
        directory: Path,
        unlock: Unlock,
        *,
        create: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._files = FileEpochs(unlock)
        super().__init__(directory, self._files, create=create, clock=clock)

    def rotate_root(self, unlock: Unlock | None = None) -> None:
        """Give the store a new epoch key and, with ``unlock``, a new passphrase or key file."""
        if unlock is None:
            super().rotate_root()
            return
        with self._locked() as database:
            self._files.change_root(unlock)
            self._replace_epoch(database, new_root=True)

"""What goes wrong with files, in the words of the storage port."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from backend.records.storage_ports import StorageFull, StorageUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Raise StorageFull or StorageUnavailable for an error of the operating system or of SQLite."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise StorageUnavailable from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFull from error
        raise StorageUnavailable from error

"""Every class of erasable documents of one database, joined to nothing else of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.adapters.index.erasables import erasables
from backend.adapters.index.kept_results import ReleasedRows
from backend.erasure.ports import Erasable
from backend.keystore import KeyStore
from backend.research.releases.types import Mark
from backend.research.types import Pseudonym
from backend.sealed import DocumentSealer


def unconnected(database: Any, keys: KeyStore) -> Sequence[Erasable]:
    """Marks and pseudonyms are empty: what goes by them finds nobody."""
    return erasables(
        database,
        opened=lambda _: None,
        names_of=(),
        mark_of=lambda *_: Mark(b""),
        marked=lambda _: dict,
        released=ReleasedRows(database, DocumentSealer(keys), lambda *_: Pseudonym("")),
    )

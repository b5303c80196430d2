"""``WitnessPairs``, which stores nothing and emits nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backend.adapters.ledger.rebuild.replayed import Handler, Replayed
from backend.adapters.ledger.rebuild.words import Entry


class Witnesses(Replayed):
    """Whatever is found in its storage is a difference."""

    CONTRACT = "WitnessPairs"

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {}

    def storage(self) -> Iterator[Entry]:
        return iter(())

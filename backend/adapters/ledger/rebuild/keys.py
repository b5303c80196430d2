"""``KeyRegistry`` from its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, pack, word

_NOBODY = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Binding:
    """What is stored of a subject's key: after a withdrawal nothing but ``sequence``."""

    sequence: int
    key_hash: bytes = bytes(32)
    controller: str = _NOBODY
    bound_at: int = 0


class Keys(Replayed):
    """``bindings``: by subject."""

    CONTRACT = "KeyRegistry"

    def __init__(self) -> None:
        self.bindings: dict[int, Binding] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"KeyBound": self._bound, "KeyWithdrawn": self._withdrawn, "EIP712DomainChanged": nothing}

    def storage(self) -> Iterator[Entry]:
        for subject, found in self.bindings.items():
            yield Entry("_bindings", (word(subject), 0), int.from_bytes(found.key_hash))
            packed = pack((int(found.controller, 16), 160), (found.sequence, 32), (found.bound_at, 40))
            yield Entry("_bindings", (word(subject), 1), packed)

    def _bound(self, given: Arguments, _: Moment) -> None:
        made = Binding(given["sequence"], given["keyHash"], given["controller"], given["boundAt"])
        self.bindings[given["subject"]] = made

    def _withdrawn(self, given: Arguments, _: Moment) -> None:
        self.bindings[given["subject"]] = Binding(given["sequence"])

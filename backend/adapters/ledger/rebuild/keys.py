"""``KeyRegistry`` from its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend.adapters.ledger.rebuild.consents import ACCOUNT, Consents
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
    """``bindings``: by subject. ``consents``: the registry that it asks who controls a subject."""

    CONTRACT = "KeyRegistry"

    def __init__(self, consents: Consents) -> None:
        self.consents = consents
        self.bindings: dict[int, Binding] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"KeyBound": self._bound, "KeyWithdrawn": self._withdrawn, "EIP712DomainChanged": nothing}

    def held(self, subject: int) -> Binding:
        """Return what was bound or withdrawn last, ``sequence`` 0 for nothing ever."""
        return self.bindings.get(subject, Binding(0))

    def key(self, subject: int) -> Binding:
        """Return what the view ``keyOf`` says: only the number where the key does not count (any more)."""
        held = self.held(subject)
        controller = self.consents.subject(subject) & ACCOUNT
        return held if controller and int(held.controller, 16) == controller else Binding(held.sequence)

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


class SucceedingKeys(Keys):
    """It stores what its parent does; what counts depends on ``predecessor`` as well."""

    def __init__(self, consents: Consents, predecessor: Keys) -> None:
        super().__init__(consents)
        self.predecessor = predecessor

    def held(self, subject: int) -> Binding:
        here, there = super().held(subject), self.predecessor.key(subject)
        if here.sequence > there.sequence:
            return here
        is_in_time = there.bound_at < self.consents.adopted_at(subject)
        counts = here.sequence < there.sequence and any(there.key_hash) and is_in_time
        return there if counts else Binding(there.sequence)

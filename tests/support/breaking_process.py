"""The consents of one process over ports that break; a second one over the same stores is a restart."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.use_store import MongoUseStore
from backend.bootstrap import World
from backend.consent.evidence import EvidenceBook
from backend.consent.restrictions import RestrictionQueue
from backend.consent.revocations import RevocationService
from backend.consent.service import ConsentService
from backend.outbox.service import Outbox
from backend.outbox.types import Act
from backend.sealed import DocumentSealer
from backend.types import QueuePosition
from tests.support.faults import Crash, Faults

LEASE_IS_OVER = 120


@dataclass(slots=True)
class Laid:
    """Keeps the acts that a driver would take, for the test to drive them in its own thread."""

    handed: list[Act] = field(default_factory=list)

    def hand_over(self, act: Act) -> None:
        self.handed.append(act)


class ConsentProcess:
    """``late``: its clock says that a lease of before is over."""

    def __init__(self, world: World, faults: Faults, *, late: bool) -> None:
        stores, services, wrap = world.stores, world.services, faults.wrap

        def clock() -> int:
            return int(time.time()) + (LEASE_IS_OVER if late else 0)

        self.index = wrap(MongoConsentIndex(stores.database), "consent index")
        self.ledger = wrap(stores.ledger, "ledger")
        self.audit = wrap(services.audit, "audit")
        self.outbox = Outbox(
            store=wrap(MongoActStore(stores.database, stores.keys), "acts"),
            clock=clock,
            holder=secrets.token_hex(8),
        )
        self.driver: Any = Laid()
        self.sealer = DocumentSealer(stores.keys)
        self.restrictions = RestrictionQueue(start=QueuePosition(0))
        self.evidence = EvidenceBook(
            index=MongoConsentIndex(stores.database),
            ledger=stores.ledger,
            sealer=self.sealer,
            restrictions=self.restrictions,
            uses=MongoUseStore(stores.database, stores.keys),
        )
        self.acting: dict[str, Any] = {
            "outbox": self.outbox, "driver": self.driver, "audit": self.audit, "clock": self.now,
        }  # fmt: skip
        shared: dict[str, Any] = {
            **self.acting,
            "index": self.index,
            "evidence": self.evidence,
            "restrictions": self.restrictions,
            "domain": services.domain,
            "ledger": self.ledger,
            "relay": self.ledger,
            "sealer": self.sealer,
        }
        self.consents = ConsentService(
            **shared,
            requests=services.requests,
            notices=services.notices,
            tables=services.tables,
        )
        self.revocations = RevocationService(**shared)

    def now(self) -> int:
        return int(time.time())

    def go_on(self) -> None:
        """What runs behind the acknowledgement."""
        for act in self.driver.handed:
            self.outbox.drive(act)


def break_at_each_call(
    make: Callable[[], tuple[Callable[[Any], object], Callable[[], None]]],
    process: Callable[[Faults, bool], Any],
    unfinished: Callable[[], Sequence[Act]],
) -> int:
    """Break an act before its first call of a port and after the effect of each; return how many it makes.

    What a break before a call leaves is what one after the call before it left, so this is every state that
    a process can die in between two calls. ``make`` gives the act, and what must hold once it was done.
    ``process`` begins one over these faults, late or not. After each break and a restart the act has to be
    complete exactly once.
    """
    number, after = 0, False
    while True:
        run, check = make()
        faults = Faults()
        faults.arm(number, after=after)
        with suppress(Crash):  # it may die while it starts, too
            broken = process(faults, False)
            run(broken)
            broken.go_on()
        reached = len(faults.calls) > number
        point = faults.calls[-1] if reached else "no more"
        restarted = process(Faults(), True)
        if unfinished() and (number + after) % 2:
            restarted.recover()
        else:  # what was never acknowledged is sent again, perhaps before the outbox gets to it
            run(restarted)
            restarted.go_on()
            restarted.recover()
        assert not unfinished(), f"call {number} ({point}) left something undone"
        try:
            check()
        except AssertionError as failure:
            raise AssertionError(f"call {number} ({point}), after={after}") from failure
        if not reached:
            return number
        number, after = (number + 1 if after else 0), True

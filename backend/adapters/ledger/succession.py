"""Has contracts take over from those before them: every subject, whole, and compared (decision 0048).

What is taken over is read by the new contracts from the old ones. Here it is only said what ids there are.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from backend.adapters.ledger.calls import read_together
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.deployment_file import Deployment
from backend.adapters.ledger.errors import (
    LedgerRejected,
    OutcomeUnknown,
    SuccessionHeld,
    SuccessionSpoiled,
)
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.recovery import Recovery
from backend.adapters.ledger.relayer import Relayer
from backend.consent.ledger_types import SubjectEvidence
from backend.types import Address, BlockNumber, ConsentId, SubjectId, subject_text

REGISTRY: Final = "ConsentRegistry"
_SUBJECT_EVENTS: Final = ("SubjectOpened", "SubjectAdopted")
_DOCUMENT_EVENTS: Final = ("ConsentGranted", "DelegationRecorded", "ConsentAdopted")
_IDS_A_CALL: Final = 100
_CALLS_AT_ONCE: Final = 500
_COMPARED_AT_ONCE: Final = 200
_NAMED: Final = 5  # of those at fault, in a message
_FINAL_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.2
_Item = TypeVar("_Item")
Documents = Mapping[SubjectId, Sequence[ConsentId]]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Successors:
    """Contracts that were deployed to take over, and do not count yet (``deploy_successors``)."""

    chain: Chain
    relayer: Relayer
    plan: Deployment

    def take_over(self, progress: Progress = lambda _: None) -> tuple[Deployment, Documents]:
        """Adopt every subject, compare, and return the deployment in which the successors count, with what
        was taken over. Nothing is written: the caller says when they count.

        Raise SuccessionHeld before anything is adopted, SuccessionSpoiled, LedgerRejected, LedgerUnavailable.
        """
        progress("reading the events")
        wanted = documents(self.chain, self.plan, len(self.plan.predecessors) - 1)
        adopted = documents(self.chain, self.plan, len(self.plan.predecessors))
        missing = {subject: ids for subject, ids in wanted.items() if subject not in adopted}
        before = self.plan.predecessors[-1].contracts
        require_none_pending(self.chain, before["Recovery"].address, missing)
        self._adopt(missing, progress)
        wanted = documents(self.chain, self.plan, len(self.plan.predecessors) - 1)
        until = self._compare(wanted, progress)
        *older, last = self.plan.predecessors
        counting = replace(self.plan, complete=True, predecessors=(*older, replace(last, until=int(until))))
        return counting, wanted

    def _adopt(self, missing: Documents, progress: Progress) -> None:
        registry = self._registry
        calls = [
            registry.adopt(subject, some)
            for subject, ids in missing.items()
            for some in (_parts(ids, _IDS_A_CALL) if ids else [()])
        ]
        for number, some in enumerate(_parts(calls, _CALLS_AT_ONCE)):
            progress(f"taking over: {number * _CALLS_AT_ONCE} of {len(calls)} calls")
            for outcome in self.relayer.submit_many(some):
                # Adopted by somebody else meanwhile, which anyone may; whether it is right is compared below.
                if isinstance(outcome, LedgerRejected) and outcome.name != "SubjectAlreadyOpen":
                    raise outcome

    def _compare(self, wanted: Documents, progress: Progress) -> BlockNumber:
        """Return a final block in which both registries say the same of all. Raise SuccessionSpoiled."""
        block = self._await_final()
        before = ConsentRegistry(self.plan.predecessors[-1].contracts[REGISTRY].address, self.chain)
        differing = []
        for number, some in enumerate(_parts(list(wanted.items()), _COMPARED_AT_ONCE)):
            progress(f"comparing: {number * _COMPARED_AT_ONCE} of {len(wanted)} subjects")
            there, here = (self._evidence(registry, some, block) for registry in (before, self._registry))
            differing += [
                subject for subject, one, other in zip(dict(some), there, here, strict=True) if one != other
            ]
        if differing:
            raise SuccessionSpoiled(f"The two differ about {_named(differing)}.")
        return block

    def _await_final(self) -> BlockNumber:
        """Return the newest block once it is final: all that was adopted stands in it."""
        wanted = self.chain.view().head_number
        deadline = time.monotonic() + _FINAL_SECONDS
        while self.chain.view(max_age_seconds=_POLL_SECONDS).final_number < wanted:
            if time.monotonic() > deadline:
                raise OutcomeUnknown("What was taken over is in a block that is not final yet.")
            time.sleep(_POLL_SECONDS)
        return wanted

    def _evidence(
        self,
        registry: ConsentRegistry,
        some: Sequence[tuple[SubjectId, Sequence[ConsentId]]],
        block: BlockNumber,
    ) -> list[SubjectEvidence]:
        asked = [(registry.address, registry.ask_evidence(*each)) for each in some]
        answers = read_together(self.chain, asked, block=block)
        return [registry.read_evidence(answer, ids) for (_, ids), answer in zip(some, answers, strict=True)]

    @property
    def _registry(self) -> ConsentRegistry:
        address = self.plan.address(REGISTRY)
        return ConsentRegistry(address, self.chain, compiled=self.plan.artifact(REGISTRY))


def documents(chain: Chain, deployment: Deployment, generation: int) -> Documents:
    """Return the subjects that are open in a registry, each with every id ever recorded there.

    Raise LedgerUnavailable.
    """
    places = [each for each in deployment.places(REGISTRY) if each.generation == generation]
    scan = EventScan(chain=chain, contracts=places)
    opened: dict[SubjectId, None] = {}
    ids: defaultdict[SubjectId, dict[ConsentId, None]] = defaultdict(dict)
    for event in scan.events(BlockNumber(0), chain.view().head_number):
        if event.name in _SUBJECT_EVENTS:
            opened[SubjectId(_number(event.arguments["subject"]))] = None
        elif event.name in _DOCUMENT_EVENTS:
            name = ConsentId(_bytes(event.arguments["id"]))
            ids[SubjectId(_number(event.arguments["subject"]))][name] = None
    return {subject: tuple(ids[subject]) for subject in opened}


def require_none_pending(chain: Chain, recovery: Address, subjects: Iterable[SubjectId]) -> None:
    """Raise SuccessionHeld where a recovery is pending for one of the subjects; LedgerUnavailable."""
    contract, block = Recovery(recovery, chain), chain.view().head_number
    pending = []
    for some in _parts(list(subjects), _COMPARED_AT_ONCE):
        asked = [(contract.address, contract.ask_pending(subject)) for subject in some]
        answers = read_together(chain, asked, block=block)
        pending += [subject for subject, answer in zip(some, answers, strict=True) if any(answer)]
    if pending:
        raise SuccessionHeld(f"A recovery is pending for {_named(pending)}.")


def _number(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 - the event's own type  # nosec B101
    return value


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)  # noqa: S101 - the event's own type  # nosec B101
    return value


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _named(subjects: Sequence[SubjectId]) -> str:
    shown = ", ".join(map(subject_text, subjects[:_NAMED]))
    return shown if len(subjects) <= _NAMED else f"{shown} and {len(subjects) - _NAMED} more"

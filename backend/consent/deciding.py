"""Decides about segments of one patient's data with fresh evidence, and guards what follows the decision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from backend.consent.decision import decide_many
from backend.consent.decision_types import Answer, Decision, DecisionInput, Reason, Requester, Segment
from backend.consent.evidence import EvidenceBook
from backend.consent.ledger_types import UNOPENED
from backend.consent.restrictions import RestrictionQueue
from backend.consent.uses import UsesExhausted, UseStore
from backend.types import ConsentId, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class Question:
    """Who wants to do what, for which purpose. ``purpose`` and ``action`` are masks of one bit.

    ``only``: the consents on one of which permission has to rest, for a caller whose token is bound to them.
    """

    subject: SubjectId
    requester: Requester
    purpose: int
    action: int
    fulfils: int = 0  # obligations the caller can carry out
    only: frozenset[ConsentId] | None = None


class DecisionService:
    """The only way from a question to a decision.

    ``tables``: digest, in hex, of the code and label tables in force; every decision names it.
    """

    def __init__(
        self,
        *,
        evidence: EvidenceBook,
        uses: UseStore,
        restrictions: RestrictionQueue,
        tables: str,
        clock: Callable[[], int],
    ) -> None:
        self._evidence = evidence
        self._uses = uses
        self._restrictions = restrictions
        self._tables = tables
        self._clock = clock

    def decide(
        self, question: Question, segments: Sequence[Segment], *, held: Collection[ConsentId] = ()
    ) -> tuple[Decision, ...]:
        """Return a decision for each segment, all on the same evidence.

        ``held``: consents whose use was taken for this very act, which goes on: their limits do not end it.
        Raises LedgerUnavailable and IndexUnavailable when it cannot be found out: never a refusal then.
        """
        decisions = decide_many(self.gather(question, segments[0], held=held), segments)
        if question.only is None:
            return decisions
        return tuple(resting_on(question.only, decision) for decision in decisions)

    def gather(
        self, question: Question, segment: Segment, *, held: Collection[ConsentId] = ()
    ) -> DecisionInput:
        """Return everything that a decision about this segment rests on now. Raises as ``decide``."""
        gathered = self._evidence.gather(question.subject, question.requester.members, held=held)
        gone = gathered.pending.erasing  # as if nobody had ever opened the subject
        return DecisionInput(
            subject=question.subject,
            requester=question.requester,
            purpose=question.purpose,
            action=question.action,
            segment=segment,
            now=UnixSeconds(self._clock()),
            view=gathered.view,
            final=UNOPENED if gone else gathered.final,
            head=UNOPENED if gone else gathered.head,
            evidence=() if gone else gathered.evidence,
            queue_position=gathered.pending.position,
            members_final=gathered.members_final,
            members_head=gathered.members_head,
            suspended=gathered.pending.suspended,
            fulfils=question.fulfils,
            ended_epoch=gathered.pending.ended_epoch,
            tables=self._tables,
        )

    def take_uses(self, subject: SubjectId, consents: Collection[ConsentId]) -> None:
        """Take one use of each of these consents whose uses are limited.

        Called before the audit append: a use that is taken and then not made errs on the narrow side. Raises
        UsesExhausted when somebody else took the last one after the decision.
        """
        now = UnixSeconds(self._clock())
        for consent, limit in sorted(self._evidence.limits(subject).items()):
            if consent in consents and not self._uses.take(consent, limit, now=now):
                raise UsesExhausted

    def guard(self, decision: Decision | DecisionInput, subject: SubjectId) -> Callable[[], None]:
        """Return the guard for the audit append: RestrictionArrived when the decision is overtaken."""

        def check() -> None:
            self._restrictions.guard(subject, decision.queue_position)

        return check


def resting_on(consents: frozenset[ConsentId], decision: Decision) -> Decision:
    """Return the decision, without permission when that rests on none of these consents."""
    if decision.answer is not Answer.PERMIT or not consents.isdisjoint(decision.consent_ids):
        return decision
    return replace(
        decision, answer=Answer.NO_CONSENT, reasons=(Reason.NO_PERMIT,), consent_ids=(), obligations=0
    )

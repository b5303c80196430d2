"""The pure decision in one process: its pace, and what a thousand consents of one patient cost.

Measured is ``decide_many`` for one segment, over the evidence set that the service keeps for a patient until
a block, the queue or a use changes it; indexing that set is measured beside. In the set of ten every consent
names the requester and its five rules are weighed. Of the thousand ten do: most are for others.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backend.consent.decision import decide_many
from backend.consent.decision_types import Answer, DecisionInput, Evidence
from backend.consent.evidence_set import EvidenceSet
from backend.consent.terms import Kind, Rule
from bench.results import Result, ratio_at_most, shown
from scripts.vectors import world as w

RULES: Final = 5
TOUCHED: Final = 10
MANY: Final = 1_000
GOAL_PER_SECOND: Final = 10_000
GOAL_RATIO: Final = 3
ROUNDS: Final = 15
DECISIONS: Final = 400


def measure() -> list[Result]:
    """Medians over ``ROUNDS`` of processor time, so that what else the machine does counts less."""
    few = question([consent(number) for number in range(TOUCHED)])
    others = [consent(number, w.salt(f"member {number}")) for number in range(TOUCHED, MANY)]
    many = question([*few.evidence, *others])
    seconds_few, seconds_many = _seconds_each(few), _seconds_each(many)
    pace = 1 / seconds_few
    goal = f">= {GOAL_PER_SECOND:,} 1/s"
    name = f"pure decision, {TOUCHED} consents with {RULES} rules each"
    return [
        Result(name, round(pace), "1/s", goal=goal, met=pace >= GOAL_PER_SECOND),
        ratio_at_most(
            f"pure decision, {MANY:,} consents of one patient, {TOUCHED} of them for the requester",
            seconds_many * 1e6,
            "us",
            reference=seconds_few * 1e6,
            limit=GOAL_RATIO,
        ),
        shown(f"evidence of {MANY:,} consents indexed, once a block", _indexing(many) * 1e3, "ms"),
    ]


def consent(number: int, grantee: bytes = w.CLINIC) -> Evidence:
    """Return a permit whose rules all apply to the question, or but for one dimension."""
    laboratory, treatment = w.categories("laboratory"), w.purposes("TREAT")
    rules = (
        Rule(permit=True, actions=w.actions("access", "use")),
        Rule(permit=False, categories=w.categories("medications")),
        Rule(permit=True, purposes=treatment, grantees=(w.DOCTOR,)),
        Rule(permit=False, categories=laboratory, references=(w.salt("another record"),)),
        Rule(permit=True, categories=laboratory, purposes=treatment, data_to=w.NOW),
    )
    return w.final(w.grant(Kind.PERMIT, *rules, grantee=grantee, label=f"bench {number}"))


def question(consents: list[Evidence]) -> DecisionInput:
    """Return a question that is permitted."""
    asked = w.ask(*consents)
    return replace(asked, evidence=EvidenceSet(asked.evidence))


def _seconds_each(request: DecisionInput) -> float:
    segments = (request.segment,)

    def several() -> None:
        for _ in range(DECISIONS):
            (decision,) = decide_many(request, segments)
            if decision.answer is not Answer.PERMIT:
                raise RuntimeError("the decision that is measured came out otherwise")

    several()
    return _median(several) / DECISIONS


def _indexing(request: DecisionInput) -> float:
    def once() -> None:
        decide_many(replace(request, evidence=EvidenceSet(tuple(request.evidence))), (request.segment,))

    return _median(once)


def _median(work: Callable[[], None]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)

"""The judge of the long run: each wrong answer is told from the right ones, also where acts cross reads."""

from __future__ import annotations

import pytest

from bench.enduring_model import Answer, Document, Permit, Promised, Verdict, judge
from bench.enduring_stage import schedule

CONTENT = b"letter"


def live() -> Permit:
    return Permit("one", sent=10, acknowledged=12, counted=15)


def ended() -> Permit:
    return Permit("one", sent=10, acknowledged=12, counted=15, stop_sent=20, stopped=22)


def on_its_way() -> Permit:
    return Permit("one", sent=10, acknowledged=12)


@pytest.mark.parametrize(
    ("permits", "began", "after", "status", "verdict"),
    [
        ([], 1, 2, 200, Verdict.WRONG_PERMIT),
        ([], 1, 2, 403, Verdict.DENIED),
        ([live()], 8, 9, 200, Verdict.WRONG_PERMIT),
        ([live()], 9, 11, 200, Verdict.PERMITTED),
        ([live()], 16, 17, 200, Verdict.PERMITTED),
        ([live()], 16, 17, 403, Verdict.WRONG_DENY),
        ([live()], 14, 17, 403, Verdict.DENIED),
        ([on_its_way()], 13, 14, 403, Verdict.DENIED),
        ([ended()], 18, 19, 403, Verdict.WRONG_DENY),
        ([ended()], 19, 21, 403, Verdict.DENIED),
        ([ended()], 21, 30, 200, Verdict.PERMITTED),
        ([ended()], 22.1, 30, 200, Verdict.WRONG_PERMIT),
        ([ended()], 22.1, 30, 403, Verdict.DENIED),
        ([ended(), Permit("two", sent=25)], 22.1, 30, 200, Verdict.PERMITTED),
        ([ended(), Permit("two", sent=31)], 22.1, 30, 200, Verdict.WRONG_PERMIT),
        ([live()], 16, 17, 503, Verdict.AWAY),
        ([live()], 16, 17, None, Verdict.AWAY),
        ([live()], 16, 17, 404, Verdict.ODD),
        ([live()], 16, 17, 500, Verdict.ODD),
    ],
)
def test_answer_is_judged_by_what_was_acknowledged_when_it_was_asked(
    permits: list[Permit], began: float, after: float, status: int | None, verdict: Verdict
) -> None:
    assert judge(permits, Answer(began, after, status, CONTENT), content=CONTENT) is verdict


def test_other_bytes_are_no_right_answer() -> None:
    assert judge([live()], Answer(16, 17, 200, b"lettre"), content=CONTENT) is Verdict.ALTERED


def test_permit_counts_from_the_first_read_that_rests_on_it() -> None:
    promised, document = Promised(), Document(1, 32)
    permit = promised.permit("clinic", "one", 10)
    assert promised.take("clinic", Answer(11, 13, 200, document.content), document) is Verdict.PERMITTED
    assert permit.counted is None  # it was asked before the permit was acknowledged: it may be another's
    permit.acknowledged = 12
    assert promised.take("clinic", Answer(13, 14, 200, document.content), document) is Verdict.PERMITTED
    assert permit.counted == 14
    assert promised.take("other", Answer(13, 14, 200, document.content), document) is Verdict.WRONG_PERMIT
    assert promised.reads == 2


def test_service_is_killed_first_and_last_and_every_other_fault_comes_twice_in_24_minutes() -> None:
    faults = [fault.name for fault in schedule(24, kubo=True)]
    assert len(faults) == 24
    assert [number for number, name in enumerate(faults) if name == "service killed"] == [0, 23]
    assert {faults.count(name) for name in set(faults)} == {2}
    assert not any("Kubo" in fault.name for fault in schedule(24, kubo=False))

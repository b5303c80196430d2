"""Results go when their time is over, answers when no run can come, each once and with an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from backend.audit import codes
from backend.erasure.results import DAY_SECONDS, Removal, ResultRetention, What
from backend.research.errors import StudyNotFound
from backend.research.types import StudyId
from backend.types import UnixSeconds
from tests.support.faults import Crash, Faults

STUDY, LATER, LOST = (StudyId(bytes([number]) * 32) for number in (1, 2, 3))
END = 1_790_000_000
DAYS = 30


@dataclass
class Kept:
    things: dict[tuple[StudyId, What], dict[str, int]]

    def studies(self) -> Sequence[StudyId]:
        return sorted({study for study, _ in self.things})

    def count(self, study: StudyId, what: What) -> Mapping[str, int]:
        return self.things.get((study, what), {})

    def remove(self, study: StudyId, what: What, *, at: UnixSeconds) -> None:
        self.things.pop((study, what), None)


@dataclass
class Rows:
    known: dict[tuple[StudyId, What], Removal] = field(default_factory=dict)

    def insert(self, removal: Removal) -> None:
        self.known.setdefault((removal.study, removal.what), removal)

    def of_study(self, study: StudyId) -> Sequence[Removal]:
        return [removal for (name, _), removal in self.known.items() if name == study]


@dataclass
class Log:
    entries: dict[bytes, Any] = field(default_factory=dict)

    def append(self, event: Any, *, act: bytes) -> Any:
        self.entries.setdefault(act, event)
        return SimpleNamespace(index=list(self.entries).index(act))


@dataclass
class Scene:
    now: int = END - 1
    kept: Kept = field(
        default_factory=lambda: Kept(
            {
                (STUDY, What.ANSWERS): {"answers": 3, "exact_figures": 1},
                (STUDY, What.RESULTS): {"results": 2},
                (LATER, What.RESULTS): {"results": 1},
                (LOST, What.RESULTS): {"results": 1},
            }
        )
    )
    rows: Rows = field(default_factory=Rows)
    log: Log = field(default_factory=Log)
    faults: Faults = field(default_factory=Faults)

    def run(self) -> int:
        return ResultRetention(
            kept=self.faults.wrap(self.kept, "kept"),
            rows=self.faults.wrap(self.rows, "rows"),
            study_of=self._study,
            days=DAYS,
            audit=self.faults.wrap(self.log, "audit"),
            clock=lambda: self.now,
        ).run()

    def _study(self, name: StudyId) -> Any:
        if name == LOST:
            raise StudyNotFound
        end = END if name == STUDY else END + 10**8
        return SimpleNamespace(proposal=SimpleNamespace(not_after=end))


def test_nothing_goes_before_its_time_and_answers_go_before_results() -> None:
    scene = Scene()
    before = dict(scene.kept.things)
    assert scene.run() == 0
    assert scene.kept.things == before
    scene.now = END
    assert (scene.run(), scene.run()) == (1, 0)
    assert (STUDY, What.ANSWERS) not in scene.kept.things
    scene.now = END + DAYS * DAY_SECONDS - 1
    assert scene.run() == 0
    scene.now += 1
    assert (scene.run(), scene.run()) == (1, 0)
    # Of a study that goes on, or that cannot be read, nothing is touched.
    assert set(scene.kept.things) == {(LATER, What.RESULTS), (LOST, What.RESULTS)}
    first, second = scene.rows.of_study(STUDY)
    assert (first.what, first.rule, first.due) == (What.ANSWERS, "study-answers", END)
    assert (second.what, second.rule, second.counts) == (
        What.RESULTS,
        f"study-results-{DAYS}",
        {"results": 2},
    )
    assert [event.type for event in scene.log.entries.values()] == [codes.STUDY_RESULTS_REMOVED] * 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_removal_broken_at_each_call_is_complete_with_one_entry_and_the_first_counts(after: bool) -> None:
    number, reached = 0, True
    while reached:
        scene = Scene(now=END + DAYS * DAY_SECONDS)
        scene.faults.arm(number, after=after)
        with suppress(Crash):
            scene.run()
        reached = len(scene.faults.calls) > number
        scene.faults.arm(None)
        scene.run()
        assert not scene.kept.count(STUDY, What.ANSWERS)
        assert not scene.kept.count(STUDY, What.RESULTS)
        assert len(scene.log.entries) == 2
        assert [removal.counts for removal in scene.rows.of_study(STUDY)] == [
            {"answers": 3, "exact_figures": 1},
            {"results": 2},
        ]
        number += 1
    assert number > 8

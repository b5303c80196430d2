"""The counts of each period are drawn once, whoever asks, whatever crashed, however many processes run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.audit.entry import Agent, AgentKind, AuditEvent
from backend.consent.tables import load_tables
from backend.research.candidates import Use
from backend.research.catalogue.drawing import CatalogueDrawer, CataloguePolicy
from backend.research.catalogue.draws import RETRY_SECONDS, CatalogueDraws
from backend.research.catalogue.offers import load_catalogue
from backend.research.catalogue.turns import LEASE_SECONDS, Turn
from backend.research.errors import BudgetExceeded, CatalogueDisabled
from backend.research.types import Candidate
from backend.types import MemberId
from tests.support.memory_drawings import MemoryDrawings

MONTH = 30 * 86_400
OPERATOR = Agent(AgentKind.STAFF, "operator")
CATALOGUE = load_catalogue(None, load_tables())
People = Callable[..., Candidate]


@dataclass
class MemoryTurns:
    known: dict[int, Turn] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, turn: Turn) -> Turn:
        with self.lock:
            return self.known.setdefault(turn.period, turn)

    def find(self, ledger: str, period: int) -> Turn | None:
        return self.known.get(period)

    def replace(self, turn: Turn) -> bool:
        with self.lock:
            if self.known[turn.period].revision != turn.revision - 1:
                return False
            self.known[turn.period] = turn
            return True

    def open(self, ledger: str) -> list[Turn]:
        return [turn for _, turn in sorted(self.known.items()) if not turn.done]


@dataclass
class Log:
    entries: dict[bytes, AuditEvent] = field(default_factory=dict)
    crash: type[BaseException] | None = None

    def append(self, event: AuditEvent, *, act: bytes) -> None:
        if self.crash is not None:
            raise self.crash
        self.entries.setdefault(act, event)


@dataclass
class Scene:
    world: Any
    people: list[Candidate]
    turns: MemoryTurns = field(default_factory=MemoryTurns)
    drawings: MemoryDrawings = field(default_factory=MemoryDrawings)
    log: Log = field(default_factory=Log)
    policy: CataloguePolicy = field(default_factory=lambda: CataloguePolicy(500_000, MONTH))
    failing: list[bool] = field(default_factory=list)
    asked: int = 0

    def process(self, *, alone: bool = False) -> CatalogueDraws:
        def clock() -> int:
            return int(self.world.now[0])

        drawer = CatalogueDrawer(
            catalogue=CATALOGUE,
            store=self.drawings,
            budget=self.world.budget,
            draws=self.world.draws,
            policy=self.policy,
            clock=clock,
        )
        return CatalogueDraws(
            drawer=drawer,
            turns=self.turns,
            candidates=self,
            tenant=MemberId(b"h" * 32),
            audit=self.log,  # type: ignore[arg-type]
            clock=clock,
            alone=alone,
            publish=self.failing.append,
        )

    def permitting(self, use: Use) -> Iterator[Candidate]:
        self.asked += 1
        names = frozenset(variable.name for variable in use.variables)
        yield from (replace(person, allowed=person.allowed & names) for person in self.people)

    def first(self) -> None:
        """As after an operator's first draw."""
        process = self.process()
        process.ask(by=OPERATOR)
        process.look()
        assert len(self.drawings.kept) == 1

    @property
    def charges(self) -> int:
        return len(self.world.budget_store.entries)


@pytest.fixture
def scene(world: Any, candidate_with: People) -> Scene:
    return Scene(world, [candidate_with(number) for number in range(1, 31)])


def test_nothing_is_drawn_or_charged_before_an_operator_asked(scene: Scene) -> None:
    scene.process().look()
    scene.world.now[0] += MONTH
    scene.process().look()
    assert not scene.drawings.kept
    assert not scene.turns.known
    assert scene.charges == 0


def test_each_later_period_is_drawn_by_itself_once_and_charged_once(scene: Scene) -> None:
    scene.first()
    for period in range(2, 5):
        scene.world.now[0] += MONTH
        for _ in range(3):
            scene.process().look()
        assert len(scene.drawings.kept) == scene.charges == len(scene.log.entries) == period
    assert [entry.actor for entry in scene.log.entries.values()] == [
        OPERATOR,
        *[Agent.service("catalogue")] * 3,
    ]
    assert scene.asked == 4  # nobody's records are looked at twice


def test_drawn_period_is_not_drawn_again_when_asked(scene: Scene) -> None:
    scene.first()
    process = scene.process()
    process.ask(by=OPERATOR)
    process.look()
    assert (scene.asked, scene.charges, len(scene.turns.known)) == (1, 1, 1)


@pytest.mark.parametrize("where", ["drawings", "log"])
def test_crash_is_taken_up_when_the_lease_is_over_or_at_a_start_alone(
    scene: Scene, crash: type[BaseException], where: str
) -> None:
    scene.first()
    scene.world.now[0] += MONTH
    broken = getattr(scene, where)
    broken.crash = crash
    with pytest.raises(crash):
        scene.process().look()
    scene.process().look()  # held by the one that is gone
    assert len(scene.log.entries) == 1
    with pytest.raises(crash):
        scene.process(alone=True).look()
    broken.crash = None
    scene.world.now[0] += LEASE_SECONDS + 1
    scene.process().look()
    assert len(scene.drawings.kept) == scene.charges == len(scene.log.entries) == 2
    assert not scene.turns.open("x")


def test_period_that_ended_under_a_crash_is_let_go_and_the_next_is_drawn(
    scene: Scene, crash: type[BaseException]
) -> None:
    scene.first()
    scene.world.now[0] += MONTH
    scene.drawings.crash = crash
    with pytest.raises(crash):
        scene.process().look()
    scene.drawings.crash = None
    scene.world.now[0] += MONTH
    scene.process().look()
    assert len(scene.drawings.kept) == 2
    assert scene.charges == 3  # that of the lost period is not given back
    assert not scene.turns.open("x")


def test_budget_that_is_used_up_is_told_and_tried_again_each_hour(scene: Scene) -> None:
    scene.first()
    enough = scene.world.policy
    scene.world.policy = replace(enough, epsilon=500_001)
    scene.world.now[0] += MONTH
    scene.process().look()
    turn = scene.process().turn()
    assert turn is not None
    assert turn.code == BudgetExceeded.code
    assert scene.failing[-2:] == [False, True]
    scene.world.policy = enough
    scene.process().look()
    assert scene.failing[-1]
    scene.world.now[0] += RETRY_SECONDS
    scene.process().look()
    assert not scene.failing[-1]
    assert len(scene.drawings.kept) == scene.charges == 2


def test_operator_need_not_wait_for_the_next_try(scene: Scene) -> None:
    scene.first()
    enough = scene.world.policy
    scene.world.policy = replace(enough, epsilon=500_001)
    scene.world.now[0] += MONTH
    scene.process().look()
    scene.world.policy = enough
    process = scene.process()
    process.ask(by=OPERATOR)
    process.look()
    assert len(scene.drawings.kept) == 2


def test_other_offers_in_another_process_cost_no_second_charge(
    scene: Scene, crash: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.first()
    scene.world.now[0] += MONTH
    scene.drawings.crash = crash
    with pytest.raises(crash):
        scene.process().look()
    scene.drawings.crash = None
    fewer = replace(CATALOGUE, offers=CATALOGUE.offers[:3])
    monkeypatch.setattr(f"{__name__}.CATALOGUE", fewer)
    scene.process(alone=True).look()
    assert (len(scene.drawings.kept), scene.charges) == (2, 2)


def test_custodian_that_spends_nothing_on_counts_draws_none(scene: Scene) -> None:
    scene.first()
    scene.world.now[0] += MONTH
    scene.policy = replace(scene.policy, epsilon=0)
    process = scene.process()
    process.look()
    with pytest.raises(CatalogueDisabled):
        process.ask(by=OPERATOR)
    assert scene.charges == 1


def test_worker_that_is_closed_gives_its_turn_back_for_the_next_start(scene: Scene) -> None:
    scene.first()
    scene.world.now[0] += MONTH
    process = scene.process()
    reached, go_on = threading.Event(), threading.Event()

    def slow() -> Any:
        reached.set()
        assert go_on.wait(timeout=60)
        return iter(())

    people = scene.people
    scene.people = [replace(people[0], resources=slow), *people[1:]]
    process.start()
    assert reached.wait(timeout=60)
    closing = threading.Thread(target=process.close)
    closing.start()
    while not process._ending.is_set():
        pass
    go_on.set()
    closing.join(timeout=60)
    assert not closing.is_alive()
    assert len(scene.drawings.kept) == 1
    scene.people = people
    scene.process().look()
    assert len(scene.drawings.kept) == scene.charges == 2

"""Playing a sequence of acts on the models and on the chain, comparing all of it, and making a failure
small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from backend.adapters.ledger.abi import artifact
from tests.differential.acts import Act, Desk
from tests.differential.chain import CONTRACTS, Answer, Call, Chain, error_name
from tests.differential.documents import NOBODY, ZERO
from tests.differential.outcome import Event, Refused
from tests.differential.views import Seen, View
from tests.differential.world import World

Views = Callable[[World, Seen], Iterable[View]]


@dataclass
class Coverage:
    """What was seen: acts that succeeded by their way in, and errors, alone or among several broken rules."""

    acts: int = 0
    views: int = 0
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    exact: Counter[str] = field(default_factory=Counter)

    def note(self, act: Act, way: str, errors: frozenset[str], seen: str) -> None:
        self.acts += 1
        if seen:
            self.refused[seen] += 1
            self.exact[seen] += errors == {seen}
        else:
            self.done[act.name, way] += 1

    def note_rejected(self, errors: frozenset[str], seen: str) -> None:
        """An item that a batch left out."""
        self.refused[seen] += 1
        self.exact[seen] += errors == {seen}

    def succeeded(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for (name, _way), times in self.done.items():
            total[name] += times
        return total


@dataclass(frozen=True)
class Mismatch:
    """At ``position`` the chain did something else than the model."""

    position: int
    words: str


@dataclass(frozen=True)
class Expectation:
    act: Act
    events: list[Event]
    errors: frozenset[str]
    views: list[View]


def play(
    chain: Chain, world: World, acts: Sequence[Act], views: Views, coverage: Coverage | None = None
) -> Mismatch | None:
    """Play on both; return the first difference."""
    expected = list(on_model(world, acts, views))
    return compare(chain, expected, on_chain(chain, expected), coverage)


def compare(
    chain: Chain,
    expected: Sequence[Expectation],
    answers: Sequence[Sequence[Answer]],
    coverage: Coverage | None = None,
) -> Mismatch | None:
    """Return the first act after which the chain did not answer as expected."""
    desk = Desk(chain)
    for position, (expectation, given) in enumerate(zip(expected, answers, strict=True)):
        found = _difference(chain, expectation, given, coverage)
        if found:
            return Mismatch(position, found)
        if coverage is not None:
            seen = "" if given[0].succeeded else error_name(given[0].data)
            coverage.note(expectation.act, expectation.act.way(desk), expectation.errors, seen)
            coverage.views += len(expectation.views)
    return None


def on_model(world: World, acts: Sequence[Act], views: Views) -> Iterator[Expectation]:
    seen = Seen()
    for act in acts:
        world.clock.now = act.time
        seen.note(act)
        try:
            events, errors = act.apply(world), frozenset[str]()
        except Refused as refused:
            events, errors = [], refused.errors
        yield Expectation(act, events, errors, list(views(world, seen)))


def on_chain(chain: Chain, expected: Sequence[Expectation]) -> list[list[Answer]]:
    """Each act with its views; acts of one second share a block."""
    desk = Desk(chain)
    blocks: list[tuple[int, list[Call]]] = []
    for each in expected:
        calls = [each.act.call(desk)]
        calls += view_calls(chain, each.views)
        if blocks and blocks[-1][0] == each.act.time:
            blocks[-1][1].extend(calls)
        else:
            blocks.append((each.act.time, calls))
    flat = (answer for block in chain.simulate(blocks) for answer in block)
    return [[next(flat) for _ in range(1 + len(each.views))] for each in expected]


def view_calls(chain: Chain, views: Sequence[View]) -> list[Call]:
    return [Call(NOBODY, chain.addresses[view.contract], view.data) for view in views]


def written_difference(
    chain: Chain, expected: Expectation, answer: Answer, coverage: Coverage | None = None
) -> str:
    """Say how the events of an act that succeeded differ."""
    return _event_difference(expected.events, _events(chain, answer), coverage)


def _difference(
    chain: Chain, expected: Expectation, given: Sequence[Answer], coverage: Coverage | None
) -> str:
    done = given[0]
    if done.succeeded and expected.errors:
        return f"the chain did it; it breaks {sorted(expected.errors)}"
    if not done.succeeded:
        seen = error_name(done.data)
        if seen not in expected.errors:
            return f"the chain refused with {seen}; the model: {sorted(expected.errors) or 'done'}"
    elif found := written_difference(chain, expected, done, coverage):
        return found
    for view, answer in zip(expected.views, given[1:], strict=True):
        if not view.is_answered(answer):
            wanted = view.expected if isinstance(view.expected, str) else _in_words(view.expected)
            return f"{view.contract}.{view.label} is\n  {_in_words(answer.data)}, the model:\n  {wanted}"
    return ""


def _in_words(data: bytes) -> str:
    return " ".join(data[at : at + 32].hex().lstrip("0") or "0" for at in range(0, len(data), 32))


def _events(chain: Chain, answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    contracts = {chain.addresses[name]: artifact(name) for name in CONTRACTS}
    found = []
    for log in answer.logs:
        compiled = contracts.get(log["address"].lower())
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        if compiled and topics and topics[0] in compiled.events:
            event = compiled.events[topics[0]]
            found.append((event.name, event.decode(topics, bytes.fromhex(log["data"][2:]))))
    return found


def _event_difference(
    expected: Sequence[Event], given: list[tuple[str, dict[str, Any]]], coverage: Coverage | None
) -> str:
    left = list(given)
    for event in expected:
        match = next((each for each in left if _is_event(event, *each)), None)
        if match is None:
            return f"events: no {event} among {given}"
        left.remove(match)
        if coverage and isinstance(errors := event.fields.get("reason"), frozenset):
            coverage.note_rejected(errors, error_name(match[1]["reason"]))
    return f"events: {left} were not expected" if left else ""


def _is_event(expected: Event, name: str, found: dict[str, Any]) -> bool:
    if name != expected.name:
        return False
    for field_name, value in expected.fields.items():
        if isinstance(value, frozenset):
            if error_name(found[field_name]) not in value:
                return False
        elif found[field_name] != value:
            return False
    return True


def as_code(value: Any) -> str:
    """Return a Python expression for an act, short enough to read."""
    if isinstance(value, bytes):
        return f"h('{value.hex()}')" if value != ZERO else "ZERO"
    if isinstance(value, tuple):
        return f"({', '.join(map(as_code, value))}{',' if len(value) == 1 else ''})"
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    given = [(part.name, getattr(value, part.name), part.default) for part in fields(value)]
    named = (f"{name}={as_code(found)}" for name, found, default in given if found != default)
    return f"{type(value).__name__}({', '.join(named)})"


def shrink(acts: Sequence[Act], fails: Callable[[Sequence[Act]], Mismatch | None]) -> list[Act]:
    """Return as few of the acts as still fail: cut after the first failure, then leave out what is not
    needed."""
    found = fails(acts)
    assert found is not None
    kept = list(acts[: found.position + 1])
    size = max(1, len(kept) // 2)
    while True:
        at = 0
        while at < len(kept):
            shorter = kept[:at] + kept[at + size :]
            again = fails(shorter) if shorter else None
            if again:
                kept = shorter[: again.position + 1]
            else:
                at += size
        if size == 1:
            return kept
        size //= 2

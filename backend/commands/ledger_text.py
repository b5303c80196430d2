"""Answers of ``assent ledger`` for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from backend.consent.ledger_types import TimedEvent
from backend.explorer.sentences import says
from backend.explorer.show import Shown
from backend.explorer.verify import VerifyReport
from backend.explorer.wording import arguments_json, contract_title, iso
from backend.types import to_hex

_LABEL: Final = 26
_ID_BYTES: Final = {"subject": 12, "account": 20}  # others have 32
_CONTRACT: Final = 20
_EVENT: Final = 24


def event_json(timed: TimedEvent) -> dict[str, Any]:
    event = timed.event
    return {
        "block": event.block_number,
        "block_hash": to_hex(event.block_hash),
        "time": iso(timed.time),
        "contract": event.contract,
        "generation": event.generation,
        "event": event.name,
        "transaction": to_hex(event.transaction_hash),
        "log_index": event.log_index,
        "arguments": arguments_json(event.arguments),
        "text": says(timed),
    }


def print_heading(console: Console) -> None:
    _line(console, f"{'block':>9}  {'time':<20}  {'contract':<{_CONTRACT}} {'event':<{_EVENT}} what happened")


def print_event(timed: TimedEvent, console: Console, *, newest: int = 0) -> None:
    """``newest``: the last generation of the contracts that were succeeded."""
    event = timed.event
    title = contract_title(event.contract, event.generation, newest)
    when = f"{event.block_number:>9}  {iso(timed.time):<20}"
    _line(console, f"{when}  {title:<{_CONTRACT}} {event.name:<{_EVENT}} {says(timed)}")


def shown_json(found: Shown, *, newest: int) -> dict[str, Any]:
    return {
        "id": to_hex(found.word),
        "block": found.block.number,
        "block_hash": to_hex(found.block.hash),
        "block_time": iso(found.block.timestamp),
        "as_of": iso(found.as_of),
        "things": [{"kind": each.kind, "state": each.state, **each.facts} for each in found.things],
        "storage": {"words": found.words, "agrees": found.agrees},
        "events_found": len(found.events),
        "events": [event_json(each) for each in _newest(found.events, newest)],
    }


def print_shown(found: Shown, console: Console, *, newest: int) -> None:
    for thing in found.things:
        _line(console, f"{thing.kind} {to_hex(found.word[-_ID_BYTES.get(thing.kind, 32) :])}")
        _fact(console, "state", thing.state)
        for name, value in thing.facts.items():
            _fact(console, name, value)
        console.print()
    if not found.things:
        _line(console, f"{to_hex(found.word)} is no id of its own, but a value of the events below.")
        console.print()
    block = f"{found.block.number} of {iso(found.block.timestamp)}"
    _fact(console, "as of", f"{iso(found.as_of)}, block {block}")
    _fact(console, "storage", _agreement(found))
    console.print()
    shown = _newest(found.events, newest)
    number = "event" if len(found.events) == 1 else "events"
    left_out = (
        "" if len(shown) == len(found.events) else f", the newest {len(shown)} of them (--events 0 for all)"
    )
    _line(console, f"{len(found.events)} {number}{left_out}")
    for timed in shown:
        event = timed.event
        title = contract_title(event.contract, event.generation, found.newest_generation)
        _line(
            console,
            f"  block {event.block_number}  {iso(timed.time)}  {title}.{event.name}  "
            f"transaction {to_hex(event.transaction_hash)}",
        )
        _line(console, f"    {says(timed)}")


def verified_json(report: VerifyReport) -> dict[str, Any]:
    return {
        "chain_id": report.chain_id,
        "first_block": report.first_block,
        "block": report.block,
        "block_hash": to_hex(report.block_hash),
        "block_time": iso(report.time),
        "equal": report.holds,
        "complete": report.complete,
        "contracts": [
            {
                "contract": each.name,
                "generation": each.generation,
                "address": each.address,
                "events": each.events,
                "words": each.words,
                "complete": each.complete,
            }
            for each in report.contracts
        ],
        "differences": [
            {"contract": each.contract, "where": each.where, "chain": each.chain, "expected": each.expected}
            for each in report.differences
        ],
        "not_in_events": list(report.not_in_events),
    }


def print_verified(report: VerifyReport, console: Console) -> None:
    blocks = f"blocks {report.first_block} to {report.block}"
    _line(console, f"chain {report.chain_id}, {blocks} ({iso(report.time)}, {to_hex(report.block_hash)})")
    console.print()
    width = max((_CONTRACT, *(len(each.name) for each in report.contracts)))
    _line(console, f"{'contract':<{width}} {'events':>9} {'words':>9}  nothing else stored")
    for each in report.contracts:
        complete = "yes" if each.complete else "not shown"
        _line(console, f"{each.name:<{width}} {each.events:>9} {each.words:>9}  {complete}")
    console.print()
    for line in report.not_in_events:
        _line(console, f"note: {line}")
    if not report.complete:
        _line(
            console,
            "note: 'not shown' means that the node told no storage root that can be compared, so that a word "
            "no event explains would not have been seen. Every word that the events make was compared.",
        )
    for difference in report.differences:
        _line(
            console,
            f"DIFFERS {difference.contract} {difference.where}: the chain has {difference.chain}, expected "
            f"{difference.expected}",
        )
    number = len(report.differences)
    verdict = "EQUAL: storage, code and constants are what the events and this program's artifacts say."
    _line(console, verdict if report.holds else f"{number} {'difference' if number == 1 else 'differences'}.")


def _agreement(found: Shown) -> str:
    if not found.words:
        return "no word belongs to this id alone"
    words = "1 word" if found.words == 1 else f"{found.words} words"
    if found.agrees is None:
        return f"not asked: the node no longer keeps the state of this block ({words} of the events' telling)"
    return (
        f"{words}, as the events say"
        if found.agrees
        else f"{words}, NOT as the events say: see assent ledger verify"
    )


def _newest(events: Sequence[TimedEvent], number: int) -> Sequence[TimedEvent]:
    return events[-number:] if number else events


def _fact(console: Console, name: str, value: Any) -> None:
    values = value if isinstance(value, list) else [value]
    for position, item in enumerate(values):
        _line(console, f"  {name if not position else '':<{_LABEL}} {item}")


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)

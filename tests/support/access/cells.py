"""From the matrix to calls with an expected outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.adapters.ledger.abi import artifact
from backend.consent.typed_data import Signable
from tests.support.access import (  # noqa: F401 - they register their attempts
    consent_attempts,
    market_attempts,
    membership_attempts,
    recovery_attempts,
    register_attempts,
)
from tests.support.access.attempt import ATTEMPTS
from tests.support.access.columns import EVERYBODY
from tests.support.access.matrix import MATRIX, Way, function_of
from tests.support.access.node import Message, refusal_of, worded
from tests.support.access.world import AccessWorld

NO_EFFECT = "nothing happened"


@dataclass(frozen=True)
class Cell:
    """``expected``: the error, None where the column may."""

    column: str
    way: Way
    message: Message
    expected: str | None


def cells(world: AccessWorld, row: str) -> list[Cell]:
    """Return every cell of a row: all columns in all its ways."""
    declared = MATRIX[row]
    return [cell_of(world, row, column, way) for way in declared.ways() for column in sorted(EVERYBODY)]


def cell_of(world: AccessWorld, row: str, column: str, way: Way) -> Cell:
    contract, function = function_of(row).split(".")
    declared = MATRIX[row]
    named = declared.rightful() if way.names_the_rightful else column
    signer = declared.rightful() if way is Way.CARRIED else column
    sign = _without_signature if way is Way.SENDER else world.signer(signer)
    made = ATTEMPTS[row](world, named, sign)
    sender = (declared.relay or "bystander") if way is Way.SIGNED else column
    message = (
        world.account(sender, contract),
        world.contracts[contract],
        world.data(contract, function, *made.arguments),
    )
    refusal = declared.refusal(column, way)
    expected = _resolved(world, contract, column, made.named, refusal) if refusal else None
    return Cell(column, way, message, expected)


def _without_signature(command: Signable) -> bytes:
    return b""


def _resolved(world: AccessWorld, contract: str, column: str, named: Mapping[str, Any], error: str) -> str:
    """Put values in place of the names in an error."""
    name, arguments = error.removesuffix(")").split("(")

    def value(word: str) -> str:
        if word == "actor":
            return worded(world.account(column, contract))
        if word in named:
            return worded(named[word])
        return word if word.isdigit() else worded(world.account(word, contract))

    return f"{name}({', '.join(value(word) for word in arguments.split(', ') if word)})"


def effect_of(row: str, logs: Sequence[Mapping[str, Any]]) -> str | None:
    """Return None where a call that went through did something, else what it left undone."""
    declared = MATRIX[row]
    if not logs:
        return None if declared.silent else NO_EFFECT
    if declared.rejection:
        found = artifact(function_of(row).split(".")[0])
        for log in logs:
            topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
            if topics[0] == found.topic(declared.rejection):
                event = found.events[topics[0]].decode(topics, bytes.fromhex(log["data"][2:]))
                return refusal_of(event["reason"])
    return None


def schedule_everything(world: AccessWorld) -> None:
    """Schedule what each row needs scheduled, by all who may, each call once."""
    done = set()
    for row, declared in MATRIX.items():
        if not declared.scheduled:
            continue
        contract, function = function_of(row).split(".")
        for column in sorted(declared.sender):
            made = ATTEMPTS[row](world, column, world.signer(column))
            own = (world.contracts[contract], world.data(contract, function, *made.arguments))
            operation = made.operation or own
            if (column, operation) not in done:
                done.add((column, operation))
                world.do(column, "AccessManager", "schedule", *operation, 0)

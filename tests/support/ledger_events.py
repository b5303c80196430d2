"""Events as the scan gives them, made by hand for tests of what reads them."""

from __future__ import annotations

from typing import Any

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.deployment_file import artifact_of
from backend.consent.ledger_types import LedgerEvent, TimedEvent
from backend.types import BlockNumber, Bytes32, UnixSeconds

NOBODY = "0x" + "00" * 20
_SAMPLES = {"bool": True, "string": "text", "bytes": b"", "bytes4": b"\x01\x02\x03\x04"}


def event(
    contract: str, name: str, *, block: int = 7, time: int = 1000, generation: int = 0, **arguments: Any
) -> TimedEvent:
    """Return one event; its arguments must be those of the interface."""
    events = artifact(artifact_of(contract, generation)).events.values()
    found = next(each for each in events if each.name == name)
    assert set(arguments) == set(found.names), found.names
    made = LedgerEvent(
        contract=contract,
        name=name,
        arguments=arguments,
        block_number=BlockNumber(block),
        block_hash=Bytes32(block.to_bytes(32)),
        transaction_hash=Bytes32(b"\x99" * 32),
        log_index=0,
        generation=generation,
    )
    return TimedEvent(made, UnixSeconds(time))


def sample(contract: str, name: str, generation: int = 0) -> TimedEvent:
    """Return an event with some value of the right type for each argument."""
    events = artifact(artifact_of(contract, generation)).events.values()
    found = next(each for each in events if each.name == name)
    values = {
        part: _value(kind, at) for at, (part, kind) in enumerate(zip(found.names, found.types, strict=True))
    }
    return event(contract, name, generation=generation, **values)


def _value(kind: str, at: int) -> Any:
    if kind.startswith("("):
        return tuple(_value(part, at) for part in kind[1:-1].split(","))
    if kind == "address[]":
        return (account(1), account(2))
    if kind == "address":
        return account(at + 1)
    if kind == "bytes32":
        return bytes([at + 1]) * 32
    return _SAMPLES.get(kind, at + 1)


def account(number: int) -> str:
    return f"0x{number:040x}"

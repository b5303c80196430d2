"""Values of the chain in plain words and as JSON, and the ids that an event names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from backend.adapters.ledger.abi import CONTRACTS, artifact
from backend.adapters.ledger.deployment_file import SUCCEEDED, artifact_of
from backend.adapters.ledger.reverts import decode_revert
from backend.consent.ledger_types import TimedEvent
from backend.types import MAX_UINT40, subject_text, to_hex

KINDS: Final = {1: "permit", 2: "deny", 3: "delegation", 4: "guardianship", 5: "refusal"}
POLICIES: Final = {0: "limit", 1: "allow", 2: "forbid"}
ROLES: Final = (
    "custodian", "provider", "researcher", "ethics board", "auditor", "responder", "device gateway",
    "relayer", "operator",
)  # fmt: skip
STRUCTS: Final = {
    "terms": ("study", "custodian", "funder", "token"),
    "state": (
        "policy", "nextPolicy", "nextFrom", "policyRound", "guardiansAsOf", "controller", "proposedAt",
        "round", "isVetoSpent",
    ),
}  # fmt: skip
_LAST_DATE: Final = 253_402_300_799  # the last second of the year 9999
Arguments = Mapping[str, Any]


def contract_title(name: str, generation: int, newest: int) -> str:
    """Return a contract's name, and of one that was succeeded also that. ``newest``: the last generation."""
    if name not in SUCCEEDED or generation == newest:
        return name
    return f"{name} (succeeded)" if newest == 1 else f"{name} (succeeded, {generation + 1} of {newest + 1})"


def iso(seconds: int) -> str:
    """Return a time of the chain as ISO 8601 in UTC; the largest one means without end."""
    if seconds == MAX_UINT40:
        return "without end"
    if seconds > _LAST_DATE:
        return f"unix {seconds}"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def until(seconds: int) -> str:
    """Return an end: 'until' a time, or 'without end'."""
    return iso(seconds) if seconds == MAX_UINT40 else f"until {iso(seconds)}"


def role_names(mask: int) -> str:
    return ", ".join(name for bit, name in enumerate(ROLES) if mask >> bit & 1) or "no role"


def refusal(reason: bytes) -> str:
    """Return a contract's encoded error by name and values."""
    if not reason:
        return "no reason given"
    error = decode_revert(reason)
    values = ", ".join(to_hex(each) if isinstance(each, bytes) else str(each) for each in error.arguments)
    return f"{error.name}({values})"


def called(data: bytes) -> str:
    """Return a call by the name of its function, where a contract of ours has it."""
    for contract in CONTRACTS:
        for name, function in artifact(contract).functions.items():
            if function.selector == data[:4]:
                is_about = len(data) >= 36 and function.inputs[:1] == ("bytes32",)
                return f"{name} of {to_hex(data[4:36])}" if is_about else name
    return f"function {to_hex(data[:4])}"


def arguments_json(arguments: Arguments) -> dict[str, Any]:
    """Return the arguments with bytes and subjects as hex, structs by the names of their members."""
    return {name: _plain(name, value) for name, value in arguments.items()}


def _plain(name: str, value: Any) -> Any:
    if name in STRUCTS and isinstance(value, tuple):
        return {part: _plain(part, item) for part, item in zip(STRUCTS[name], value, strict=True)}
    if isinstance(value, bytes):
        return to_hex(value)
    if name == "subject":
        return subject_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and value > 2**53:
        return hex(value) if name == "slot" else str(value)  # JSON readers lose digits above
    return list(value) if isinstance(value, (tuple, list)) else value


def ids_of(timed: TimedEvent) -> set[bytes]:
    """Return every id an event names as a word: hashes, subjects and accounts, never plain numbers."""
    event = timed.event
    found: set[bytes] = set()
    for name, kind in KINDS_OF[event.contract, event.name]:
        _collect(kind, event.arguments[name], found)
    return found


def _collect(kind: str, value: Any, found: set[bytes]) -> None:
    match kind:
        case "bytes32":
            found.add(value)
        case "uint96":
            found.add(value.to_bytes(32))
        case "address":
            found.add(int(value, 16).to_bytes(32))
        case "address[]":
            found.update(int(each, 16).to_bytes(32) for each in value)
        case _ if kind.startswith("("):
            for part, item in zip(kind[1:-1].split(","), value, strict=True):
                _collect(part, item, found)


KINDS_OF: Final = {
    (contract, event.name): tuple(zip(event.names, event.types, strict=True))
    for contract in CONTRACTS
    for generation in (0, 1)
    for event in artifact(artifact_of(contract, generation)).events.values()
}
"""Contract and event to the names and types of its arguments, those of every generation together."""

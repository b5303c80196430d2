"""The contracts' interfaces, read once from the compiler's output, as fast encoders and decoders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import eth_abi
from eth_abi.exceptions import DecodingError
from web3 import Web3

from backend.adapters.ledger.errors import ArtifactsMissing

_DIRECTORY = Path(__file__).parent / "artifacts"
CONTRACTS = (
    "AccessManager",
    "ParticipantRegistry",
    "ConsentRegistry",
    "RecordRegistry",
    "AuditAnchor",
    "ResearchMarket",
    "EmergencyAccess",
    "Recovery",
    "WitnessPairs",
    "KeyRegistry",
)


@dataclass(frozen=True, slots=True)
class Function:
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, arguments: Sequence[Any]) -> bytes:
        return self.selector + eth_abi.encode(self.inputs, arguments)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        return tuple(eth_abi.decode(self.outputs, data))


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    indexed: tuple[bool, ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Return name to value.

        Our events index only values of one word, so each topic is the value itself.
        """
        plain = [kind for kind, is_indexed in zip(self.types, self.indexed, strict=True) if not is_indexed]
        values = iter(eth_abi.decode(plain, data))
        words = iter(topics[1:])
        found = {}
        for name, kind, is_indexed in zip(self.names, self.types, self.indexed, strict=True):
            found[name] = eth_abi.decode([kind], next(words))[0] if is_indexed else next(values)
        return found


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract.

    ``immutables``: (start, length) in the runtime code, bytes, zero in ``runtime``. ``layout``: state
    variable to its slot.
    """

    name: str
    creation: bytes
    runtime: bytes
    immutables: tuple[tuple[int, int], ...]
    compiler: Mapping[str, Any]
    layout: Mapping[str, int]
    constructor: tuple[str, ...]
    functions: Mapping[str, Function] = field(repr=False)
    events: Mapping[bytes, Event] = field(repr=False)
    errors: Mapping[bytes, tuple[str, tuple[str, ...]]] = field(repr=False)

    def topic(self, event: str) -> bytes:
        """Return topic 0 of the event with this name."""
        return next(topic for topic, found in self.events.items() if found.name == event)

    def creation_code(self, *arguments: Any) -> bytes:
        return self.creation + eth_abi.encode(self.constructor, arguments)

    def masked(self, code: bytes) -> bytes:
        """Return on-chain code with the immutables zero, as the compiler gives it."""
        found = bytearray(code)
        for start, length in self.immutables:
            found[start : start + length] = bytes(length)
        return bytes(found)


@cache
def artifact(name: str) -> Artifact:
    """Read ``artifacts/<name>.json``. Raise ArtifactsMissing."""
    try:
        found = json.loads((_DIRECTORY / f"{name}.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactsMissing(f"The compiled contract {name} is missing or unreadable.") from error
    parts = found["abi"]
    constructor: Mapping[str, Any] = next(
        (part for part in parts if part["type"] == "constructor"), {"inputs": []}
    )
    return Artifact(
        name=name,
        creation=bytes.fromhex(found["bytecode"].removeprefix("0x")),
        runtime=bytes.fromhex(found["deployedBytecode"].removeprefix("0x")),
        immutables=tuple((item["start"], item["length"]) for item in found["immutableReferences"]),
        compiler=found["compiler"],
        layout={variable["label"]: int(variable["slot"]) for variable in found["storageLayout"]},
        constructor=_types(constructor["inputs"]),
        functions={part["name"]: _function(part) for part in parts if part["type"] == "function"},
        events={
            Web3.keccak(text=_signature(part)): _event(part) for part in parts if part["type"] == "event"
        },
        errors={
            bytes(Web3.keccak(text=_signature(part))[:4]): (part["name"], _types(part["inputs"]))
            for part in parts
            if part["type"] == "error"
        },
    )


def _function(part: Mapping[str, Any]) -> Function:
    selector = bytes(Web3.keccak(text=_signature(part))[:4])
    return Function(selector, _types(part["inputs"]), _types(part["outputs"]))


def _event(part: Mapping[str, Any]) -> Event:
    inputs = part["inputs"]
    names = tuple(item["name"] for item in inputs)
    return Event(part["name"], names, _types(inputs), tuple(item["indexed"] for item in inputs))


def _signature(part: Mapping[str, Any]) -> str:
    return f"{part['name']}({','.join(_types(part['inputs']))})"


def _types(inputs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(item) for item in inputs)


def _type(item: Mapping[str, Any]) -> str:
    """Return the canonical type: a struct is the tuple of its members."""
    kind = str(item["type"])
    if kind.startswith("tuple"):
        return f"({','.join(_types(item['components']))}){kind.removeprefix('tuple')}"
    return kind


def decode_or_none(types: Sequence[str], data: bytes) -> tuple[Any, ...] | None:
    """Decode, or return None where the bytes do not fit the types."""
    try:
        return tuple(eth_abi.decode(types, data))
    except (DecodingError, OverflowError):
        return None

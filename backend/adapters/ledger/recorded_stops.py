"""Finds the stops that are in blocks, whoever signed and sent them, with what their transactions tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.adapters.ledger.abi import artifact, decode_or_none
from backend.adapters.ledger.chain import Chain, parse_address, parse_bytes32
from backend.adapters.ledger.deployment_file import Place
from backend.adapters.ledger.errors import ChainReorganised
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.rpc import RpcError
from backend.consent.ledger_types import RecordedStop, TimedEvent
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, Bytes32, ConsentId, SubjectId

_REGISTRY: Final = "ConsentRegistry"
_ALL: Final = "AllRevoked"
_GRANTED: Final = "ConsentGranted"
_EVENTS: Final = ("ConsentRevoked", "ConsentRevokedAhead", _ALL)
_SELECTOR_BYTES: Final = 4
_DELEGATE: Final = 1  # of a delegation's header (contracts/interfaces/IConsentTypes.sol)
# Where the chain of delegations stands among the arguments, whose first one is the delegate's that signed.
_CHAINS: Final = {
    "revokeByDelegate": 1,
    "revokeAheadByDelegate": 1,
    "revokeAllByGuardian": 2,
    "endForCauseByGuardian": 1,
    "grantByDelegate": 1,
}
_BY_THE_PATIENT: Final = frozenset(
    {
        *("revoke", "revokeDirect", "revokeBatch", "revokeAhead", "revokeDelegationAhead"),
        *("revokeAll", "revokeAllDirect", "grant", "grantDirect", "grantBatch"),
    }
)
_UNSIGNED_STOPS: Final = frozenset(
    {
        *("revokeDirect", "revokeAllDirect", "endGuardianship"),
        *("grant", "grantDirect", "grantByDelegate", "grantBatch"),  # which supersede
    }
)


class RecordedStops:
    """Reads the events of the registries that succeeded one another, and the transactions they came in."""

    def __init__(self, *, chain: Chain, registries: Sequence[Place]) -> None:
        self._chain = chain
        self._scan = EventScan(chain=chain, contracts=registries, only=_EVENTS)
        self._names = {each.generation: each.address for each in registries}
        self._registries = frozenset(each.address.lower() for each in registries)
        self._granted = "0x" + artifact(_REGISTRY).topic(_GRANTED).hex()

    def hash_of(self, number: BlockNumber) -> Bytes32 | None:
        """Return the hash of a block, None where the node does not have it. Raise LedgerUnavailable."""
        return self._scan.hash_of(number)

    def between(self, first: BlockNumber, last: BlockNumber) -> list[RecordedStop]:
        """Return those of blocks first..last, both included, in chain order. Raise LedgerUnavailable."""
        events = list(self._scan.timed(first, last))
        transactions = self._transactions({each.event.transaction_hash for each in events})
        return [
            _stop(each, transactions[each.event.transaction_hash], self._names[each.event.generation])
            for each in events
        ]

    def _transactions(self, hashes: set[Bytes32]) -> dict[Bytes32, _Transaction]:
        names = sorted(hashes)
        methods = ("eth_getTransactionByHash", "eth_getTransactionReceipt")
        answers = self._ask([(method, ["0x" + name.hex()]) for name in names for method in methods])
        if None in answers:
            raise ChainReorganised("A transaction went out of its block while it was read.")
        return {
            name: self._transaction(*answers[2 * place : 2 * place + 2]) for place, name in enumerate(names)
        }

    def _transaction(self, sent: Mapping[str, Any], receipt: Mapping[str, Any]) -> _Transaction:
        name, arguments = "", ()
        if str(sent["to"] or "").lower() in self._registries:
            name, arguments = _decoded(bytes.fromhex(str(sent["input"])[2:]))
        granted = [
            ConsentId(parse_bytes32(log["topics"][1]))
            for log in receipt["logs"]
            if log["address"].lower() in self._registries and log["topics"][0] == self._granted
        ]
        return _Transaction(name, arguments, parse_address(str(sent["from"])), tuple(granted))

    def _ask(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = self._chain.rpc().batch(calls) if calls else []
        for (method, _), answer in zip(calls, answers, strict=True):
            if isinstance(answer, RpcError):
                raise LedgerUnavailable(f"The node refused {method} ({answer.code}).") from answer
        return answers


@dataclass(frozen=True, slots=True)
class _Transaction:
    """``name`` is empty where it did not call the registry itself: a contract did, for whoever sent it."""

    name: str
    arguments: tuple[Any, ...]
    sender: Address
    granted: tuple[ConsentId, ...]

    def signature(self, consent: ConsentId | None) -> bytes:
        """Return that of the stop, as far as it is to be seen."""
        if not self.name or self.name in _UNSIGNED_STOPS:
            return b""
        if self.name == "revokeBatch":
            names, signatures = self.arguments
            return next(
                (bytes(s) for name, s in zip(names, signatures, strict=False) if name == consent), b""
            )
        return bytes(self.arguments[-1])

    def signer(self) -> Address | None:
        """Return the account that ended it, None for the patient's: what the contract asked for."""
        if self.name in _BY_THE_PATIENT or (self.name == "endForCause" and self.arguments[-1]):
            return None
        if self.name == "endDelegation":
            chain, position, _ = self.arguments
            return parse_address(chain[position][_DELEGATE])
        if self.name in _CHAINS:
            return parse_address(self.arguments[_CHAINS[self.name]][0][_DELEGATE])
        return self.sender


def _stop(timed: TimedEvent, transaction: _Transaction, registry: Address) -> RecordedStop:
    event = timed.event
    arguments: Mapping[str, Any] = event.arguments
    everything = event.name == _ALL
    consent = None if everything else ConsentId(Bytes32(arguments["id"]))
    return RecordedStop(
        subject=SubjectId(arguments["subject"]),
        consent=consent,
        epoch=arguments["epoch"] - 1 if everything else None,  # the event names the new one
        signature=transaction.signature(consent),
        by=transaction.signer(),
        granted=transaction.granted,
        block=event.block_number,
        at=timed.time,
        transaction=event.transaction_hash,
        sender=transaction.sender,
        registry=registry,
    )


def _decoded(data: bytes) -> tuple[str, tuple[Any, ...]]:
    for name, function in artifact(_REGISTRY).functions.items():
        if function.selector == data[:_SELECTOR_BYTES]:
            values = decode_or_none(function.inputs, data[_SELECTOR_BYTES:])
            return ("", ()) if values is None else (name, values)
    return "", ()

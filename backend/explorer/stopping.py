"""Hands a signed stop to a bare node: no service is asked, and none can hold it up (invariant 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from eth_account import Account

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.consents import GAS_COMMAND, ConsentRegistry
from backend.adapters.ledger.deployment import require_code, require_deployed
from backend.adapters.ledger.deployment_file import Deployment, Place
from backend.adapters.ledger.effects import Effects
from backend.adapters.ledger.errors import (
    ContractCodeDiffers,
    OutcomeUnknown,
    TransactionRefused,
    WrongChain,
)
from backend.adapters.ledger.ledger import ConsentLedger
from backend.adapters.ledger.members import ParticipantRegistry
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.rpc import RpcError
from backend.consent.authority import WrongSigner, expected_signer, require_signed_by
from backend.consent.errors import SignatureInvalid
from backend.consent.ledger_types import ConsentSlot, Receipt, SubjectEvidence
from backend.consent.revocations import ConsentUnknown, EpochAhead, Revocation, command_of
from backend.consent.terms import Kind
from backend.consent.typed_data import Domain
from backend.errors import AssentError, LedgerUnavailable
from backend.explorer.errors import StopNotSent, StopWithoutContract
from backend.explorer.stop_file import HeldStop
from backend.types import Address, BlockNumber, Bytes32, ConsentId, SubjectId, UnixSeconds

_REGISTRY: Final = "ConsentRegistry"
_NOBODYS: Final = SubjectId(1)  # slots are given whoever is named beside them
_ENDED_WITH_ALL: Final = (Kind.PERMIT, Kind.DELEGATION)


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose account sends. ``key`` None: one that is drawn now and has nothing. ``gas_price``: wei."""

    key: bytes | None
    gas_price: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """``block`` and ``transaction`` are those that ended it, None where it had ended before.

    ``kind``: of the consent, 0 of everything. ``ended``: what a stop of everything ended, by ids; None where
    the node does not tell. ``at``: when it counts from on the chain.
    """

    subject: SubjectId
    consent: ConsentId | None
    epoch: int | None
    kind: int
    at: UnixSeconds
    block: BlockNumber | None = None
    transaction: Bytes32 | None = None
    ended: tuple[ConsentId, ...] | None = None


def send_stop(
    held: HeldStop,
    *,
    url: str,
    deployment: Deployment | None,
    contract: Address | None,
    payer: Payer,
    wait_seconds: float,
) -> Outcome:
    """Check the stop against the chain, send it and wait for its block, which others may replace still.

    Raise StopWithoutContract, WrongChain, ContractCodeDiffers, DeploymentIncomplete where it does not belong
    there; SignatureInvalid, WrongSigner, ConsentUnknown, EpochAhead where it is not valid; StopNotSent,
    LedgerRejected; OutcomeUnknown where it is not in a block in time, LedgerUnavailable.
    """
    chain_id, registries = _places(held, deployment, contract)
    with _network(url, chain_id, payer, wait_seconds) as (chain, relayer):
        if deployment is None:
            _require_registry(registries[0], chain)
        else:
            require_deployed(deployment, chain)
        failures: list[AssentError] = []
        for registry in registries:
            try:
                return _Delivery(chain, relayer, registry).deliver(held.stop, payer)
            except (SignatureInvalid, WrongSigner, ConsentUnknown) as failure:
                failures.append(failure)
        raise failures[0]


def _places(
    held: HeldStop, deployment: Deployment | None, contract: Address | None
) -> tuple[int | None, list[Address]]:
    """Return chain id and address, as all says that says something. Where nothing says for which of the
    registries that succeeded one another it was signed, all of them, the newest first."""
    chain_ids = {held.chain_id, deployment.chain_id if deployment else None} - {None}
    if len(chain_ids) > 1:
        raise WrongChain(f"It was signed for chain {held.chain_id}, and the deployment is on another one.")
    known = [] if deployment is None else [place.address for place in deployment.places(_REGISTRY)]
    named = {address for address in (held.contract, contract) if address is not None}
    if len(named) > 1 or (known and not named <= set(known)):
        raise WrongChain("It was signed for another registry of consents than the one that was named.")
    found = list(named) or known[::-1]
    if not found:
        raise StopWithoutContract
    return next(iter(chain_ids), None), found


def _require_registry(address: Address, chain: Chain) -> None:
    """Raise ContractCodeDiffers unless it is a registry of this release, the first or one that succeeded."""
    try:
        require_code(Place(_REGISTRY, address), chain)
    except ContractCodeDiffers:
        require_code(Place(_REGISTRY, address, generation=1), chain)


@contextmanager
def _network(
    url: str, chain_id: int | None, payer: Payer, wait_seconds: float
) -> Iterator[tuple[Chain, Relayer]]:
    # How old the head is does not matter: a stop is sent all the same, and waited for.
    network = NetworkChain(
        url,
        expected_chain_id=chain_id,
        finality_depth=0,
        gas_price=payer.gas_price,
        staleness_seconds=2**40,
        inclusion_seconds=wait_seconds,
    )
    with closing(network) as chain:
        key = payer.key or bytes(Account.create().key)
        relayer = Relayer(chain=chain, keys={Sender.RELAYER: key}, wait_seconds=wait_seconds + 10)
        with closing(relayer):
            yield chain, relayer


class _Delivery:
    def __init__(self, chain: Chain, relayer: Relayer, registry: Address) -> None:
        self._chain = chain
        self._account = relayer.address(Sender.RELAYER)
        self._domain = Domain(chain.chain_id, registry)
        self._effects = Effects(chain=chain, relayer=relayer)
        self._registry = ConsentRegistry(registry, chain)
        participants = self._registry.participants(block=chain.shown().head_number)
        self._ledger = ConsentLedger(
            chain=chain,
            relayer=relayer,
            registry=self._registry,
            participants=ParticipantRegistry(participants, chain),
            effects=self._effects,
        )

    def deliver(self, stop: Revocation, payer: Payer) -> Outcome:
        slot = None if stop.consent is None else self._slot(stop.consent)
        subject = self._subject(stop, slot)
        found = self._state(subject)
        if not found.opened:
            raise ConsentUnknown("This chain does not know the patient whose stop it is.", field="subject")
        require_signed_by(
            command_of(stop, subject),
            stop.signature,
            expected_signer(None, found.controller, stop.via),
            domain=self._domain,
            relay=self._ledger,
        )
        kind = 0 if slot is None else slot.kind
        outcome = Outcome(subject, stop.consent, stop.epoch, kind, UnixSeconds(0))
        if slot is not None and slot.revoked_at:
            return Outcome(subject, stop.consent, None, kind, slot.revoked_at)
        if stop.consent is None and stop.epoch is not None:
            if stop.epoch > found.epoch:
                raise EpochAhead("It is for a later epoch than the chain knows.", field="epoch")
            if stop.epoch < found.epoch:
                return outcome
        self._require_means()
        try:
            receipt = self._send(stop, subject, slot)
        except TransactionRefused as refusal:
            raise StopNotSent(refusal.detail) from refusal
        except OutcomeUnknown as doubt:
            if payer.key is not None:
                raise
            raise StopNotSent(
                "No block has the transaction yet, which pays nothing; it may never."
            ) from doubt
        return self._ended(stop, subject, receipt)

    def _send(self, stop: Revocation, subject: SubjectId, slot: ConsentSlot | None) -> Receipt:
        if stop.consent is None:
            return self._ledger.revoke_all(subject, stop.epoch or 0, stop.signature, via=stop.via)
        if slot is None or not slot.is_recorded:
            assert stop.document is not None  # noqa: S101 - the subject was taken from it  # nosec B101
            return self._ledger.revoke_ahead(stop.document, stop.signature, via=stop.via)
        return self._ledger.revoke(stop.consent, stop.signature, via=stop.via)

    def _ended(self, stop: Revocation, subject: SubjectId, receipt: Receipt) -> Outcome:
        """Say what the chain says now, and not what was meant."""
        if stop.consent is not None:
            slot = self._slot(stop.consent)
            if not slot.revoked_at:
                raise LedgerUnavailable("The transaction is in a block, and the consent has not ended.")
            kind, at, ended = slot.kind, slot.revoked_at, None
        else:
            if self._state(subject).epoch <= (stop.epoch or 0):
                raise LedgerUnavailable("The transaction is in a block, and the epoch has not ended.")
            kind, at = 0, self._ledger.time_of(receipt.block_number)
            ended = self._ended_with_all(subject, stop.epoch or 0, at)
        return Outcome(
            subject,
            stop.consent,
            stop.epoch,
            kind,
            at,
            receipt.block_number,
            receipt.transaction_hash,
            ended,
        )

    def _ended_with_all(
        self, subject: SubjectId, epoch: int, at: UnixSeconds
    ) -> tuple[ConsentId, ...] | None:
        contract = self._registry.artifact
        topics = ["0x" + contract.topic(name).hex() for name in ("ConsentGranted", "DelegationRecorded")]
        try:
            found = self._effects.search(
                self._registry.address, [topics, None, "0x" + subject.to_bytes(32).hex()]
            )
            names = [ConsentId(Bytes32(receipt.logs[0].topics[1])) for receipt in found]
            slots = self._ledger.evidence(subject, names, block=self._head()).slots
        except LedgerUnavailable:
            return None  # it has ended all the same
        return tuple(
            name
            for name, slot in zip(names, slots, strict=True)
            if slot.kind in _ENDED_WITH_ALL
            and slot.epoch == epoch
            and not slot.revoked_at
            and slot.not_after > at
        )

    def _subject(self, stop: Revocation, slot: ConsentSlot | None) -> SubjectId:
        if stop.subject is not None:
            return stop.subject
        if slot is not None and slot.is_recorded:
            return slot.subject
        if stop.document is None:
            raise ConsentUnknown(
                "This chain does not have the consent. Add the whole signed grant as 'document'."
            )
        return stop.document.subject

    def _require_means(self) -> None:
        """Raise StopNotSent where the node would say so, or worse, keep it without ever having it mined."""
        needed = self._chain.gas_price * GAS_COMMAND
        try:
            there = int(self._chain.rpc().call("eth_getBalance", self._account, "latest"), 16)
        except RpcError as error:
            raise LedgerUnavailable(f"The node refused eth_getBalance ({error.code}).") from error
        if there < needed:
            raise StopNotSent(
                f"Account {self._account} has {there} wei, and the transaction may take {needed}."
            )

    def _slot(self, consent: ConsentId) -> ConsentSlot:
        return self._ledger.evidence(_NOBODYS, (consent,), block=self._head()).slots[0]

    def _state(self, subject: SubjectId) -> SubjectEvidence:
        return self._ledger.evidence(subject, (), block=self._head())

    def _head(self) -> BlockNumber:
        return self._chain.shown().head_number

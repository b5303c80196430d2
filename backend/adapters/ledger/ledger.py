"""The chain as consent sees it: evidence at a named block, and signed commands relayed.

Fits the ports ``consent.ports.Ledger``, ``consent.relay.ConsentRelay`` and
``identity.ports.ContractWallets``. A command that took effect before returns the receipt of that time;
one that the contract refuses raises LedgerRejected; doubt raises LedgerUnavailable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from backend.adapters.ledger.block_cache import BlockCache
from backend.adapters.ledger.calls import read_together
from backend.adapters.ledger.chain import Chain, parse_block
from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.effects import Effect, Effects
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.members import ParticipantRegistry
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.rpc import RpcError
from backend.adapters.ledger.wallets import is_valid_signature
from backend.consent.history import Change, Step
from backend.consent.ledger_types import (
    NO_MEMBER,
    Facts,
    LedgerLog,
    LedgerView,
    Membership,
    Receipt,
    SubjectEvidence,
)
from backend.consent.terms import Delegation, Document, Grant, Kind, OpenSubject
from backend.consent.typed_data import Domain, consent_id
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

_CACHED_EVIDENCE = 20_000
_CACHED_MEMBERS = 5_000
_FIRST_BLOCK = BlockNumber(0)
_Asked = tuple[SubjectId, tuple[ConsentId, ...]]
_CHANGES = {
    "ConsentGranted": Change.RECORDED,
    "DelegationRecorded": Change.RECORDED,
    "ConsentRevoked": Change.REVOKED,
    "ConsentRevokedAhead": Change.REVOKED,
}


class ConsentLedger:
    """``via`` is the chain of delegations from the signer's own up to the one the controller gave.

    ``former``: the same for the contract that ``registry`` succeeded in block ``since``. It answers for the
    blocks before, its events belong to the history, and stops that were signed for it go to it.
    """

    def __init__(
        self,
        *,
        chain: Chain,
        relayer: Relayer,
        registry: ConsentRegistry,
        participants: ParticipantRegistry,
        effects: Effects,
        former: ConsentLedger | None = None,
        since: BlockNumber = _FIRST_BLOCK,
        cached_evidence: int = _CACHED_EVIDENCE,
    ) -> None:
        self.former = former
        self._since = since
        self._chain = chain
        self._relayer = relayer
        self._registry = registry
        self._participants = participants
        self._effects = effects
        self._subjects: BlockCache[_Asked, SubjectEvidence] = BlockCache(cached_evidence)
        self._members: BlockCache[MemberId, Membership] = BlockCache(_CACHED_MEMBERS)

    @property
    def domain(self) -> Domain:
        """What is signed for this contract is signed for."""
        return Domain(self._chain.chain_id, self._registry.address)

    @property
    def all_former(self) -> tuple[ConsentLedger, ...]:
        """Those that were succeeded, newest first."""
        return () if self.former is None else (self.former, *self.former.all_former)

    def counts_from(self) -> UnixSeconds:
        """Return when this contract took over from another one, 0 for the first. Raise LedgerUnavailable."""
        return UnixSeconds(0) if self.former is None else self.time_of(self._since)

    # --- reading

    def view(self) -> LedgerView:
        """Return the head and the final block.

        Raise LedgerUnavailable where stale, unreachable or in error.
        """
        return self._chain.view()

    def shown(self) -> LedgerView:
        """Return what is shown now, whether it permits or not. Raise LedgerUnavailable."""
        return self._chain.shown()

    def evidence(
        self, subject: SubjectId, ids: Sequence[ConsentId], *, block: BlockNumber
    ) -> SubjectEvidence:
        """Return the subject and one slot per id, in order, as they stood at ``block``."""
        return self.facts(subject, ids, (), block=block).subject

    def facts(
        self,
        subject: SubjectId,
        ids: Sequence[ConsentId],
        members: Collection[MemberId],
        *,
        block: BlockNumber,
    ) -> Facts:
        """Return the same, and where each of ``members`` stood, in one request to the node."""
        block_hash = _hash_of(block, self._chain.shown())
        asked = (subject, tuple(ids))
        known = {member: self._members.get(block_hash, member) for member in members}
        missing = [member for member, found in known.items() if found is None]
        evidence = self._subjects.get(block_hash, asked)
        if missing or evidence is None:
            evidence, read = self._read(asked, missing, block)
            known.update(read)
            if block_hash is not None and _hash_of(block, self._chain.shown()) == block_hash:
                # Not replaced while we read it.
                self._subjects.put(block_hash, asked, evidence)
                for member, found in read.items():
                    self._members.put(block_hash, member, found)
        return Facts(evidence, {member: found or NO_MEMBER for member, found in known.items()})

    def _read(
        self, asked: _Asked, members: Sequence[MemberId], block: BlockNumber
    ) -> tuple[SubjectEvidence, dict[MemberId, Membership]]:
        subject, ids = asked
        participants, registry = self._participants, self._registry_at(block)
        first, *others = read_together(
            self._chain,
            [
                (registry.address, registry.ask_evidence(subject, ids)),
                *((participants.address, participants.ask_membership(member)) for member in members),
            ],
            block=block,
        )
        memberships = map(participants.read_membership, others)
        return registry.read_evidence(first, ids), dict(zip(members, memberships, strict=True))

    def _registry_at(self, block: BlockNumber) -> ConsentRegistry:
        if self.former is not None and block < self._since:
            return self.former._registry_at(block)
        return self._registry

    def is_valid_signature(self, account: Address, digest: bytes, signature: bytes) -> bool:
        """Ask a contract wallet (ERC-1271) at the head; False for an account without code."""
        return is_valid_signature(self._chain, account, digest, signature)

    def is_valid(self, address: Address, digest: bytes, signature: bytes) -> bool:
        """The same, as sign-in asks it."""
        return is_valid_signature(self._chain, address, digest, signature)

    def history(self, document: Document) -> list[Step]:
        """Return what the events say of a document, in chain order.

        A revoke-all ends what was recorded before it, whichever contract it was sent to.
        """
        steps: list[Step] = []
        for found in self._effects.search(self._addresses, self._of_document(document)):
            change, arguments = self._change(found.logs[0], document, {step.change for step in steps})
            if change is not None:
                at, contract = arguments.get("revokedAt"), self._emitter(found)
                steps.append(Step(change, at, found.block_number, found.transaction_hash, contract))
        return steps

    def domain_of(self, document: Document) -> Domain:
        """Return the domain of the contract that recorded it; this one's where none has."""
        found = None if self.former is None else self.receipt_of(document)
        return self.domain if found is None else Domain(self._chain.chain_id, self._emitter(found))

    def _emitter(self, found: Receipt) -> Address:
        """Return which of the contracts an event is from that was searched for."""
        return next(each for each in self._addresses if each.lower() == found.logs[0].address.lower())

    @property
    def _addresses(self) -> list[Address]:
        """This contract's and those of all that it succeeded."""
        return [self._registry.address, *(self.former._addresses if self.former else ())]

    def time_of(self, block: BlockNumber) -> UnixSeconds:
        """Return when a block was made."""
        try:
            found = self._chain.rpc().call("eth_getBlockByNumber", hex(block), False)
        except RpcError as error:
            raise LedgerUnavailable(f"The node refused a block ({error.code}).") from error
        if found is None:
            raise LedgerUnavailable("The node has lost a block.")
        return parse_block(found).timestamp

    def _of_document(self, document: Document) -> list[list[str]]:
        """The topics of every event that names the document or ends an epoch of its subject."""
        events = [*_CHANGES, "AllRevoked"]
        keys = [consent_id(document), document.subject.to_bytes(32)]
        return [["0x" + self._topic(name).hex() for name in events], ["0x" + key.hex() for key in keys]]

    def _change(
        self, log: LedgerLog, document: Document, before: Collection[Change]
    ) -> tuple[Change | None, Mapping[str, Any]]:
        event = self._registry.artifact.events[log.topics[0]]
        arguments = event.decode(log.topics, log.data)
        if event.name != "AllRevoked":
            return _CHANGES[event.name], arguments
        # Each contract counts epochs for itself. What it recorded was of the epoch that was current in it.
        is_its_epoch = Change.RECORDED in before or arguments["epoch"] == document.epoch + 1
        ends = document.kind in (Kind.PERMIT, Kind.DELEGATION) and is_its_epoch
        return (
            Change.REVOKED_WITH_ALL if ends and Change.REVOKED_WITH_ALL not in before else None
        ), arguments

    # --- subjects

    def open_subject(self, command: OpenSubject, signature: bytes) -> Receipt:
        def fits(arguments: Mapping[str, Any]) -> bool:
            return bool(arguments["controller"].lower() == command.controller.lower())

        effect = self._effect("SubjectOpened", command.subject.to_bytes(32), fits)
        return self._effects.once(self._registry.open_subject(command, signature), effect)

    def open_subject_under_guardian(self, guardianship: Delegation, signature: bytes) -> Receipt:
        call = self._registry.open_subject_under_guardian(guardianship, signature)
        return self._effects.once(call, self._recorded(guardianship))

    def add_guardian(self, guardianship: Delegation, signature: bytes) -> Receipt:
        call = self._registry.add_guardian(guardianship, signature)
        return self._effects.once(call, self._recorded(guardianship))

    # --- recording

    def record(self, document: Document, signature: bytes, *, via: Sequence[Delegation] = ()) -> Receipt:
        """Record a grant or delegation."""
        if isinstance(document, Grant):
            call = self._registry.grant(document, signature, via)
        else:
            call = self._registry.delegate(document, signature, via)
        return self._effects.once(call, self._recorded(document))

    def receipt_of(self, document: Document) -> Receipt | None:
        """Return the receipt of the transaction that recorded it, None where none is on the chain now."""
        return self._effects.find(self._recorded(document))

    def record_grants(
        self, grants: Sequence[Grant], signatures: Sequence[bytes]
    ) -> list[Receipt | LedgerRejected]:
        """Record grants that controllers signed with plain keys, in one transaction; each is refused
        alone.
        """
        receipt = self._relayer.submit(self._registry.grant_batch(grants, signatures))
        recorded = {log.topics[1] for log in receipt.logs if log.topics[0] == self._topic("ConsentGranted")}
        refused = self._registry.refusals(receipt.logs, "GrantRejected")
        outcomes: list[Receipt | LedgerRejected] = []
        for grant in grants:
            identity = consent_id(grant)
            if identity in recorded:
                outcomes.append(receipt)
            else:
                earlier = self._effects.find(self._recorded(grant))
                outcomes.append(earlier or refused.get(identity) or LedgerRejected("Reverted"))
        return outcomes

    # --- restricting

    def revoke(self, consent: ConsentId, signature: bytes, *, via: Sequence[Delegation] = ()) -> Receipt:
        """Revoke a recorded consent or delegation. A delegate who names its own delegation resigns."""
        if via and consent_id(via[0]) == consent:
            return self._relayer.submit(self._registry.end_delegation(via, 0, signature))
        return self._relayer.submit(self._registry.revoke(consent, signature, via))

    def revoke_ahead(
        self, document: Document, signature: bytes, *, via: Sequence[Delegation] = ()
    ) -> Receipt:
        """Revoke a grant or delegation, recorded or not; if it is not, it never will be.

        A delegate may thus end what was delegated onwards below its own delegation.
        """
        if isinstance(document, Grant):
            return self._relayer.submit(self._registry.revoke_grant_ahead(document, signature, via))
        if not via:
            return self._relayer.submit(self._registry.revoke_delegation_ahead(document, signature))
        if consent_id(via[0]) == consent_id(document):
            return self._relayer.submit(self._registry.end_delegation(via, 0, signature))
        return self._relayer.submit(self._registry.end_delegation([document, *via], 1, signature))

    def revoke_all(
        self, subject: SubjectId, epoch: int, signature: bytes, *, via: Sequence[Delegation] = ()
    ) -> Receipt:
        """End every permit and delegation of ``epoch``; does nothing where the epoch is past."""
        return self._relayer.submit(self._registry.revoke_all(subject, epoch, signature, via))

    def end_guardianship(self, guardianship: ConsentId) -> Receipt:
        """End a guardianship of a subject without controller, as the custodian that opened it."""
        return self._relayer.submit(self._registry.end_guardianship(guardianship))

    def end_for_cause(
        self, delegation: ConsentId, signature: bytes, *, via: Sequence[Delegation] = ()
    ) -> Receipt:
        """End a delegation and the permits it gave; again, it does nothing."""
        return self._relayer.submit(self._registry.end_for_cause(delegation, signature, via))

    def end_guardianship_for_cause(self, guardianship: ConsentId) -> Receipt:
        """The same for a guardianship of a subject without controller, as the custodian that opened it."""
        return self._relayer.submit(self._registry.end_guardianship_for_cause(guardianship))

    # --- what shows that it was done

    def _recorded(self, document: Document) -> Effect:
        event = "ConsentGranted" if isinstance(document, Grant) else "DelegationRecorded"
        return self._effect(event, consent_id(document))

    def _effect(
        self, event: str, key: bytes, fits: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> Effect:
        return Effect(self._registry.artifact, self._addresses, event, key, fits)

    def _topic(self, event: str) -> bytes:
        return self._registry.artifact.topic(event)


def _hash_of(block: BlockNumber, view: LedgerView) -> Bytes32 | None:
    """Return the hash of the block where the view knows it."""
    if block == view.head_number:
        return view.head_hash
    return view.final_hash if block == view.final_number else None

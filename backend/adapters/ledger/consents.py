"""The wrapper of ``ConsentRegistry``. What each function demands is in ``contracts/interfaces``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from backend.adapters.ledger.calls import BoundContract, Call, Sender
from backend.adapters.ledger.chain import Chain, parse_address
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.headers import delegation_header, grant_header
from backend.adapters.ledger.reverts import decode_revert
from backend.consent.ledger_types import (
    ConsentSlot,
    LedgerLog,
    SubjectEvidence,
    unpack_consent_slot,
    unpack_subject_slot,
)
from backend.consent.terms import Delegation, Grant, OpenSubject
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber, ConsentId, MemberId, SubjectId

# Upper bounds of gas, with room for a contract wallet's check (200,000) and a chain of four delegations.
GAS_COMMAND: Final = 700_000
_GAS_BATCH = 100_000
_GAS_BATCH_ITEM = 120_000
_WORD = 32


class ConsentRegistry(BoundContract):
    """Chains of delegations (``via``) are leaf first, as the contract takes them."""

    def __init__(self, address: Address, chain: Chain, *, compiled: str = "ConsentRegistry") -> None:
        super().__init__(compiled, address, chain)
        self._evidence = self.artifact.functions["evidence"].selector

    # --- views

    def evidence(
        self, subject: SubjectId, ids: Sequence[ConsentId], *, block: BlockNumber
    ) -> SubjectEvidence:
        """Return the subject and the slots of ``ids`` in order."""
        return self.read_evidence(self._read(self.ask_evidence(subject, ids), hex(block)), ids)

    def ask_evidence(self, subject: SubjectId, ids: Sequence[ConsentId]) -> bytes:
        """Return the call data. Encoded by hand: every decision makes this call.

        ABI: subject, offset of the ids (64), their number, the ids; back come the subject's slot, the offset,
        the number and the slots.
        """
        arguments = (int(subject), 2 * _WORD, len(ids))
        return self._evidence + b"".join(value.to_bytes(_WORD) for value in arguments) + b"".join(ids)

    def read_evidence(self, found: bytes, ids: Sequence[ConsentId]) -> SubjectEvidence:
        """Decode the answer to ``ask_evidence``."""
        if len(found) != (3 + len(ids)) * _WORD:
            raise LedgerUnavailable("The chain answered with evidence of another length.")
        words = [int.from_bytes(found[at : at + _WORD]) for at in range(0, len(found), _WORD)]
        return replace(
            unpack_subject_slot(words[0]), slots=tuple(unpack_consent_slot(word) for word in words[3:])
        )

    def slot(self, consent: ConsentId, *, block: BlockNumber) -> ConsentSlot:
        """Return what is stored of one id, whoever its subject is."""
        return self.evidence(SubjectId(0), (consent,), block=block).slots[0]

    def opening_custodian(self, subject: SubjectId, *, block: BlockNumber) -> MemberId:
        """Return the custodian that opened the subject and is its identity desk; zero if nobody did."""
        return MemberId(self._view("openingCustodianOf", subject, block=block)[0])

    def recovery(self, *, block: BlockNumber) -> Address:
        """Return the address of the contract that the registry made for recovery."""
        return parse_address(self._view("RECOVERY", block=block)[0])

    def participants(self, *, block: BlockNumber) -> Address:
        """Return the address of the registry of members that it asks."""
        return parse_address(self._view("PARTICIPANTS", block=block)[0])

    def are_live(self, ids: Sequence[ConsentId], kind: int, *, block: BlockNumber) -> tuple[bool, ...]:
        """Return for each id whether it counts at the block's own time. Not for delegations (kind 3)."""
        return tuple(self._view("areLive", list(ids), kind, block=block)[0])

    def is_delegation_live(self, via: Sequence[Delegation], powers: int, *, block: BlockNumber) -> bool:
        """Return whether the whole chain counts at the block's time and its leaf has all these powers."""
        return bool(self._view("isDelegationLive", _chain(via), powers, block=block)[0])

    def refusals(self, logs: Sequence[LedgerLog], event: str) -> dict[bytes, LedgerRejected]:
        """Return, by id, why items of a batch were left out (``GrantRejected`` or ``RevocationRejected``)."""
        topic = self.artifact.topic(event)
        decoder = self.artifact.events[topic]
        return {
            log.topics[1]: decode_revert(decoder.decode(log.topics, log.data)["reason"])
            for log in logs
            if log.topics[0] == topic
        }

    # --- subjects

    def open_subject(self, command: OpenSubject, signature: bytes) -> Call:
        return self._call(
            "openSubject",
            command.subject,
            command.controller,
            command.submit_by,
            signature,
            gas=GAS_COMMAND,
            sender=Sender.CUSTODIAN,
        )

    def open_subject_under_guardian(self, guardianship: Delegation, signature: bytes) -> Call:
        header = delegation_header(guardianship)
        return self._command("openSubjectUnderGuardian", header, signature, sender=Sender.CUSTODIAN)

    def add_guardian(self, guardianship: Delegation, signature: bytes) -> Call:
        return self._command(
            "addGuardian", delegation_header(guardianship), signature, sender=Sender.CUSTODIAN
        )

    # --- grants and delegations

    def grant(self, grant: Grant, signature: bytes, via: Sequence[Delegation]) -> Call:
        if via:
            return self._command("grantByDelegate", grant_header(grant), _chain(via), signature)
        return self._command("grant", grant_header(grant), signature)

    def grant_batch(self, grants: Sequence[Grant], signatures: Sequence[bytes]) -> Call:
        gas = _GAS_BATCH + _GAS_BATCH_ITEM * len(grants)
        headers = [grant_header(grant) for grant in grants]
        return self._call("grantBatch", headers, list(signatures), gas=gas)

    def delegate(self, delegation: Delegation, signature: bytes, via: Sequence[Delegation]) -> Call:
        if via:
            return self._command("subdelegate", delegation_header(delegation), _chain(via), signature)
        return self._command("delegate", delegation_header(delegation), signature)

    def adopt(self, subject: SubjectId, ids: Sequence[ConsentId]) -> Call:
        """Take a subject's documents over; only of a registry that succeeds another."""
        return self._call("adopt", subject, list(ids), gas=_GAS_BATCH + _GAS_BATCH_ITEM * (len(ids) + 3))

    # --- what restricts

    def revoke(self, consent: ConsentId, signature: bytes, via: Sequence[Delegation]) -> Call:
        if via:
            return self._command("revokeByDelegate", consent, _chain(via), signature)
        return self._command("revoke", consent, signature)

    def revoke_batch(self, ids: Sequence[ConsentId], signatures: Sequence[bytes]) -> Call:
        gas = _GAS_BATCH + _GAS_BATCH_ITEM * len(ids)
        return self._call("revokeBatch", list(ids), list(signatures), gas=gas)

    def revoke_grant_ahead(self, grant: Grant, signature: bytes, via: Sequence[Delegation]) -> Call:
        if via:
            return self._command("revokeAheadByDelegate", grant_header(grant), _chain(via), signature)
        return self._command("revokeAhead", grant_header(grant), signature)

    def revoke_delegation_ahead(self, delegation: Delegation, signature: bytes) -> Call:
        return self._command("revokeDelegationAhead", delegation_header(delegation), signature)

    def end_delegation(self, chain: Sequence[Delegation], position: int, signature: bytes) -> Call:
        """End ``chain[0]`` by the delegate of ``chain[position]``."""
        return self._command("endDelegation", _chain(chain), position, signature)

    def end_guardianship(self, guardianship: ConsentId) -> Call:
        return self._command("endGuardianship", guardianship, sender=Sender.CUSTODIAN)

    def end_for_cause(self, delegation: ConsentId, signature: bytes, via: Sequence[Delegation]) -> Call:
        """``via`` is the guardianship of the guardian who signed; empty when the controller did."""
        if via:
            return self._command("endForCauseByGuardian", delegation, _chain(via), signature)
        return self._command("endForCause", delegation, signature)

    def end_guardianship_for_cause(self, guardianship: ConsentId) -> Call:
        return self._command("endForCause", guardianship, b"", sender=Sender.CUSTODIAN)

    def revoke_all(self, subject: SubjectId, epoch: int, signature: bytes, via: Sequence[Delegation]) -> Call:
        if via:
            return self._command("revokeAllByGuardian", subject, epoch, _chain(via), signature)
        return self._command("revokeAll", subject, epoch, signature)

    def _command(self, function: str, *arguments: object, sender: Sender = Sender.RELAYER) -> Call:
        return self._call(function, *arguments, gas=GAS_COMMAND, sender=sender)


def _chain(via: Sequence[Delegation]) -> list[tuple[object, ...]]:
    return [delegation_header(delegation) for delegation in via]

"""Recording what patients sign: permits, denies, refusals and delegations.

A document is checked, kept (sealed) and relayed by one act of the outbox, so that a crash at any instruction
neither loses nor repeats it. A deny restricts and therefore counts as soon as it is kept.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.authority import command_for, expected_signer, require_signed_by
from backend.consent.contradiction import check_consistent
from backend.consent.errors import InvalidTerms, UnderErasure
from backend.consent.evidence import EvidenceBook
from backend.consent.evidence_store import ConsentIndex, ConsentRow, SignedDocument, place_of
from backend.consent.finality import final_block_with
from backend.consent.notices import NoticeBook
from backend.consent.ports import Ledger
from backend.consent.relay import ConsentRelay
from backend.consent.requests import RequestService
from backend.consent.restrictions import RestrictionQueue
from backend.consent.subset import check_child, check_given_under
from backend.consent.summary import check_summary
from backend.consent.tables import Tables
from backend.consent.terms import ABSENT, Delegation, Document, Grant, Kind
from backend.consent.typed_data import Domain, consent_id
from backend.consent.validation import check_command
from backend.errors import Conflict
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.sealed import DocumentSealer
from backend.types import Address, BlockNumber, Bytes32, ConsentId, SubjectId, UnixSeconds

_LOG = logging.getLogger("assent.consent")
ACT = "consent"
_EVENT_TYPES = {
    Kind.PERMIT: codes.CONSENT_GRANTED,
    Kind.DENY: codes.CONSENT_GRANTED,
    Kind.REFUSAL: codes.CONSENT_REFUSED,
    Kind.DELEGATION: codes.DELEGATION_GRANTED,
    Kind.GUARDIANSHIP: codes.DELEGATION_GRANTED,
}


class EpochEnded(Conflict):
    code = "epoch_ended"
    remedy = "Everything signed before was revoked meanwhile. Take a new draft and sign that."


class SubmittedTooLate(Conflict):
    code = "submitted_too_late"
    remedy = "The time to submit this signature is over. Take a new draft and sign that."


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a document. ``block`` is None while the chain cannot be reached: it will be recorded."""

    consent_id: ConsentId
    block: BlockNumber | None
    transaction: Bytes32 | None


class ConsentService:
    """Takes signed documents. Build the steps once, with ``register``, before acts are driven."""

    def __init__(
        self,
        *,
        index: ConsentIndex,
        evidence: EvidenceBook,
        requests: RequestService,
        notices: NoticeBook,
        ledger: Ledger,
        relay: ConsentRelay,
        sealer: DocumentSealer,
        restrictions: RestrictionQueue,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        domain: Domain,
        former: Sequence[Domain] = (),
        tables: Tables,
        clock: Callable[[], int],
    ) -> None:
        self._index = index
        self._evidence = evidence
        self._requests = requests
        self._notices = notices
        self._ledger = ledger
        self._relay = relay
        self._sealer = sealer
        self._restrictions = restrictions
        self._outbox = outbox
        self._driver = driver
        self._audit = audit
        self._domain = domain
        self._former = tuple(former)
        self._tables = tables
        self._clock = clock
        outbox.register(
            ACT,
            {
                "received": self._keep,
                "kept": self._record,
                "recorded": self._project,
                "projected": self._log,
                "logged": self._confirm,
            },
        )

    def submit(self, document: Document, signature: bytes, *, via: Sequence[Delegation] = ()) -> Recorded:
        """Take a signed grant, deny, refusal or delegation, and return when it is on the chain.

        The same document again gives the same answer. Raises InvalidTerms, RulesContradict, SummaryMismatch,
        NoticeNotPublished, NoticeInAnotherLanguage, WrongSigner, SignatureInvalid, SignedForSucceeded,
        WiderThanRequest, WiderThanParent, EpochEnded, SubmittedTooLate, UnderErasure; ActFailed when the
        chain refused it before; LedgerUnavailable when it was kept and will be recorded once the chain
        answers.
        """
        identity = consent_id(document)
        known = self._outbox.find(ACT, identity.hex())
        if known is None:
            signer = self._check(document, signature, via)
            known = self._begin(SignedDocument(document, signature, signer, tuple(via)), identity)
        # A restriction is acknowledged only when its audit entry stands (docs/decisions/0002).
        until = "recorded" if document.kind == Kind.PERMIT else "logged"
        act = self._outbox.drive(known, until=until)
        if not act.is_over:
            self._driver.hand_over(act)
        return _recorded(act, identity)

    def restore_restrictions(self) -> None:
        """At start-up, before the first decision: put what was kept and is not final back into the queue."""
        for act in self._outbox.unfinished(ACT):
            self._restrict(self._signed(act).document)

    def _restrict(self, document: Document) -> None:
        if not isinstance(document, Grant):
            return
        if document.kind == Kind.DENY:
            self._restrictions.accept_deny(document)
        if document.supersedes != ABSENT:
            self._restrictions.accept_revocation(
                document.subject, document.supersedes, by=consent_id(document)
            )

    def _check(self, document: Document, signature: bytes, via: Sequence[Delegation]) -> Address:
        command = command_for(document, via)
        check_command(command, self._tables)
        check_summary(document)
        self._notices.require_published(document)
        if isinstance(document, Grant):
            check_consistent(document.terms.rules, document.kind)
            self._requests.check_answers(document)
            if via:
                check_given_under(document, via)
        elif via:
            check_child(document, via)
        self._require_standing(document.subject)
        if document.submit_by < self._clock():
            raise SubmittedTooLate(field="submitBy")
        subject = self._evidence.subject(document.subject)
        if not subject.opened:
            raise InvalidTerms("No such subject is open here.", field="subject")
        if document.epoch != subject.epoch:
            raise EpochEnded(field="epoch")
        signer = expected_signer(document, subject.controller, via)
        require_signed_by(
            command, signature, signer, domain=self._domain, relay=self._relay, former=self._former
        )
        return signer

    def _begin(self, signed: SignedDocument, identity: ConsentId) -> Act:
        encoded = signed.encode()
        document = signed.document
        act = self._outbox.begin(
            ACT,
            identity.hex(),
            state="received",
            data={
                # Of the document, not of the signature: a second signature of the same terms is a retry.
                "digest": bytes(identity),
                "subject": f"{document.subject:024x}",
                "sealed": self._sealer.seal(encoded, subject=document.subject, place=place_of(identity)),
                "received_at": self._clock(),
                "delegate": document.delegate if isinstance(document, Delegation) else None,
            },
        )
        self._restrict(document)
        return act

    def _require_standing(self, subject: SubjectId) -> None:
        if self._restrictions.erases(subject):
            raise UnderErasure(field="subject")

    def _keep(self, act: Act) -> Advance:
        subject = SubjectId(int(act.data["subject"], 16))
        # An erasure locks and then waits for acts under way: it sees this one, or this one sees the lock.
        self._require_standing(subject)
        self._index.put(
            ConsentRow(
                consent_id=ConsentId(bytes.fromhex(act.act_id)),
                subject=subject,
                sealed=act.data["sealed"],
                received_at=UnixSeconds(act.data["received_at"]),
                delegate=None if act.data["delegate"] is None else Address(act.data["delegate"]),
            )
        )
        return Advance("kept", {})

    def _record(self, act: Act) -> Advance:
        signed = self._signed(act)
        receipt = self._relay.record(signed.document, signed.signature, via=signed.via)
        self._evidence.add(signed)
        return Advance(
            "recorded", {"block": receipt.block_number, "transaction": bytes(receipt.transaction_hash)}
        )

    def _project(self, act: Act) -> Advance:
        signed = self._signed(act)
        identity = consent_id(signed.document)
        self._index.set_receipt(
            identity,
            block=BlockNumber(act.data["block"]),
            transaction=Bytes32(act.data["transaction"]),
        )
        if isinstance(signed.document, Grant):
            self._requests.answered(signed.document, identity)
        return Advance("projected", {})

    def _log(self, act: Act) -> Advance:
        signed = self._signed(act)
        document = signed.document
        self._audit.append(
            AuditEvent(
                type=_EVENT_TYPES[Kind(document.kind)],
                outcome=Outcome.CHANGED,
                occurred_at_ms=act.data["received_at"] * 1000,
                actor=Agent.account(signed.signer),
                subject=document.subject,
                consents=(consent_id(document),),
                final_block=BlockNumber(act.data["block"]),
                detail={"kind": int(document.kind)},
            ),
            act=act_identity(act),
        )
        return Advance("logged", {})

    def _confirm(self, act: Act) -> Advance:
        """Wait until the final block has it; record it again where its block was replaced."""
        document = self._signed(act).document
        names = (consent_id(document),)

        def is_recorded(block: BlockNumber) -> bool:
            return self._ledger.evidence(document.subject, names, block=block).slots[0].is_recorded

        block = final_block_with(is_recorded, act, ledger=self._ledger, now=self._clock())
        if block is None:
            _LOG.warning(
                "the block with a consent was replaced; it is recorded again", extra={"act": act.act_id}
            )
            return Advance("kept", {})
        self._follow(act, document)
        self._settle(document, block)
        return Advance(DONE, {})

    def _follow(self, act: Act, document: Document) -> None:
        """Name the block that has it in the end: another one may have taken the place of the first."""
        view = self._ledger.view()
        if view.final_number == view.head_number:
            return  # no block is ever replaced here
        receipt = self._relay.receipt_of(document)
        if receipt is not None and receipt.block_number != act.data["block"]:
            self._index.set_receipt(
                consent_id(document), block=receipt.block_number, transaction=receipt.transaction_hash
            )

    def _settle(self, document: Document, block: BlockNumber) -> None:
        if not isinstance(document, Grant):
            return
        if document.kind == Kind.DENY:
            self._restrictions.settle_deny(document.subject, consent_id(document), block=block)
        if document.supersedes != ABSENT:
            self._restrictions.settle_revocation(
                document.subject, document.supersedes, by=consent_id(document), block=block
            )

    def _signed(self, act: Act) -> SignedDocument:
        identity = ConsentId(bytes.fromhex(act.act_id))
        subject = SubjectId(int(act.data["subject"], 16))
        return SignedDocument.decode(
            self._sealer.open(act.data["sealed"], subject=subject, place=place_of(identity))
        )


def act_identity(act: Act, step: str = "") -> bytes:
    """The 16 bytes by which the audit log recognises the entry of an act that is driven again. ``step`` tells
    the entries of an act that leaves several apart."""
    name = f"{act.kind}:{act.act_id}:{step}" if step else f"{act.kind}:{act.act_id}"
    return hashlib.sha256(name.encode()).digest()[:16]


def _recorded(act: Act, identity: ConsentId) -> Recorded:
    transaction = act.data.get("transaction")
    return Recorded(
        consent_id=identity,
        block=act.data.get("block"),
        transaction=Bytes32(transaction) if transaction is not None else None,
    )

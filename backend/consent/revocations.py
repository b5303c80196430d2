"""Taking revocations: from anyone who has a signed one, at any time, effective from receipt (invariant 3).

A revocation is kept durably, enters the queue of restrictions, gets its audit entry, and is then
acknowledged. The chain follows behind. While the chain cannot be read, nobody is permitted anything, and a
revocation is
kept and checked as soon as it can be.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.authority import expected_signer, require_signed_by, revocation_for
from backend.consent.errors import SignedForSucceeded
from backend.consent.evidence import EvidenceBook
from backend.consent.evidence_store import ConsentIndex
from backend.consent.finality import final_block_with
from backend.consent.ledger_types import ConsentSlot, Receipt, RecordedStop, SubjectEvidence
from backend.consent.ports import FormerRegistry, Ledger
from backend.consent.relay import ConsentRelay
from backend.consent.restrictions import RestrictionQueue
from backend.consent.service import act_identity
from backend.consent.terms import ABSENT, Command, Delegation, Document, Grant, Kind, RevokeAll
from backend.consent.terms_json import from_json, to_json
from backend.consent.typed_data import Domain, consent_id
from backend.errors import Conflict, InvalidInput, LedgerUnavailable, NotFound, Unavailable
from backend.keystore import SecretNotFound
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, FAILED, Act, Advance
from backend.sealed import DocumentSealer
from backend.types import MAX_UINT32, Address, BlockNumber, ConsentId, SubjectId

_LOG = logging.getLogger("assent.consent")
ACT = "revocation"


class ConsentUnknown(NotFound):
    code = "consent_unknown"
    remedy = "Send the whole signed grant as 'document' with the revocation, so that its id can be checked."


class StopNotRecorded(Unavailable):
    """The chain refused a stop that was valid when it was received. It stays in force and is tried again."""

    code = "stop_not_recorded"
    remedy = "The stop is in force here. The operator looks at the log for the reason; it is tried again."


class EpochAhead(InvalidInput):
    code = "epoch_ahead"
    remedy = "Sign the subject's current epoch: take a new draft."


@dataclass(frozen=True, slots=True)
class Revocation:
    """A signed stop. ``consent`` None means everything of ``subject`` in ``epoch`` (RevokeAll).

    ``document`` is the grant or delegation itself, needed where it is not recorded and not known here.
    ``via`` is the chain of delegations when a delegate signed. ``desk`` is the staff member who ends a
    guardianship for the custodian: nobody signs then, and the contract allows it for its own subjects only.

    ``registry`` is the contract that it was signed for: one that was succeeded takes it as well, and counts
    epochs for itself. ``ends`` is the epoch that it ends in the contract that counts. Both are None until it
    was looked at.
    """

    signature: bytes = b""
    consent: ConsentId | None = None
    subject: SubjectId | None = None
    epoch: int | None = None
    document: Document | None = None
    via: tuple[Delegation, ...] = ()
    desk: str | None = None
    registry: Address | None = None
    ends: int | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The stop is in force. ``block`` is set once it is on the chain."""

    act_id: str
    subject: SubjectId
    block: BlockNumber | None


class RevocationService:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        index: ConsentIndex,
        evidence: EvidenceBook,
        ledger: Ledger,
        relay: ConsentRelay,
        sealer: DocumentSealer,
        restrictions: RestrictionQueue,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        domain: Domain,
        former: Sequence[FormerRegistry] = (),
        clock: Callable[[], int],
    ) -> None:
        """``former``: the contracts that ``domain``'s succeeded, newest first."""
        self._index = index
        self._evidence = evidence
        self._ledger = ledger
        self._relay = relay
        self._sealer = sealer
        self._restrictions = restrictions
        self._outbox = outbox
        self._driver = driver
        self._audit = audit
        self._domain = domain
        self._former: dict[str, FormerRegistry] = {each.domain.verifying_contract: each for each in former}
        self._clock = clock
        # Two stops may hold up the same: the last of them lifts it.
        self._lifting = threading.Lock()
        self._false: set[str] = set()
        outbox.register(ACT, {"received": self._log, "logged": self._relay_step, "relayed": self._settle})

    def revoke(self, revocation: Revocation) -> Acknowledged:
        """Put the stop in force and return. The same one again is acknowledged again.

        Raises ConsentUnknown, SignatureInvalid, WrongSigner and SignedForSucceeded when it can be checked and
        is not valid.
        """
        subject = self._subject_of(revocation)
        if revocation.desk is not None:
            self._require_guardianship(revocation, subject)
        revocation = self._placed_or_not(revocation, subject)
        if revocation.epoch is not None and self._is_past(revocation, subject):
            return Acknowledged(_act_id(revocation), subject, None)  # it took effect when it was current
        revocation = self._without_spare_document(revocation)
        # Nothing is permitted while the chain is away, so an unchecked stop takes nothing from anyone; the
        # relay step checks it, and a false one is dropped then.
        with suppress(LedgerUnavailable):
            self._require_authority(revocation, subject)
        act = self._outbox.begin(
            ACT, self._free_id(revocation), state="received", data=self._data(revocation, subject)
        )
        self._restrict(revocation, subject)
        act = self._outbox.drive(act, until="logged")
        if not act.is_over:
            self._driver.hand_over(act)
        return Acknowledged(act.act_id, subject, act.data.get("block"))

    def take_recorded(self, stop: RecordedStop) -> bool:
        """Put a stop that the chain has in a final block into the log; False where it is in it already.

        It was sent past this service, or while this one was down. The contract has checked it, and it needs
        no relaying; it counts at the head without this. The same one again changes nothing.
        """
        if self._is_known(stop):
            return False
        everything = stop.consent is None
        revocation = Revocation(
            stop.signature,
            stop.consent,
            stop.subject if everything else None,
            stop.epoch,
            registry=stop.registry,
            ends=stop.epoch if stop.registry not in self._former else self._last_ended(stop.subject),
        )
        recorded = {
            "block": stop.block,
            "at": stop.at,
            "transaction": bytes(stop.transaction),
            "sender": stop.sender.lower(),
            "by": stop.by,
        }
        act = self._outbox.begin(
            ACT,
            self._free_id(revocation),
            state="received",
            data={**self._data(revocation, stop.subject), "block": stop.block, "recorded": recorded},
        )
        self._outbox.drive(act)
        return True

    def _is_known(self, stop: RecordedStop) -> bool:
        """Whether this service took the stop, whoever's transaction recorded it, or the grant that ended it:
        then its log has it, or gets it from there."""
        if any(self._index.get(consent) is not None for consent in stop.granted):
            return True
        named = _name_of(stop.consent, stop.subject, stop.epoch)
        return any(
            act.state != FAILED and (stop.consent is not None or self._registry_of(act) == stop.registry)
            for act in self._outbox.named(ACT, named)
        )

    def _registry_of(self, act: Act) -> str:
        """Return what the act's stop was signed for; there was one contract when that was not noted."""
        oldest = next(reversed(self._former), self._domain.verifying_contract)
        return str(act.data.get("registry") or oldest)

    def _last_ended(self, subject: SubjectId) -> int:
        return self._evidence.subject(subject, to_restrict=True).epoch - 1

    def restore_restrictions(self) -> None:
        """Put every stop that is not final into the queue: at start-up, before the first decision."""
        for act in self._outbox.unfinished(ACT):
            self._restrict(_stop(act.data), _subject(act))

    def _lift(self, revocation: Revocation, subject: SubjectId) -> None:
        """Take a restriction out of the queue that is none, unless another stop holds up the same."""
        held = (subject, revocation.consent, _ended_by(revocation))
        for act in self._outbox.unfinished(ACT):
            other = _stop(act.data)
            same = (_subject(act), other.consent, _ended_by(other)) == held
            if same and act.act_id not in self._false:
                return
        self._release(revocation, subject, block=None)

    def _restrict(self, revocation: Revocation, subject: SubjectId) -> None:
        if revocation.consent is not None:
            self._restrictions.accept_revocation(subject, revocation.consent)
        elif (epoch := _ended_by(revocation)) is not None:
            self._restrictions.accept_revoke_all(subject, epoch)

    def _free_id(self, revocation: Revocation) -> str:
        """The id of this stop; another one where it was found false before, since what was missing then (such
        as a delegation under way) may be there now, and nothing may block a stop."""
        act_id = _act_id(revocation)
        while (earlier := self._outbox.find(ACT, act_id)) is not None and earlier.state == FAILED:
            act_id += "/again"
        return act_id

    def _subject_of(self, revocation: Revocation) -> SubjectId:
        if revocation.subject is not None:
            return revocation.subject
        if revocation.consent is None:
            raise ConsentUnknown(field="consent")
        row = self._index.get(revocation.consent)
        if row is not None:
            return row.subject
        if revocation.document is not None:
            if consent_id(revocation.document) != revocation.consent:
                raise ConsentUnknown("The document is not the one the id names.", field="document")
            return revocation.document.subject
        slot = self._slot(revocation.consent)
        if not slot.is_recorded:
            raise ConsentUnknown(field="consent")
        return slot.subject

    def _without_spare_document(self, revocation: Revocation) -> Revocation:
        """Leave away a document whose id is on the chain for good: it says what somebody consented to, and
        another custodian than theirs must not keep that.
        """
        if revocation.consent is None or revocation.document is None:
            return revocation
        if self._index.get(revocation.consent) is not None:
            return revocation  # it is kept here anyway
        with suppress(LedgerUnavailable):
            final = self._ledger.view().final_number
            if self._slot(revocation.consent, block=final).is_recorded:
                return replace(revocation, document=None)
        return revocation

    def _require_guardianship(self, revocation: Revocation, subject: SubjectId) -> None:
        """The desk ends what it checked, and nothing else: raise ConsentUnknown for any other document."""
        kept = self._evidence.documents(subject).get(revocation.consent or ABSENT)
        if kept is None or kept.document.kind != Kind.GUARDIANSHIP:
            raise ConsentUnknown("There is no such guardianship.", field="consent_id")

    def _is_past(self, revocation: Revocation, subject: SubjectId) -> bool:
        """Whether the epoch ended before. Raises EpochAhead for one that has not begun."""
        epoch = revocation.epoch or 0
        try:
            current = self._standing(subject, self._former.get(revocation.registry or "")).epoch
        except LedgerUnavailable:
            return False  # the contract ignores a stale one
        if epoch > current:
            raise EpochAhead(field="epoch")
        return epoch < current

    def _standing(self, subject: SubjectId, former: FormerRegistry | None) -> SubjectEvidence:
        """Return controller and epoch in the contract that counts, or in one that it succeeded."""
        if former is None:
            return self._evidence.subject(subject, to_restrict=True)
        return former.evidence(subject, (), block=self._ledger.shown().head_number)

    def _placed_or_not(self, revocation: Revocation, subject: SubjectId) -> Revocation:
        """Return it with the contract that it was signed for. While the chain cannot be asked which one that
        is, one of a whole epoch ends every epoch."""
        try:
            return self._placed(revocation, subject)
        except LedgerUnavailable:
            is_open = revocation.epoch is not None and self._former
            return replace(revocation, ends=MAX_UINT32) if is_open else revocation

    def _placed(self, revocation: Revocation, subject: SubjectId) -> Revocation:
        """Return it with the contract that it was signed for: the one that counts, unless another fits.

        Raises SignedForSucceeded where it ends nothing there that counts, LedgerUnavailable.
        """
        if revocation.registry is not None:
            return revocation
        here = replace(revocation, registry=self._domain.verifying_contract, ends=revocation.epoch)
        if revocation.desk is not None or not self._former or self._is_signed(here, subject):
            return here
        for address, former in self._former.items():
            there = replace(revocation, registry=Address(address))
            if self._is_signed(there, subject):
                self._require_counts(there, former)
                return replace(there, ends=self._ended_here(there, subject, former))
        return here

    def _ended_here(self, revocation: Revocation, subject: SubjectId, former: FormerRegistry) -> int | None:
        """Return the epoch here that ends with this one there: the current one with the current one, else
        the one that ended before it. Raises EpochAhead, LedgerUnavailable."""
        if revocation.epoch is None:
            return None
        ended = self._last_ended(subject)  # first: what is raised there in between is raised here with it
        current = self._standing(subject, former).epoch
        if revocation.epoch > current:
            raise EpochAhead(field="epoch")
        return ended + (revocation.epoch == current)

    def _require_counts(self, revocation: Revocation, former: FormerRegistry) -> None:
        """Raise SignedForSucceeded unless what ends there ends in the contract that counts: what that one
        adopted or does not have, and of it nothing that protects (docs/contracts.md, "Succession")."""
        if revocation.consent is None:
            return
        here = self._slot(revocation.consent)
        if here.is_recorded and (
            here.kind in (Kind.DENY, Kind.REFUSAL)
            or not self._slot(revocation.consent, of=former).is_recorded
        ):
            raise SignedForSucceeded(field="signature")

    def _is_signed(self, revocation: Revocation, subject: SubjectId) -> bool:
        try:
            self._require_authority(revocation, subject)
        except InvalidInput:
            return False
        return True

    def _require_authority(self, revocation: Revocation, subject: SubjectId) -> None:
        if revocation.desk is not None:
            return
        former = self._former.get(revocation.registry or "")
        controller = self._standing(subject, former).controller
        signer = expected_signer(None, controller, revocation.via)
        require_signed_by(
            command_of(revocation, subject),
            revocation.signature,
            signer,
            domain=self._domain if former is None else former.domain,
            relay=self._relay,
        )

    def _log(self, act: Act) -> Advance:
        revocation, subject = self._revocation(act), _subject(act)
        everything = revocation.consent is None
        recorded = act.data.get("recorded")
        detail: dict[str, DetailValue] = {}
        if everything and revocation.epoch is not None:
            detail["epoch"] = revocation.epoch
        if revocation.registry in self._former:
            detail["contract"] = revocation.registry or ""
        if recorded is not None:
            detail |= {name: recorded[name] for name in ("block", "transaction", "sender")}
        self._audit.append(
            AuditEvent(
                type=codes.CONSENT_REVOKED_ALL if everything else codes.CONSENT_REVOKED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=(act.created_at if recorded is None else recorded["at"]) * 1000,
                actor=_agent(revocation, subject, recorded),
                subject=subject,
                consents=() if revocation.consent is None else (revocation.consent,),
                queue_position=self._restrictions.pending_for(subject).position,
                detail=detail,
            ),
            act=act_identity(act),
        )
        return Advance("logged" if recorded is None else "relayed", {})

    def _relay_step(self, act: Act) -> Advance:
        revocation, subject = self._revocation(act), _subject(act)
        try:
            placed = self._placed(revocation, subject)
            self._require_authority(placed, subject)
        except InvalidInput:
            with self._lifting:
                self._false.add(act.act_id)  # the store has it unfinished until this step has ended
                self._lift(revocation, subject)
            raise
        if placed != revocation:
            # Durable before what it held up meanwhile goes on.
            return Advance("logged", {"registry": placed.registry, "ends": placed.ends})
        if self._former and revocation.epoch is not None:
            self._end_no_more_than(revocation, subject)
        try:
            receipt = self._send(revocation, subject)
        except Conflict as refusal:
            if self._is_ended(revocation, subject, self._ledger.shown().head_number):
                return Advance("relayed", {})  # somebody else's came into the block first
            # It was valid when it was received, and counts from then: what the chain lacks may come yet.
            _LOG.warning(
                "the chain refused to record a stop", extra={"code": refusal.code, "act": act.act_id}
            )
            raise StopNotRecorded from refusal
        # None: an earlier attempt of this step, or somebody else, was first.
        return Advance("relayed", {} if receipt is None else {"block": receipt.block_number})

    def _end_no_more_than(self, revocation: Revocation, subject: SubjectId) -> None:
        """End the stop's own epoch only; it ended every one while it was not known what it was signed for."""
        with self._lifting:
            self._restrict(revocation, subject)
            self._lift(replace(revocation, ends=MAX_UINT32), subject)

    def _send(self, revocation: Revocation, subject: SubjectId) -> Receipt | None:
        signature, via = revocation.signature, revocation.via
        former = self._former.get(revocation.registry or "")
        relay = former or self._relay
        if revocation.consent is None:
            return relay.revoke_all(subject, revocation.epoch or 0, signature, via=via)
        slot = self._slot(revocation.consent)
        if slot.is_recorded and slot.revoked_at:
            return None
        if revocation.desk is not None:
            return self._relay.end_guardianship(revocation.consent)
        if slot.is_recorded:
            return relay.revoke(revocation.consent, signature, via=via)
        document = revocation.document or self._kept_document(subject, revocation.consent)
        return relay.revoke_ahead(document, signature, via=via)

    def _settle(self, act: Act) -> Advance:
        revocation, subject = _stop(act.data), _subject(act)
        block = final_block_with(
            lambda number: self._is_ended(revocation, subject, number),
            act,
            ledger=self._ledger,
            now=self._clock(),
        )
        if block is None:
            _LOG.warning(
                "the block with a stop was replaced; it is recorded again", extra={"act": act.act_id}
            )
            return Advance("logged", {})
        self._release(revocation, subject, block=block)
        if self._index.of_subject(subject):
            return Advance(DONE, {})
        # A patient of another custodian: the chain needs neither any more, and nobody else may have them.
        return Advance(DONE, {"document": None, "via": None})

    def _is_ended(self, revocation: Revocation, subject: SubjectId, block: BlockNumber) -> bool:
        names = () if revocation.consent is None else (revocation.consent,)
        found = self._ledger.evidence(subject, names, block=block)
        if names:
            return bool(found.slots[0].revoked_at)
        return found.epoch > (_ended_by(revocation) or 0)

    def _release(self, revocation: Revocation, subject: SubjectId, *, block: BlockNumber | None) -> None:
        if revocation.consent is not None:
            self._restrictions.settle_revocation(subject, revocation.consent, block=block)
        elif (epoch := _ended_by(revocation)) is not None:
            self._restrictions.settle_revoke_all(subject, epoch, block=block)

    def _kept_document(self, subject: SubjectId, consent: ConsentId) -> Document:
        prepared = self._evidence.documents(subject).get(consent)
        if prepared is None:
            raise ConsentUnknown(field="consent")
        return prepared.document

    def _slot(
        self, consent: ConsentId, *, block: BlockNumber | None = None, of: FormerRegistry | None = None
    ) -> ConsentSlot:
        # A stop is recorded also while nothing is permitted.
        number = self._ledger.shown().head_number if block is None else block
        # The subject does not matter for the slots of a call.
        return (of or self._ledger).evidence(SubjectId(1), (consent,), block=number).slots[0]

    def _data(self, revocation: Revocation, subject: SubjectId) -> dict[str, Any]:
        document = revocation.document
        digest = hashlib.sha256(_act_id(revocation).encode()).digest()

        # Nobody who was erased gets a key again; the stop itself counts as any other.
        erased = self._restrictions.erases(subject) and not self._sealer.has_key(subject)

        def sealed(value: Any, part: str) -> bytes | None:
            # A document says what somebody consented to; the index holds that encrypted only.
            if erased or not value:
                return None
            return self._sealer.seal(
                json.dumps(value).encode(), subject=subject, place=place_of(digest, part)
            )

        return {
            "digest": digest,
            "subject": f"{subject:024x}",
            "consent": revocation.consent,
            "epoch": revocation.epoch,
            "signature": revocation.signature,
            "document": sealed(document and [type(document).__name__, to_json(document)], "document"),
            "via": sealed([to_json(delegation) for delegation in revocation.via], "via"),
            "desk": revocation.desk,
            "registry": revocation.registry,
            "ends": revocation.ends,
        }

    def _revocation(self, act: Act) -> Revocation:
        """Return the stop with its documents; without them where the patient was erased meanwhile."""
        data = act.data

        def opened(part: str) -> Any:
            if data[part] is None:
                return None
            place = place_of(data["digest"], part)
            return json.loads(self._sealer.open(data[part], subject=_subject(act), place=place))

        document: Document | None = None
        via: list[Any] = []
        with suppress(SecretNotFound):
            via = opened("via") or []
            if (found := opened("document")) is not None:
                kind, message = found
                document = from_json(Grant, message) if kind == "Grant" else from_json(Delegation, message)
        delegations = tuple(from_json(Delegation, delegation) for delegation in via)
        return replace(_stop(data), document=document, via=delegations)


def command_of(revocation: Revocation, subject: SubjectId) -> Command:
    """Return what is signed for it."""
    if revocation.consent is None:
        return RevokeAll(subject, revocation.epoch or 0)
    return revocation_for(revocation.consent, revocation.via)


def _act_id(revocation: Revocation) -> str:
    # The signature is part of it: a false stop, taken while the chain could not be asked, must never stand in
    # the place of a true one.
    # Without a signature the contract tells apart what two of them have.
    unsigned = revocation.desk or ("" if revocation.signature else revocation.registry or "")
    signed = hashlib.sha256(revocation.signature + unsigned.encode()).hexdigest()[:16]
    return _name_of(revocation.consent, revocation.subject, revocation.epoch) + signed


def _name_of(consent: ConsentId | None, subject: SubjectId | None, epoch: int | None) -> str:
    """What the ids of all acts begin with that stop the same."""
    return f"all/{subject or 0:024x}/{epoch}/" if consent is None else f"{consent.hex()}/"


def _subject(act: Act) -> SubjectId:
    return SubjectId(int(act.data["subject"], 16))


def _agent(revocation: Revocation, subject: SubjectId, recorded: Mapping[str, Any] | None) -> Agent:
    if recorded is not None and recorded["by"] is not None:
        return Agent.account(recorded["by"])
    if revocation.desk is not None:
        return Agent(AgentKind.STAFF, revocation.desk)
    if revocation.via:
        return Agent.account(revocation.via[0].delegate)
    return Agent(AgentKind.SUBJECT, f"{subject:024x}")


def place_of(digest: bytes, part: str) -> str:
    """Return where a document that came with a stop is sealed for. ``part``: "document" or "via"."""
    return f"revocations/{digest.hex()}/{part}"


def _stop(data: Mapping[str, Any]) -> Revocation:
    """Return what an act stops, without the documents that the relay needs."""
    consent = data["consent"]
    return Revocation(
        signature=data["signature"],
        consent=None if consent is None else ConsentId(consent),
        subject=SubjectId(int(data["subject"], 16)),
        epoch=data["epoch"],
        desk=data["desk"],
        # Neither was kept when there was one contract, and its epochs were those that count.
        registry=None if data.get("registry") is None else Address(data["registry"]),
        ends=data.get("ends"),
    )


def _ended_by(revocation: Revocation) -> int | None:
    """Return the epoch that it ends, as the contract that counts has them; None for a single consent."""
    return revocation.epoch if revocation.ends is None else revocation.ends

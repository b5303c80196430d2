"""Consents on paper: brought by the desk, signed by two witnesses, recorded by one act, stopped by one clerk.

The patient has no wallet, so the two sign for the patient under a guardianship that they take on for this
paper alone. Both also sign its revocation beforehand; that stays sealed until somebody at the desk records a
stop.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.drafting import DelegationWish, Drafter, Wish
from backend.consent.errors import SignatureInvalid
from backend.consent.evidence import EvidenceBook
from backend.consent.ledger_types import NOBODY
from backend.consent.paper_errors import (
    NotTheWitness,
    PaperChanged,
    PaperLapsed,
    PaperStopped,
    PaperUnknown,
    PatientHasWallet,
    ScanDiffers,
    WitnessUnfit,
)
from backend.consent.paper_recording import PaperRecording
from backend.consent.paper_types import (
    Pairs,
    Paper,
    PaperState,
    PaperStore,
    Signatures,
    Witness,
    scan_place_of,
)
from backend.consent.revocations import Revocation, RevocationService
from backend.consent.scans import require_acceptable
from backend.consent.subset import check_given_under
from backend.consent.tables import Tables
from backend.consent.terms import Kind, Power
from backend.consent.typed_data import Domain, digest, recover
from backend.consent.validation import check_delegation, check_grant
from backend.consent.witnessed import MAX_SECONDS, RELATIONSHIP, Pair
from backend.errors import InvalidInput
from backend.identity.enrolment import EnrolmentService
from backend.identity.roles import Role
from backend.identity.staff import StaffAccounts
from backend.identity.types import StaffAccount
from backend.sealed import DocumentSealer
from backend.types import Address, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

SIGN_WITHIN_SECONDS: Final = 7 * 24 * 3600
_SUBMIT_SECONDS: Final = SIGN_WITHIN_SECONDS + 24 * 3600  # so that a chain that was away does not undo it


class PaperConsents:
    def __init__(
        self,
        *,
        tenant: MemberId,
        store: PaperStore,
        sealer: DocumentSealer,
        staff: StaffAccounts,
        enrolments: EnrolmentService,
        evidence: EvidenceBook,
        drafter: Drafter,
        tables: Tables,
        pairs: Pairs,
        recording: PaperRecording,
        revocations: RevocationService,
        audit: AuditLog,
        domain: Domain,
        signed_since: UnixSeconds,
        clock: Callable[[], int],
    ) -> None:
        """``signed_since``: when the contract of ``domain`` took over from another one, 0 for the first."""
        self._tenant = tenant
        self._store = store
        self._sealer = sealer
        self._staff = staff
        self._enrolments = enrolments
        self._evidence = evidence
        self._drafter = drafter
        self._tables = tables
        self._pairs = pairs
        self._recording = recording
        self._revocations = revocations
        self._audit = audit
        self._domain = domain
        self._signed_since = signed_since
        self._clock = clock

    def bring(
        self,
        scan: bytes,
        *,
        media_type: str,
        expected: Bytes32,
        wish: Wish,
        subject: SubjectId,
        witnesses: Sequence[str],
        language: str,
        notice: Bytes32 | None = None,
        by: str,
    ) -> Paper:
        """Keep a scan and draft what its two witnesses (staff ids) sign. Nothing counts yet.

        ``expected``: SHA-256 of the scan. Raises ScanDiffers, ScanUnacceptable, NotFound for nobody enrolled,
        PatientHasWallet, WitnessUnfit, InvalidTerms and what a draft raises.
        """
        require_acceptable(scan, media_type)
        if hashlib.sha256(scan).digest() != expected:
            raise ScanDiffers(field="sha256")
        self._require_without_wallet(subject)
        found = tuple(self._witness(name) for name in witnesses)
        if len(found) != 2 or found[0].staff_id == found[1].staff_id or found[0].account == found[1].account:
            raise WitnessUnfit(field="witnesses")
        first, second = found
        pair = Pair(first.account, second.account, Bytes32(secrets.token_bytes(32)))
        now = UnixSeconds(self._clock())
        wish = replace(wish, not_before=UnixSeconds(max(wish.not_before, now)))
        if wish.kind != Kind.PERMIT or wish.not_after - now > MAX_SECONDS:
            raise InvalidInput("A paper permits for twelve months at most.", field="not_after")
        delegation = self._drafter.delegation(
            DelegationWish(
                delegate=self._pairs.address_of(pair),
                powers=Power.GRANT | Power.REVOKE,
                purposes=wish.purposes,
                categories=wish.categories,
                sensitivities=wish.sensitivities,
                not_before=now,
                not_after=wish.not_after,
                relationship=RELATIONSHIP,
                kind=Kind.GUARDIANSHIP,
                evidence=expected,
            ),
            subject=subject,
            epoch=self._evidence.subject(subject).epoch,
            now=now,
            language=language,
            notice=notice,
        )
        grant = self._drafter.grant(
            wish, subject=subject, epoch=delegation.epoch, now=now, language=language, notice=notice
        )
        submit_by = UnixSeconds(now + _SUBMIT_SECONDS)  # no part of the summary
        delegation, grant = replace(delegation, submit_by=submit_by), replace(grant, submit_by=submit_by)
        check_delegation(delegation, self._tables)
        check_grant(grant, self._tables)
        check_given_under(grant, (delegation,))
        paper = Paper(
            paper_id=secrets.token_hex(16),
            subject=subject,
            media_type=media_type,
            digest=expected,
            witnesses=(first, second),
            pair=pair,
            delegation=delegation,
            grant=grant,
            brought_by=by,
            brought_at=now,
            lapses_at=UnixSeconds(now + SIGN_WITHIN_SECONDS),
        )
        self._log(codes.PAPER_BROUGHT, paper, by, scan=bytes(expected))
        place = scan_place_of(paper.paper_id)
        self._store.insert(
            replace(self._recording.sealed(paper), scan=self._sealer.seal(scan, subject=subject, place=place))
        )
        return paper

    def sign(self, paper_id: str, signatures: Signatures, *, by: str) -> Paper:
        """Take a witness's signatures; with the second witness's the consent is recorded. Again is harmless.

        Raises PaperUnknown, NotTheWitness, WitnessUnfit, SignatureInvalid, PaperLapsed, PaperStopped,
        PaperChanged; ActFailed when the chain refused it; LedgerUnavailable when it will be recorded once the
        chain answers.
        """
        paper = self.get(paper_id)
        witness = next((each for each in paper.witnesses if each.staff_id == by), None)
        if witness is None:
            raise NotTheWitness
        if paper.state == PaperState.STOPPED:
            raise PaperStopped
        if by not in paper.signatures:
            if self.is_lapsed(paper):
                raise PaperLapsed
            for each in paper.witnesses:  # both, so that neither lost the office while the other waited
                if self._witness(each.staff_id) != each:
                    raise WitnessUnfit(field="witnesses")
            signed = self._checked(paper, witness, signatures)
            self._log(codes.PAPER_WITNESSED, paper, by, scan=bytes(paper.digest))
            found = {**paper.signatures, by: signed}
            state = PaperState.SIGNED if len(found) == len(paper.witnesses) else PaperState.OPEN
            paper = self._put(paper.changed(signatures=found, state=state))
        if paper.state == PaperState.SIGNED:
            self._recording.record(paper)
            paper = self.get(paper_id)
        return paper

    def stop(self, paper_id: str, *, by: str) -> Paper:
        """Put a stop in force, as one member of staff; it counts when this returns. Again is harmless.

        Raises PaperUnknown.
        """
        while (paper := self.get(paper_id)).state != PaperState.STOPPED:
            with suppress(PaperChanged):  # nothing may block a stop: the other change is over by now
                self._put(paper.changed(state=PaperState.STOPPED))
        self._log(codes.PAPER_STOPPED, paper, by)
        signed = paper.joined()
        if signed is not None and self._recording.may_have_granted(paper):
            self._revocations.revoke(
                Revocation(
                    signature=signed.stop,
                    consent=paper.consent_id,
                    subject=paper.subject,
                    document=paper.grant,
                    via=(paper.delegation,),
                )
            )
        return paper

    def get(self, paper_id: str) -> Paper:
        row = self._store.get(paper_id)
        if row is None:
            raise PaperUnknown
        return self._recording.opened(row)

    @property
    def factory(self) -> Address:
        """The contract that makes the accounts of witnesses."""
        return self._pairs.address

    def of_consent(self, consent: ConsentId) -> Paper | None:
        """Return the paper on which this consent was given, None for any other consent."""
        row = self._store.of_consent(consent)
        paper = None if row is None else self._recording.opened(row)
        return paper if paper is not None and paper.consent_id == consent else None

    def waiting(self) -> list[Paper]:
        """Papers that a witness has not signed, and that have not lapsed."""
        found = map(self._recording.opened, self._store.in_state(PaperState.OPEN))
        return [paper for paper in found if not self.is_lapsed(paper)]

    def is_lapsed(self, paper: Paper) -> bool:
        """Whether it can be signed no more: it is late, or who signed first did for another contract."""
        over = self._clock() >= paper.lapses_at or paper.brought_at < self._signed_since
        return paper.state == PaperState.OPEN and over

    def scan(self, paper_id: str, *, by: str) -> tuple[bytes, str]:
        """Return the scan and its media type, after the entry that says who saw it."""
        paper = self.get(paper_id)
        sealed = self._store.scan(paper_id) or b""
        scan = self._sealer.open(sealed, subject=paper.subject, place=scan_place_of(paper_id))
        self._log(codes.CONSENT_READ, paper, by, outcome=Outcome.PERMITTED, scan=bytes(paper.digest))
        return scan, paper.media_type

    def _require_without_wallet(self, subject: SubjectId) -> None:
        self._enrolments.person(subject)  # raises NotFound for nobody
        if self._enrolments.account_of(subject) is not None:
            raise PatientHasWallet
        if self._evidence.subject(subject).controller != NOBODY:
            raise PatientHasWallet

    def _witness(self, staff_id: str) -> Witness:
        """Return who may witness now. Raises StaffUnknown, WitnessUnfit."""
        found: StaffAccount = self._staff.get(staff_id)
        fit = Role.WITNESS in found.roles and found.member_id == self._tenant and not found.disabled
        if not fit or found.account is None:
            raise WitnessUnfit(field="witnesses")
        return Witness(found.staff_id, found.account)

    def _checked(self, paper: Paper, witness: Witness, given: Signatures) -> Signatures:
        """Return the signatures in the one form that the pair's contract takes."""
        commands = dict(zip(("delegation", "grant", "stop"), paper.commands(), strict=True))
        found = {}
        for name, command in commands.items():
            signature: bytes = getattr(given, name)
            try:
                signer = recover(digest(command, self._domain), signature)
            except SignatureInvalid as refusal:
                raise SignatureInvalid(refusal.detail, field=name) from refusal
            if signer != witness.account:
                raise NotTheWitness(field=name)
            found[name] = signature[:64] + bytes([signature[64] % 27 + 27])
        return Signatures(**found)

    def _put(self, paper: Paper) -> Paper:
        if not self._store.replace(self._recording.sealed(paper)):
            raise PaperChanged
        return paper

    def _log(
        self, kind: str, paper: Paper, by: str, *, outcome: Outcome = Outcome.CHANGED, **detail: DetailValue
    ) -> None:
        # A step that is taken again after a crash is one entry.
        act = None if outcome is Outcome.PERMITTED else _identity(kind, paper.paper_id, by)
        self._audit.append(
            AuditEvent(
                type=kind,
                outcome=outcome,
                occurred_at_ms=self._clock() * 1000,
                actor=Agent(AgentKind.STAFF, by),
                organisation=self._tenant,
                subject=paper.subject,
                consents=(paper.consent_id,),
                detail={"paper": paper.paper_id, **detail},
            ),
            act=act,
        )


def _identity(*parts: str) -> bytes:
    return hashlib.sha256("/".join(parts).encode()).digest()[:16]

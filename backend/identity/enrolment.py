"""Enrolment: staff who checked who somebody is issue a code; the person's wallet claims it, once.

One document an enrolment, moved by compare-and-swap, so that of any number of claims one wins and a crash at
any instruction leaves either an unclaimed code or a claim that the same call completes.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from backend.errors import AssentError, NotFound, Unavailable
from backend.identity.codes import Code
from backend.identity.errors import (
    ClaimNotByGuardian,
    ClaimSignatureInvalid,
    EnrolmentAlreadyClaimed,
    EnrolmentCodeExpired,
    EnrolmentCodeRefused,
    RecordAlreadyEnrolled,
)
from backend.identity.people import People, evidence_digest, normal_record_number, require_acceptable
from backend.identity.ports import EnrolmentStore, IdentityAudit, SubjectCommands
from backend.identity.seal import Sealer
from backend.identity.standing import Standing
from backend.identity.types import Claim, Enrolment, Guardian, IssuedCode, Person
from backend.keystore import KeyStore
from backend.token_keys import token_key
from backend.types import Address, SubjectId, UnixSeconds

CODE_SECONDS: Final = 7 * 24 * 3600
MAX_ATTEMPTS: Final = 5
_DRAWS: Final = 8  # a prefix of 25 bits may be taken


class EnrolmentService:
    def __init__(
        self,
        *,
        store: EnrolmentStore,
        people: People,
        commands: SubjectCommands,
        standing: Standing,
        keys: KeyStore,
        sealer: Sealer,
        audit: IdentityAudit,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._people = people
        self._commands = commands
        self._standing = standing
        self._code_key = token_key(keys, "identity/enrolment-codes")
        self._sealer = sealer
        self._audit = audit
        self._clock = clock

    def issue(
        self,
        record_number: str,
        *,
        name: str,
        birth_date: str | None,
        guardians: Sequence[Guardian] = (),
        checked_by: str,
    ) -> IssuedCode:
        """Issue a code for a person, or the guardians of a child, whom ``checked_by`` (staff id) checked.

        A code not yet claimed is replaced by a new one, which keeps the subject id. Raises
        RecordAlreadyEnrolled, RecordNumberInvalid, PersonInvalid.
        """
        now = UnixSeconds(self._clock())
        person = Person(
            record_number=normal_record_number(record_number),
            name=name.strip(),
            birth_date=birth_date,
            checked_by=checked_by,
            checked_at=now,
            guardians=tuple(guardians),
            evidence_salt=secrets.token_bytes(32),
        )
        require_acceptable(person)
        indexes = self._people.indexes(record_number)
        for _ in range(_DRAWS):
            earlier = next(filter(None, map(self._store.by_record_index, indexes)), None)
            if earlier is not None and (self._sealer.check(earlier).account is not None or earlier.opened):
                raise RecordAlreadyEnrolled
            subject_id = SubjectId(secrets.randbits(96) or 1) if earlier is None else earlier.subject_id
            code = Code.new()
            issued = self._sealer.seal(
                Enrolment(
                    subject_id=subject_id,
                    record_index=indexes[0],
                    person=self._people.seal(person, subject_id),
                    is_child=bool(guardians),
                    code_prefix=code.prefix,
                    code_hash=self._hash(code, subject_id),
                    code_expires_at=UnixSeconds(now + CODE_SECONDS),
                    issued_at=now,
                    revision=1 if earlier is None else earlier.revision + 1,
                )
            )
            if self._store.insert(issued) if earlier is None else self._store.replace(issued):
                self._audit.enrolment_code_issued(
                    subject_id=subject_id, by=checked_by, evidence=evidence_digest(person)
                )
                return IssuedCode(code=code.text, subject_id=subject_id, expires_at=issued.code_expires_at)
        raise Unavailable("No free code was found.")

    def draft(self, typed: str, account: Address) -> Mapping[str, Any]:
        """Return the typed data that ``account`` signs to claim the code. Raises as ``claim``."""
        enrolment = self._open_code(typed, account)
        self._require_unclaimed_or_of(enrolment, account)
        person = self._people.open(enrolment.person, enrolment.subject_id)
        guardian = _guardian(person, account)
        return self._commands.draft(enrolment.subject_id, account, guardian, evidence_digest(person))

    def claim(self, typed: str, account: Address, *, message: Mapping[str, Any], signature: bytes) -> Claim:
        """Bind the subject to the account that signed. The same claim again gives the same answer.

        The same account may sign anew (a deadline has passed) until its subject is open on chain. Raises
        EnrolmentCodeMalformed, EnrolmentCodeRefused, EnrolmentCodeExpired, EnrolmentAlreadyClaimed,
        ClaimNotByGuardian, ClaimSignatureInvalid.
        """
        try:
            enrolment = self._open_code(typed, account)
            return self._claim(enrolment, account, message, signature)
        except AssentError as refusal:
            self._audit.enrolment_refused(account=account, code=refusal.code)
            raise

    def mark_opened(self, subject_id: SubjectId) -> None:
        """Note that the chain has the subject: the claim can no longer be signed anew, and where there was
        none, as for a patient who consents on paper, none can be made."""
        self._store.mark_opened(subject_id)

    def recovered(self, subject_id: SubjectId, account: Address) -> None:
        """Have another account stand for the subject, as the chain has it. Again, and for nobody enrolled,
        it does nothing."""
        while (found := self._store.get(subject_id)) is not None:
            enrolment = self._sealer.check(found)
            if enrolment.account == account:
                break
            moved = replace(enrolment, account=account, revision=enrolment.revision + 1)
            if self._store.replace(self._sealer.seal(moved)):
                break
        self._standing.changed()

    def unopened(self) -> Sequence[Claim]:
        """Return the claims whose subjects are not open on chain: what a crash may have left."""
        return [self._as_claim(self._sealer.check(enrolment)) for enrolment in self._store.unopened()]

    def person(self, subject_id: SubjectId) -> Person:
        """Return who the subject is, for the patient and the identity desk. Raises NotFound."""
        enrolment = self._store.get(subject_id)
        if enrolment is None:
            raise NotFound
        return self._people.open(self._sealer.check(enrolment).person, subject_id)

    def subjects(self) -> Sequence[SubjectId]:
        """Return everybody who was ever enrolled."""
        return self._store.subjects()

    def is_enrolled(self, subject_id: SubjectId) -> bool:
        """Whether this is a patient here, with an account or without. Raises Unavailable."""
        return self._store.get(subject_id) is not None

    def forget(self) -> None:
        """Forget for whom accounts act: an enrolment was erased."""
        self._standing.changed()

    def subjects_of(self, account: Address) -> frozenset[SubjectId]:
        """Return the subjects the account enrolled as itself, not those it acts for."""
        return self._standing.own_subjects(account)

    def account_of(self, subject_id: SubjectId) -> Address | None:
        """Return the account that claimed the subject, or None."""
        enrolment = self._store.get(subject_id)
        return None if enrolment is None else self._sealer.check(enrolment).account

    def _claim(
        self, enrolment: Enrolment, account: Address, message: Mapping[str, Any], signature: bytes
    ) -> Claim:
        self._require_unclaimed_or_of(enrolment, account)
        if enrolment.account is not None and (
            enrolment.opened or self._claimed_with(enrolment, message, signature)
        ):
            if not enrolment.opened:
                # The call that claimed may have died before its entry: twice is better than never.
                self._audit.enrolment_claimed(subject_id=enrolment.subject_id, account=account)
            return self._as_claim(enrolment)
        person = self._people.open(enrolment.person, enrolment.subject_id)
        if not self._commands.verify(
            enrolment.subject_id,
            account,
            _guardian(person, account),
            evidence_digest(person),
            message=message,
            signature=signature,
        ):
            raise ClaimSignatureInvalid(field="signature")
        claimed = self._sealer.seal(
            replace(
                enrolment,
                account=account,
                claim_message=self._people.seal_claim(message, enrolment.subject_id),
                claim_signature=signature,
                claimed_at=UnixSeconds(self._clock()),
                revision=enrolment.revision + 1,
            )
        )
        if not self._store.replace(claimed):
            return self._after_lost_race(enrolment.subject_id, account, message, signature)
        self._standing.changed()
        self._audit.enrolment_claimed(subject_id=enrolment.subject_id, account=account)
        return self._as_claim(claimed)

    def _after_lost_race(
        self, subject_id: SubjectId, account: Address, message: Mapping[str, Any], signature: bytes
    ) -> Claim:
        winner = self._store.get(subject_id)
        if winner is None or self._sealer.check(winner).account != account:
            raise EnrolmentAlreadyClaimed
        if not self._claimed_with(winner, message, signature):
            raise EnrolmentAlreadyClaimed
        return self._as_claim(winner)

    def _claimed_with(self, enrolment: Enrolment, message: Mapping[str, Any], signature: bytes) -> bool:
        return enrolment.claim_signature == signature and self._claim_message(enrolment) == message

    def _claim_message(self, enrolment: Enrolment) -> dict[str, Any]:
        return self._people.open_claim(enrolment.claim_message, enrolment.subject_id)

    def _open_code(self, typed: str, account: Address) -> Enrolment:
        """Return the enrolment of a right code that has not expired for ``account``; count a wrong one."""
        code = Code.parse(typed)
        enrolment = self._store.count_attempt(code.prefix, limit=MAX_ATTEMPTS)
        if enrolment is None:
            raise EnrolmentCodeRefused
        if not hmac.compare_digest(
            self._sealer.check(enrolment).code_hash, self._hash(code, enrolment.subject_id)
        ):
            raise EnrolmentCodeRefused
        self._store.clear_attempts(code.prefix)
        # A claim made in time may be completed later.
        if enrolment.account != account and self._clock() >= enrolment.code_expires_at:
            raise EnrolmentCodeExpired
        return enrolment

    def _require_unclaimed_or_of(self, enrolment: Enrolment, account: Address) -> None:
        if enrolment.account != account and (enrolment.account is not None or enrolment.opened):
            raise EnrolmentAlreadyClaimed  # opened without an account: the patient consented on paper

    def _hash(self, code: Code, subject_id: SubjectId) -> bytes:
        # Keyed: 65 bits could be searched by somebody with a copy of the index and much hardware.
        text = f"{code.prefix}{code.secret}/{subject_id:024x}"
        return hmac.digest(self._code_key, text.encode(), "sha256")

    def _as_claim(self, enrolment: Enrolment) -> Claim:
        if enrolment.account is None:
            raise EnrolmentCodeRefused
        guardian = None
        if enrolment.is_child:
            person = self._people.open(enrolment.person, enrolment.subject_id)
            guardian = _guardian(person, enrolment.account)
        return Claim(
            subject_id=enrolment.subject_id,
            account=enrolment.account,
            guardian=guardian,
            message=self._claim_message(enrolment),
            signature=enrolment.claim_signature,
            opened=enrolment.opened,
        )


def _guardian(person: Person, account: Address) -> Guardian | None:
    """Return which guardian the account is; None for a person who needs none."""
    if not person.guardians:
        return None
    for guardian in person.guardians:
        if guardian.account == account:
            return guardian
    raise ClaimNotByGuardian

"""Enrolment: a code serves once, for the person it was made for, through races and crashes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.errors import NotPermitted, Unavailable
from backend.identity.codes import Code
from backend.identity.enrolment import CODE_SECONDS
from backend.identity.errors import (
    ClaimNotByGuardian,
    ClaimSignatureInvalid,
    EnrolmentAlreadyClaimed,
    EnrolmentCodeExpired,
    EnrolmentCodeMalformed,
    EnrolmentCodeRefused,
    IdentityRecordTampered,
    PersonInvalid,
    RecordAlreadyEnrolled,
    RecordNumberInvalid,
)
from backend.identity.people import evidence_digest
from backend.identity.roles import Role
from backend.identity.types import Guardian
from backend.keystore import SecretNotFound
from backend.types import MAX_SUBJECT_ID, SubjectId
from tests.unit.identity.memory import MemoryEnrolmentStore
from tests.unit.identity.world import (
    CLINIC,
    OTHER_PARENT,
    PARENT,
    PASSWORD,
    PATIENT,
    STRANGER,
    Wallet,
    World,
    at_once,
    sign_command,
)

MOTHER = Guardian(PARENT.account, "MTH", "birth certificate 1")
FATHER = Guardian(OTHER_PARENT.account, "FTH", "birth certificate 1")


def _store(world: World) -> MemoryEnrolmentStore:
    assert isinstance(world.stores.enrolments, MemoryEnrolmentStore)
    return world.stores.enrolments


def _wrong(code: str) -> str:
    """Another well-formed code of the same prefix."""
    right = Code.parse(code)
    return Code(right.prefix, right.secret[::-1][:-1] + ("0" if right.secret[0] != "0" else "1")).text


def test_claim_binds_the_subject_to_the_account_that_signed(world: World) -> None:
    issued = world.issue()
    claim = world.claim(issued.code, PATIENT)
    assert (claim.subject_id, claim.account, claim.guardian) == (issued.subject_id, PATIENT.account, None)
    assert 0 < claim.subject_id <= MAX_SUBJECT_ID
    assert world.enrolments.account_of(issued.subject_id) == PATIENT.account
    assert world.audit.names() == ["enrolment_code_issued", "enrolment_claimed"]


def test_subjects_of_an_account_are_those_it_enrolled_as_and_not_those_it_acts_for(world: World) -> None:
    own = world.claim(world.issue().code, PARENT).subject_id
    child = world.claim(world.issue(MOTHER).code, PARENT).subject_id
    delegated = SubjectId(child ^ 1)
    world.delegated[PARENT.account] = {child, delegated}
    world.standing.changed()
    assert world.enrolments.subjects_of(PARENT.account) == {own}
    assert world.standing.subjects_of(PARENT.account) == {own, child, delegated}
    assert world.enrolments.subjects_of(STRANGER.account) == frozenset()


def test_recovered_subject_is_the_other_accounts_and_its_mark_holds(world: World) -> None:
    claimed = world.claim(world.issue().code, PATIENT)
    for _ in range(2):
        world.enrolments.recovered(claimed.subject_id, STRANGER.account)
    world.enrolments.recovered(SubjectId(MAX_SUBJECT_ID), STRANGER.account)  # nobody: nothing
    assert world.enrolments.account_of(claimed.subject_id) == STRANGER.account
    assert world.enrolments.subjects_of(STRANGER.account) == {claimed.subject_id}
    assert world.enrolments.subjects_of(PATIENT.account) == frozenset()


def test_claim_by_a_second_account_is_refused_and_audited(world: World) -> None:
    issued = world.issue()
    world.claim(issued.code, PATIENT)
    with pytest.raises(EnrolmentAlreadyClaimed):
        world.enrolments.claim(issued.code, STRANGER.account, message={}, signature=b"")
    with pytest.raises(EnrolmentAlreadyClaimed):
        world.enrolments.draft(issued.code, STRANGER.account)
    assert world.audit.events[-1] == (
        "enrolment_refused",
        {"account": STRANGER.account, "code": "enrolment_already_claimed"},
    )


def test_claim_again_with_the_same_signature_gives_the_same_answer(world: World) -> None:
    issued = world.issue()
    first = world.claim(issued.code, PATIENT)
    world.clock.now += CODE_SECONDS
    assert world.claim(issued.code, PATIENT) == first


def test_claim_that_crashed_before_its_audit_entry_is_completed_by_a_retry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = world.issue()

    def crash(**_: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(world.audit, "enrolment_claimed", crash, raising=False)
        with pytest.raises(Unavailable):
            world.claim(issued.code, PATIENT)
    claim = world.claim(issued.code, PATIENT)
    assert claim.account == PATIENT.account
    assert "enrolment_claimed" in world.audit.names()


def test_claim_signed_anew_by_the_same_account_replaces_one_not_yet_on_chain(world: World) -> None:
    issued = world.issue()
    world.claim(issued.code, PATIENT)
    message = {**world.enrolments.draft(issued.code, PATIENT.account), "again": 1}
    assert world.claim(issued.code, PATIENT, message=message).message == message
    world.enrolments.mark_opened(issued.subject_id)
    later = {**message, "again": 2}
    assert world.claim(issued.code, PATIENT, message=later).message == message


def test_claim_from_twenty_accounts_at_once_is_won_by_one(world: World) -> None:
    issued = world.issue()
    wallets = (PATIENT, PARENT, OTHER_PARENT, STRANGER)
    messages = [world.enrolments.draft(issued.code, wallet.account) for wallet in wallets]

    def claim(number: int) -> Any:
        wallet = wallets[number % 4]
        message = messages[number % 4]
        for _ in range(5000):
            try:
                return world.enrolments.claim(
                    issued.code, wallet.account, message=message, signature=sign_command(wallet, message)
                )
            except EnrolmentCodeRefused:  # more than five in the air at once: tried again, as a person would
                continue
        raise AssertionError("never got through")

    won, refused = at_once(20, claim)
    assert len({claim.account for claim in won}) == 1
    assert len(won) == 5  # the winner's retries get its answer
    assert {refusal.code for refusal in refused} == {EnrolmentAlreadyClaimed.code}
    assert world.enrolments.account_of(issued.subject_id) == won[0].account


@pytest.mark.parametrize("signer", [STRANGER, PARENT])
def test_claim_with_another_accounts_signature_is_refused(world: World, signer: Wallet) -> None:
    issued = world.issue()
    message = world.enrolments.draft(issued.code, PATIENT.account)
    with pytest.raises(ClaimSignatureInvalid):
        world.enrolments.claim(
            issued.code, PATIENT.account, message=message, signature=sign_command(signer, message)
        )
    assert world.enrolments.account_of(issued.subject_id) is None


def test_claim_of_another_subject_than_the_codes_is_refused(world: World) -> None:
    mine, other = world.issue(), world.issue()
    message = world.enrolments.draft(other.code, PATIENT.account)
    with pytest.raises(ClaimSignatureInvalid):
        world.claim(mine.code, PATIENT, message=message)


def test_claim_after_seven_days_is_refused(world: World) -> None:
    early, late = world.issue(), world.issue()
    world.clock.now += CODE_SECONDS - 1
    world.claim(early.code, PATIENT)
    world.clock.now += 1
    with pytest.raises(EnrolmentCodeExpired):
        world.claim(late.code, PATIENT)


def test_claim_unknown_code_and_wrong_code_answer_alike(world: World) -> None:
    issued = world.issue()
    answers = []
    for code in (_wrong(issued.code), Code.new().text):
        with pytest.raises(EnrolmentCodeRefused) as refusal:
            world.claim(code, PATIENT, message={})
        answers.append((refusal.value.code, refusal.value.detail))
    assert len(set(answers)) == 1


def test_claim_five_wrong_codes_close_the_right_one(world: World) -> None:
    issued = world.issue()
    for _ in range(5):
        with pytest.raises(EnrolmentCodeRefused):
            world.claim(_wrong(issued.code), STRANGER, message={})
    with pytest.raises(EnrolmentCodeRefused):
        world.claim(issued.code, PATIENT)


def test_claim_wrong_codes_from_twenty_threads_are_looked_at_five_times(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = world.issue()
    looked_at: list[int] = []
    real = world.enrolments._hash

    def counted(code: Code, subject_id: SubjectId) -> bytes:
        looked_at.append(1)
        return real(code, subject_id)

    monkeypatch.setattr(world.enrolments, "_hash", counted)
    wrong = _wrong(issued.code)
    at_once(20, lambda _: world.enrolments.claim(wrong, STRANGER.account, message={}, signature=b""))
    assert len(looked_at) == 5


def test_claim_right_code_forgets_wrong_attempts(world: World) -> None:
    issued = world.issue()
    for _ in range(4):
        with pytest.raises(EnrolmentCodeRefused):
            world.claim(_wrong(issued.code), PATIENT, message={})
    for _ in range(10):
        world.enrolments.draft(issued.code, PATIENT.account)
    assert world.claim(issued.code, PATIENT)


def test_claim_mistyped_code_costs_no_attempt(world: World) -> None:
    issued = world.issue()
    for _ in range(10):
        with pytest.raises(EnrolmentCodeMalformed):
            world.claim(issued.code[:-1] + ("0" if issued.code[-1] != "0" else "1"), PATIENT, message={})
    assert world.claim(issued.code, PATIENT)


def test_issue_again_replaces_an_unclaimed_code_and_keeps_the_subject(world: World) -> None:
    first = world.issue(record_number="MRN 7")
    second = world.issue(record_number="mrn7")
    assert second.subject_id == first.subject_id
    with pytest.raises(EnrolmentCodeRefused):
        world.claim(first.code, PATIENT, message={})
    assert world.claim(second.code, PATIENT)


def test_issue_for_an_enrolled_record_is_refused(world: World) -> None:
    world.claim(world.issue(record_number="MRN-7").code, PATIENT)
    with pytest.raises(RecordAlreadyEnrolled):
        world.issue(record_number=" mrn-7 ")


def test_issue_from_twelve_desks_at_once_gives_one_subject_and_one_living_code(world: World) -> None:
    issued, refused = at_once(12, lambda _: world.issue(record_number="MRN-7"))
    assert {refusal.code for refusal in refused} <= {Unavailable.code}
    assert len({code.subject_id for code in issued}) == 1
    living = 0
    for code in issued:
        try:
            world.enrolments.draft(code.code, PATIENT.account)
            living += 1
        except EnrolmentCodeRefused:
            pass
    assert living == 1


@pytest.mark.parametrize("number", ["", "   ", "x" * 65, "a\x00b", "a\ud800", "\u202e7"])
def test_issue_with_a_bad_record_number_is_refused(world: World, number: str) -> None:
    with pytest.raises(RecordNumberInvalid):
        world.enrolments.issue(number, name="Ada", birth_date=None, checked_by="ab")


@pytest.mark.parametrize(
    ("name", "birth_date"),
    [("", None), (" ", None), ("x" * 201, None), ("a\nb", None), ("Ada", "1990-13-01")],
)
def test_issue_for_a_bad_person_is_refused(world: World, name: str, birth_date: str | None) -> None:
    with pytest.raises(PersonInvalid):
        world.enrolments.issue("MRN", name=name, birth_date=birth_date, checked_by="ab")


def test_issue_by_anybody_but_staff_is_refused(world: World) -> None:
    client, secret = world.clients.register("lab", roles=frozenset({Role.PROVIDER}), member_id=CLINIC, by="")
    system = world.identity.authenticate(world.clients.sign_in(client.client_id, secret).access_token)
    members: dict[str, Any] = {"record_number": "7", "name": "Ada", "birth_date": None, "guardians": ()}
    with pytest.raises(NotPermitted):
        world.identity.issue_code(**members, by=system)
    world.staff.create("desk", PASSWORD, roles=frozenset({Role.IDENTITY_DESK}), by="")
    desk = world.identity.authenticate(world.staff.sign_in("desk", PASSWORD).access_token)
    issued = world.identity.issue_code(**members, by=desk)
    assert world.enrolments.person(issued.subject_id).checked_by == desk.id
    assert world.identity.record_numbers_of(issued.subject_id) == ("7",)


def test_child_is_claimed_by_a_guardian_under_evidence_naming_the_staff(world: World) -> None:
    issued = world.issue(MOTHER, FATHER)
    claim = world.claim(issued.code, OTHER_PARENT)
    person = world.enrolments.person(issued.subject_id)
    assert claim.guardian == FATHER
    assert claim.message["evidence"] == evidence_digest(person).hex()
    assert evidence_digest(replace(person, checked_by="somebody else")) != evidence_digest(person)
    assert world.audit.events[0] == (
        "enrolment_code_issued",
        {"subject_id": issued.subject_id, "by": "ab" * 16, "evidence": evidence_digest(person)},
    )


def test_child_is_not_claimed_by_anybody_else(world: World) -> None:
    issued = world.issue(MOTHER, FATHER)
    with pytest.raises(ClaimNotByGuardian):
        world.enrolments.draft(issued.code, STRANGER.account)
    with pytest.raises(ClaimNotByGuardian):
        world.claim(issued.code, STRANGER, message={})


def test_child_is_its_guardians_only_while_the_guardianship_lives(world: World) -> None:
    issued = world.issue(MOTHER)
    world.claim(issued.code, PARENT)
    parent = world.identity.authenticate(world.sign_in(PARENT).access_token)
    assert parent.roles == {Role.PATIENT}
    assert parent.subject_ids == frozenset()
    world.standing.changed()
    world.delegated[PARENT.account] = {issued.subject_id}
    assert world.identity.subjects_of(world.identity.authenticate(world.sign_in(PARENT).access_token)) == {
        issued.subject_id
    }


def test_unopened_lists_claims_until_they_are_on_chain(world: World) -> None:
    world.issue()
    claim = world.claim(world.issue().code, PATIENT)
    child = world.claim(world.issue(MOTHER).code, PARENT)
    assert list(world.enrolments.unopened()) == [claim, child]
    world.enrolments.mark_opened(claim.subject_id)
    assert list(world.enrolments.unopened()) == [child]


def test_stored_enrolment_holds_no_identifier_in_clear(world: World) -> None:
    world.enrolments.issue(
        "MRN-SECRET-7", name="Ada Lovelace", birth_date="1990-05-17", guardians=[MOTHER], checked_by="ab"
    )
    stored = repr([vars_of(row) for row in _store(world).rows.values()])
    for text in ("MRN-SECRET-7", "SECRET", "Lovelace", "1990-05-17", "certificate", PARENT.account[2:10]):
        assert text not in stored
        assert text.encode().hex() not in stored


def vars_of(row: Any) -> list[Any]:
    return [getattr(row, name) for name in row.__dataclass_fields__]


def test_person_is_gone_when_the_patients_key_is(world: World) -> None:
    issued = world.issue()
    world.keys.erase("patient", f"documents/{issued.subject_id:024x}")
    with pytest.raises(SecretNotFound):
        world.enrolments.person(issued.subject_id)


def test_account_put_into_the_index_by_somebody_else_is_found(world: World) -> None:
    issued = world.issue()
    rows = _store(world).rows
    rows[issued.subject_id] = replace(rows[issued.subject_id], account=STRANGER.account)
    with pytest.raises(IdentityRecordTampered):
        world.enrolments.account_of(issued.subject_id)
    with pytest.raises(IdentityRecordTampered):
        world.sign_in(STRANGER)


def test_repr_of_an_issued_code_shows_no_code(world: World) -> None:
    issued = world.issue()
    assert issued.code not in repr(issued)

"""Emergency access on the real contract: policies, openings, closing, reviews."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from web3 import Web3

from backend.adapters.ledger.emergencies import (
    Countersignature,
    EmergencyAccess,
    EmergencyPolicy,
)
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.members import Credential
from backend.consent.emergency_terms import (
    CloseEmergency,
    CountersignEmergency,
    EmergencyCommand,
    OpenEmergency,
    OpenEmergencyLate,
    ReviewEmergency,
    SetEmergencyPolicy,
)
from backend.consent.terms import Kind
from backend.consent.typed_data import EMERGENCY_NAME, Domain, struct_hash
from backend.types import MAX_UINT40, BlockNumber, Bytes32, MemberId, SubjectId, UnixSeconds
from tests.support.ledger_world import BOARD, Person, World, delegation, embedded_world, person

ETHICS, RESPONDER = 8, 32
DOCTOR, MEDIC = MemberId(b"\x21" * 32), MemberId(b"\x22" * 32)
PATIENT, CHILD = SubjectId(7), SubjectId(8)
HOUR = 3600


def _commitment(text: str) -> Bytes32:
    return Bytes32(bytes(Web3.keccak(text=text)))


@dataclass
class Ward:
    """A chain with two responders, an ethics board, a patient and a child on it."""

    world: World
    doctor: Person
    medic: Person
    board: Person
    patient: Person
    guardian: Person

    @property
    def contract(self) -> EmergencyAccess:
        return self.world.ledger.emergency_contract

    @property
    def head(self) -> BlockNumber:
        return self.world.chain.view().head_number

    def sign(self, who: Person, command: EmergencyCommand) -> bytes:
        return who.sign(command, Domain(self.world.chain.chain_id, self.contract.address, EMERGENCY_NAME))

    def request(self, reason: str, subject: SubjectId = PATIENT) -> OpenEmergency:
        return OpenEmergency(
            subject=subject,
            responder=self.doctor.account,
            reason=_commitment(reason),
            duration=0,
            submit_by=UnixSeconds(int(time.time()) + HOUR),
        )

    def sign_request(self, request: OpenEmergency) -> tuple[Bytes32, bytes]:
        return struct_hash(request), self.sign(self.doctor, request)

    def open(self, reason: str, subject: SubjectId = PATIENT) -> Bytes32:
        request = self.request(reason, subject)
        opening, signature = self.sign_request(request)
        self.world.relayer.submit(self.contract.open(request, signature))
        return opening

    def set_policy(self, policy: EmergencyPolicy) -> None:
        _, round_ = self.contract.policy(PATIENT, block=self.head)
        signature = self.sign(self.patient, SetEmergencyPolicy(PATIENT, int(policy), round_))
        self.world.relayer.submit(self.contract.set_policy(PATIENT, policy, round_, signature))


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with embedded_world(tmp_path_factory.mktemp("chain")) as world:
        made = Ward(world, *(person() for _ in range(5)))
        world.open_subject(PATIENT, made.patient)
        for member, who, roles in (
            (DOCTOR, made.doctor, RESPONDER),
            (MEDIC, made.medic, RESPONDER),
            (BOARD, made.board, ETHICS),
        ):
            credential = Credential(roles=roles, expiry=UnixSeconds(MAX_UINT40), account=who.account)
            world.ledger.members.register_member(member, credential)
        yield made


def test_opening_by_a_responder_is_open_until_it_is_closed_and_then_reviewed(ward: Ward) -> None:
    request = ward.request("story")
    opening, signature = ward.sign_request(request)
    assert ward.contract.opening_id(request, block=ward.head) == opening
    ward.world.relayer.submit(ward.contract.open(request, signature))
    found = ward.contract.opening(opening, block=ward.head)
    assert (found.member, found.subject, found.late) == (DOCTOR, PATIENT, False)
    assert found.expires_at - found.opened_at == HOUR  # nobody set a policy: half of two hours
    assert ward.contract.is_open(opening, block=ward.head)
    assert ward.contract.oldest_unreviewed(DOCTOR, block=ward.head) == opening
    before = ward.head
    closing = ward.sign(ward.doctor, CloseEmergency(opening))
    ward.world.relayer.submit(ward.contract.close(opening, ward.doctor.account, closing))
    assert not ward.contract.is_open(opening, block=ward.head)
    assert ward.contract.is_open(opening, block=before)
    finding = _commitment("finding")
    reviewed = ward.sign(ward.board, ReviewEmergency(opening, finding))
    ward.world.relayer.submit(ward.contract.review(opening, ward.board.account, finding, reviewed))
    assert ward.contract.opening(opening, block=ward.head).finding == finding
    assert not any(ward.contract.oldest_unreviewed(DOCTOR, block=ward.head))
    assert not ward.contract.has_overdue_review(DOCTOR, block=ward.head)


def test_opening_repeated_is_refused_by_name_with_its_id(ward: Ward) -> None:
    request = ward.request("twice")
    opening, signature = ward.sign_request(request)
    call = ward.contract.open(request, signature)
    ward.world.relayer.submit(call)
    with pytest.raises(LedgerRejected) as refusal:
        ward.world.relayer.submit(call)
    assert (refusal.value.name, refusal.value.arguments) == ("AlreadyOpened", (opening,))


def test_opening_unsigned_or_by_somebody_else_is_refused(ward: Ward) -> None:
    request = ward.request("unsigned")
    with pytest.raises(LedgerRejected) as refusal:
        ward.world.relayer.submit(ward.contract.open(request, bytes(65)))
    assert refusal.value.name == "SignatureInvalid"


def test_opening_countersigned_names_the_other_responder(ward: Ward) -> None:
    request = ward.request("together")
    opening, signature = ward.sign_request(request)
    other = Countersignature(ward.medic.account, ward.sign(ward.medic, CountersignEmergency(opening)))
    ward.world.relayer.submit(ward.contract.open(request, signature, other))
    assert ward.contract.opening(opening, block=ward.head).countersigner == MEDIC


def test_forbidding_ends_what_runs_and_refuses_until_it_is_lifted(ward: Ward) -> None:
    running = ward.open("running")
    ward.set_policy(EmergencyPolicy.FORBID)
    assert ward.contract.policy(PATIENT, block=ward.head)[0] is EmergencyPolicy.FORBID
    assert not ward.contract.is_open(running, block=ward.head)
    with pytest.raises(LedgerRejected) as refusal:
        ward.open("refused")
    assert refusal.value.name == "PolicyForbids"
    forbidden_at = ward.world.chain.view().head_timestamp
    while int(time.time()) <= forbidden_at:  # nothing opens in the second of a forbid
        time.sleep(0.1)
    ward.set_policy(EmergencyPolicy.ALLOW)
    assert not ward.contract.is_open(running, block=ward.head)
    opening = ward.open("allowed")
    found = ward.contract.opening(opening, block=ward.head)
    assert ward.contract.is_open(opening, block=ward.head)
    assert found.expires_at - found.opened_at == 2 * HOUR
    at = ward.contract.policy_at(PATIENT, UnixSeconds(forbidden_at), block=ward.head)
    assert at is EmergencyPolicy.FORBID


def test_opening_of_an_outage_is_recorded_late_and_flagged(ward: Ward) -> None:
    ward.world.open_subject(9, person())
    opened_at = UnixSeconds(int(time.time()) - 20 * 60)
    request = OpenEmergencyLate(SubjectId(9), ward.doctor.account, _commitment("outage"), HOUR, opened_at)
    opening = struct_hash(request)
    assert ward.contract.late_opening_id(request, block=ward.head) == opening
    signature = ward.sign(ward.doctor, request)
    ward.world.relayer.submit(ward.contract.open_late(request, signature))
    found = ward.contract.opening(opening, block=ward.head)
    assert found.late
    assert (found.opened_at, found.expires_at) == (opened_at, opened_at + HOUR // 2)
    assert found.recorded_at >= opened_at + 20 * 60
    waiting = ward.contract.oldest_unreviewed(DOCTOR, block=ward.head)
    while any(following := ward.contract.next_unreviewed(waiting, block=ward.head)):
        waiting = following
    assert waiting == opening


def test_guardian_allows_for_a_child_and_cannot_forbid(ward: Ward) -> None:
    guardianship = delegation(CHILD, ward.guardian, kind=Kind.GUARDIANSHIP)
    signature = ward.guardian.sign(guardianship, ward.world.domain)
    ward.world.ledger.consents.open_subject_under_guardian(guardianship, signature)
    for policy in (EmergencyPolicy.ALLOW, EmergencyPolicy.FORBID):
        _, round_ = ward.contract.policy(CHILD, block=ward.head)
        command = ward.sign(ward.guardian, SetEmergencyPolicy(CHILD, int(policy), round_))
        call = ward.contract.set_policy_by_guardian(guardianship, policy, round_, command)
        if policy is EmergencyPolicy.ALLOW:
            ward.world.relayer.submit(call)
            continue
        with pytest.raises(LedgerRejected) as refusal:
            ward.world.relayer.submit(call)
        assert refusal.value.name == "GuardianMayNotForbid"
    assert ward.contract.policy(CHILD, block=ward.head) == (EmergencyPolicy.ALLOW, 1)

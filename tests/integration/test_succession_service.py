"""A service whose contracts were succeeded: decisions count on, and what was signed before stops still."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.adapters.ledger.embedded import EmbeddedChain
from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from backend.maintenance.fsck import check_everything
from backend.maintenance.reindex import reindex
from backend.maintenance.succeeding import Succeeded, succeed
from backend.settings import Settings
from backend.types import SubjectId
from tests.integration.api.test_encryption_keys import bind, new_key
from tests.integration.api.test_paper_consents import (
    PATH,
    PaperPatient,
    StaffWitness,
    assert_told_everywhere,
    link,
    segments,
)
from tests.integration.api.test_paper_consents import body as paper_body
from tests.integration.api.test_paper_consents import read as paper_read
from tests.integration.api.test_recovery import (
    accept,
    agree,
    guardian_of,
    name_guardians,
    new_session,
    new_wallet,
    until_completed,
)
from tests.integration.api.world import (
    PASSWORD,
    Patient,
    Service,
    assert_problem,
    bundle_of,
    enrol,
    open_service,
    provider,
    raw,
    staff,
    store,
)
from tests.support.testnet import until


@dataclass
class Signed:
    """What somebody signed and kept: where it goes, and the body."""

    path: str
    body: dict[str, Any]

    def hand_in(self, api: Api) -> httpx.Response:
        return raw(api, "POST", self.path, json=self.body)


def sheet(patient: Patient) -> Signed:
    """The printed stop sheet."""
    draft = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})["typed_data"]
    body = {"subject": patient.subject, "epoch": int(draft["message"]["epoch"])}
    return Signed("/v1/revocations", {**body, "signature": patient.wallet.sign_typed(draft)})


def stop(patient: Patient, consent: str) -> Signed:
    draft = patient.api.post("/v1/revocations/draft", {"consent_id": consent})["typed_data"]
    return Signed("/v1/revocations", {"consent_id": consent, "signature": patient.wallet.sign_typed(draft)})


def wish(patient: Patient, member: str) -> Signed:
    draft = patient.api.post(
        "/v1/consents/draft",
        {
            "subject": patient.subject, "kind": "permit", "grantee": member, "purposes": ["TREAT"],
            "categories": ["laboratory"], "actions": ["access"], "not_after": "2099-01-01T00:00:00Z",
        },
    )  # fmt: skip
    signature = patient.wallet.sign_typed(draft["typed_data"])
    return Signed("/v1/consents", {"message": draft["message"], "via": [], "signature": signature})


def read(clinic: Provider, patient: Patient) -> httpx.Response:
    return raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})


def may_read(clinic: Provider, patient: Patient) -> bool:
    answer = read(clinic, patient)
    assert answer.status_code in (200, 403), answer.text
    return answer.status_code == 200


def ending(service: Service, patient: Patient) -> int | None:
    """The epoch that ends and has not ended on the chain yet; what is signed meanwhile may be of that one."""
    restrictions = service.world.services.evidence._restrictions
    return restrictions.pending_for(SubjectId(int(patient.subject, 16))).ended_epoch


@dataclass
class Site:
    """A service that is stopped and started again on one directory; its people keep their client."""

    directory: Path
    http: httpx.Client
    port: int = 0

    def open(self, **options: Any) -> AbstractContextManager[Service]:
        return open_service(
            self.directory, port=self.port, http=self.http, access_token_minutes=60, **options
        )

    def succeed(self, **options: Any) -> Succeeded:
        settings = Settings(data_directory=self.directory)
        return succeed(settings, theirs=None, dry_run=False, progress=lambda _: None, **options)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with httpx.Client(timeout=60) as http:
        yield Site(tmp_path / "data", http)


@dataclass
class People:
    desk: Api
    hospital: Provider
    clinic: Provider
    other: Provider
    service: Service

    def patient(self, number: int) -> Patient:
        return enrol(self.service, self.desk, self.hospital, number)


def people(service: Service, site: Site) -> People:
    site.port = httpx.URL(service.url).port or 0
    operator = staff(service, "operator2", Role.OPERATOR)
    return People(
        desk=staff(service, "desk", Role.IDENTITY_DESK),
        hospital=provider(service, operator, "system", "0x" + service.world.stores.tenant.hex()),
        clinic=provider(service, operator, "Lakeside Clinic"),
        other=provider(service, operator, "Hilltop Clinic"),
        service=service,
    )


def deny(patient: Patient, member: str) -> str:
    return patient.permit(member, kind="deny")


def test_what_was_decided_counts_on_and_nobody_signs_again(site: Site) -> None:
    with site.open() as service:
        all_ = people(service, site)
        clinic, other = all_.clinic, all_.other
        kept, ended, denied, sheeted, stopped, late = (all_.patient(number) for number in range(10, 16))
        consents = {
            id(each): each.permit(clinic.member_id) for each in (kept, ended, denied, sheeted, stopped, late)
        }
        ended.end(consents[id(ended)])
        no = deny(denied, clinic.member_id)
        a_sheet, another_sheet = sheet(sheeted), sheet(kept)
        a_stop, end_of_deny = stop(stopped, consents[id(stopped)]), stop(denied, no)
        a_wish = wish(late, other.member_id)
        before = {id(each): may_read(clinic, each) for each in (kept, ended, denied, sheeted, stopped, late)}
        assert list(before.values()) == [True, False, False, True, True, True]
    done = site.succeed()
    assert (done.subjects, done.documents) == (6, 7)

    with site.open() as service:
        for each in (clinic, other, all_.hospital):
            each.sign_in()
        for each in (kept, ended, denied, sheeted, stopped, late):
            assert may_read(clinic, each) == before[id(each)]
        assert_problem(a_wish.hand_in(late.api), 422, "signed_for_succeeded_contract")
        late.permit(other.member_id)
        assert may_read(other, late)
        # What was signed for the old contracts stops, by anyone's hand, however often all was stopped here.
        assert sheet(sheeted).hand_in(service.anyone()).status_code == 200
        until(lambda: ending(service, sheeted) is None, "the epoch has ended on the chain")
        sheeted.permit(other.member_id)
        assert may_read(other, sheeted)
        for _ in range(2):
            assert a_sheet.hand_in(service.anyone()).status_code == 200
            assert not may_read(clinic, sheeted)
            assert not may_read(other, sheeted)
        until(lambda: ending(service, sheeted) is None, "the epoch has ended on the chain")
        sheeted.permit(other.member_id)
        assert may_read(other, sheeted)
        assert a_sheet.hand_in(service.anyone()).status_code == 200
        assert may_read(other, sheeted)  # it took effect when its epoch was current
        assert a_stop.hand_in(service.anyone()).status_code == 200
        assert not may_read(clinic, stopped)
        assert_problem(end_of_deny.hand_in(denied.api), 422, "signed_for_succeeded_contract")
        assert not may_read(clinic, denied)
        denied.end(no)
        until(lambda: may_read(clinic, denied), "the end of the deny is final")
    done = site.succeed()
    with site.open() as service:
        for each in (clinic, other, all_.hospital):
            each.sign_in()
        assert may_read(clinic, kept)
        assert may_read(other, sheeted)
        assert not may_read(clinic, stopped)
        assert another_sheet.hand_in(service.anyone()).status_code == 200
        assert not may_read(clinic, kept)
        until(lambda: ending(service, kept) is None, "the epoch has ended on the chain")
        kept.permit(clinic.member_id)
        assert may_read(clinic, kept)
        stores = service.world.stores
        assert {key: number for key, number in reindex(stores).items() if "changed" in key and number} == {}
        service.world.driver.close()
        report = check_everything(stores)
        assert report.sound, report


def witness(service: Service, name: str) -> StaffWitness:
    """A member of staff with the role and a linked wallet."""
    api, wallet = staff(service, name, Role.WITNESS), Wallet(service.anyone())
    assert link(api, wallet).status_code == 204
    api.token = api.post("/v1/auth/staff", {"username": name, "password": PASSWORD})["access_token"]
    (found,) = [each for each in service.world.services.identity.staff.all() if each.username == name]
    return StaffWitness(api, wallet, found.staff_id)


def paper_patient(people: People, number: int) -> PaperPatient:
    record_number, bundle = bundle_of(number)
    issued = people.desk.post("/v1/enrolments", {"record_number": record_number, "name": "Test Person"})
    stored = store(people.hospital, issued["subject"], bundle)
    return PaperPatient(issued["subject"], stored.json()["record_id"], issued["code"])


def fhir_hash(patient: Patient, consent: str) -> Any:
    """What the FHIR Consent says was signed."""
    headers = {"Accept": "application/fhir+json; fhirVersion=4.0"}
    path, params = f"/v1/consents/{consent}", {"subject": patient.subject}
    found = raw(patient.api, "GET", path, params=params, headers=headers).json()
    (record,) = [each for each in found["extension"] if "consent-record" in each["url"]]
    return next(part["valueString"] for part in record["extension"] if part["url"] == "evidenceDigest")


def test_stop_for_a_succeeded_contract_holds_while_the_chain_is_away(site: Site) -> None:
    """Nobody can say then what it was signed for. It counts from its receipt all the same."""
    with site.open() as service:
        all_ = people(service, site)
        clinic, other = all_.clinic, all_.other
        patient = all_.patient(20)
        patient.permit(clinic.member_id)
        old_sheet = sheet(patient)
    site.succeed()
    with site.open() as service:
        for each in (clinic, other):
            each.sign_in()
        assert sheet(patient).hand_in(service.anyone()).status_code == 200
        until(lambda: ending(service, patient) is None, "the epoch has ended on the chain")
        patient.permit(other.member_id)
        assert may_read(other, patient)
        chain = service.world.stores.chain
        assert isinstance(chain, EmbeddedChain)
        program, chain.binary = chain.binary, Path("/bin/false")  # so that it stays down
        os.kill(chain.pid(), signal.SIGKILL)
        until(lambda: read(other, patient).status_code == 503, "the chain is away")
        assert old_sheet.hand_in(service.anyone()).status_code == 200
        forged = Signed(old_sheet.path, {**old_sheet.body, "signature": "0x" + "11" * 64 + "1b"})
        assert forged.hand_in(service.anyone()).status_code == 200
        assert ending(service, patient) == 2**32 - 1
        chain.binary = program
        until(lambda: read(other, patient).status_code != 503, "the chain is back")
        assert not may_read(other, patient)
        until(lambda: ending(service, patient) is None, "both came to their end")
        assert not may_read(other, patient)
        patient.permit(other.member_id)
        assert may_read(other, patient)


def contract_of(event: dict[str, Any]) -> str:
    return str(event["assent:evidence"]["assent:contract"])


def receipt(patient: Patient, consent: str) -> list[dict[str, Any]]:
    """The events of a receipt, each with its place on the chain."""
    found = patient.api.get(f"/v1/consents/{consent}/receipt", subject=patient.subject)
    events: list[dict[str, Any]] = found["dct:subject"]["dct:hasPart"]
    return events


def test_keys_guardians_papers_and_receipts_come_along(site: Site) -> None:
    with site.open(recovery_delay_seconds=2) as service:
        all_ = people(service, site)
        clinic, other = all_.clinic, all_.other
        patient, guarded = all_.patient(30), all_.patient(31)
        consent = patient.permit(clinic.member_id)
        key = new_key()
        bind(patient, key)
        named = [guardian_of(guarded.wallet, service) for _ in range(2)]
        name_guardians(guarded.wallet, [name for _, name in named])
        guardians, early, new = [each for each, _ in named], new_wallet(service), new_wallet(service)
        agree(guardians[0], guarded.subject, early)  # and no more, before the contracts are succeeded
        pair = witness(service, "first"), witness(service, "second")
        on_paper, half = paper_patient(all_, 32), paper_patient(all_, 33)
        paper = all_.desk.post(PATH, paper_body(on_paper, clinic, pair))
        half_signed = all_.desk.post(PATH, paper_body(half, clinic, pair))
        for each in pair:
            assert each.sign(paper).status_code == 200
        assert pair[0].sign(half_signed).json()["state"] == "open"
        first = service.world.stores.deployment.address("ConsentRegistry")
        signed_hash = fhir_hash(patient, consent)
    site.succeed()

    with site.open(recovery_delay_seconds=2) as service:
        for each in (clinic, other, all_.hospital):
            each.sign_in()
        second = service.world.stores.deployment.address("ConsentRegistry")
        assert first != second
        # Keys: the one of before counts, and the next one is bound for the new contract.
        state = patient.api.get("/v1/encryption-keys", subject=patient.subject)
        assert (state["state"], state["key_id"], state["sequence"]) == ("bound", "0x" + key.id.hex(), 1)
        assert bind(patient, new_key())["sequence"] == 2

        # Receipts name the contract that has each event.
        (given,) = receipt(patient, consent)
        assert contract_of(given) == first
        assert fhir_hash(patient, consent) == signed_hash
        later = patient.permit(other.member_id)
        assert contract_of(receipt(patient, later)[0]) == second
        patient.end(consent)
        assert [contract_of(event) for event in receipt(patient, consent)] == [first, second]

        # Papers: what both signed counts, is shown, and stops; what one signed has lapsed.
        assert segments(paper_read(clinic, on_paper)) > 0
        assert_told_everywhere(paper, on_paper, clinic, service)
        stopped = raw(pair[0].api, "POST", f"{PATH}/{paper['paper_id']}/stop", json={})
        assert stopped.json()["state"] == "stopped"
        assert segments(paper_read(clinic, on_paper)) == 0
        assert_problem(pair[1].sign(half_signed), 409, "paper_lapsed")
        assert half_signed["paper_id"] not in [each["paper_id"] for each in pair[1].api.get(PATH)]

        # New patients are opened in the contract that counts, with a wallet and, by a paper's pair, without.
        third, newcomer = paper_patient(all_, 34), all_.patient(35)
        paper = all_.desk.post(PATH, paper_body(third, clinic, pair))
        assert [each.sign(paper).status_code for each in pair] == [200, 200]
        assert segments(paper_read(clinic, third)) > 0
        newcomer.permit(clinic.member_id)
        assert may_read(clinic, newcomer)

        # Recovery: the guardians named before agree anew, for the contract that counts.
        assert guarded.api.get("/v1/recovery", subject=guarded.subject)["begun"] == []
        for each in guardians:
            agree(each, guarded.subject, new)
        assert accept(new, guarded.subject)["state"] == "waiting"
        until_completed(new)
        (own,) = new_session(new)["subjects"]
        assert (own["subject"], own["relation"]) == (guarded.subject, "self")

"""Content sealed to its reader's key, and records that the service cannot read."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.client import (
    AssentClient,
    Chain,
    PrivateKey,
    RequestRefused,
    hand_over,
    new_key,
    open_segment,
    prepare,
    share_key,
)
from backend.demo.actors import Api, Provider
from backend.errors import IntegrityError
from backend.maintenance.fsck import check_everything
from backend.records.delivery import MEDIA_TYPE
from backend.records.sealing import RecipientKey
from backend.records.slot_book import KeyWithheld
from backend.types import ConsentId, RecordId, SubjectId
from tests.integration.api.test_encryption_keys import bind, encoded
from tests.integration.api.world import Patient, Service, assert_problem, in_days, provider, raw

DIARY = b"dear diary, " * 2000
LABELS: dict[str, Any] = {"categories": ["vital_signs"], "sensitivities": []}


@pytest.fixture(scope="module")
def reader(service: Service, operator: Api) -> tuple[Provider, PrivateKey]:
    """A clinic whose key the registry names."""
    return keyed(service, operator, "Sealed Clinic")


def keyed(service: Service, operator: Api, name: str) -> tuple[Provider, PrivateKey]:
    clinic, key = provider(service, operator, name), new_key()
    answer = raw(
        operator,
        "PUT",
        f"/v1/members/{clinic.member_id}/encryption-key",
        json={"public_key": encoded(key.public)},
    )
    assert answer.status_code == 200, answer.text
    return clinic, key


@pytest.fixture(scope="module")
def chain(service: Service) -> Chain:
    domain = service.world.services.domain
    return Chain(domain.chain_id, bytes.fromhex(domain.verifying_contract[2:]))


@pytest.fixture(scope="module")
def own(new_patient: Callable[[], Patient]) -> tuple[Patient, PrivateKey]:
    """A patient whose wallet bound a key."""
    patient, key = new_patient(), new_key()
    bind(patient, key.public)
    return patient, key


def client_of(service: Service, api: Api) -> AssentClient:
    assert api.token is not None
    return AssentClient(service.url, api.token)


def segments_of(api: Api, record: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/v1/records/{record}", purpose="TREAT")["segments"]
    return found


def kept(service: Service, own: tuple[Patient, PrivateKey], chain: Chain) -> tuple[str, dict[str, Any]]:
    """Store a diary end to end; return the record's id and the labels' next draft, which names the key."""
    patient, key = own
    record = secrets.token_hex(16)
    with client_of(service, patient.api) as client:
        stored = client.store_end_to_end(
            DIARY, "text/plain", key, subject=patient.subject, record=record, chain=chain, **LABELS
        )
        assert (stored["record_id"], stored["segments"]) == (record, 1)
        return record, client.draft(subject=patient.subject, record=record, version=2, **LABELS)


def shared(
    service: Service,
    own: tuple[Patient, PrivateKey],
    reader: tuple[Provider, PrivateKey],
    draft: dict[str, Any],
    chain: Chain,
    **narrower: Any,
) -> str:
    """Permit the clinic and seal the key to it; return the consent's id."""
    patient, key = own
    clinic, clinic_key = reader
    consent = patient.permit(clinic.member_id, categories=["vital_signs"], **narrower)
    expiry = next(row for row in patient.consents() if row["consent_id"] == consent)
    subject = SubjectId(int(patient.subject, 16))
    signed = service.world.services.evidence.signed(subject, ConsentId(bytes.fromhex(consent[2:])))
    assert signed is not None
    assert expiry["not_after"]
    slot = share_key(
        draft,
        key,
        clinic_key.public,
        consent=ConsentId(bytes.fromhex(consent[2:])),
        expiry=signed.document.not_after,
        chain=chain,
    )
    with client_of(service, patient.api) as client:
        client.share(draft, slot)
    return consent


def test_system_with_a_key_gets_content_sealed_to_it_and_nothing_else(
    service: Service, patient: Patient, reader: tuple[Provider, PrivateKey], clinic: Provider
) -> None:
    sealed_clinic, key = reader
    permits = [patient.permit(who.member_id) for who in (sealed_clinic, clinic)]
    in_clear = {part["name"]: part for part in segments_of(clinic.api, patient.record_id)}
    sealed = segments_of(sealed_clinic.api, patient.record_id)
    assert {part["name"] for part in sealed} == set(in_clear)
    for part in sealed:
        assert part["content"] is part["sha256"] is None
        opened = open_segment((base64.b64decode(part["sealed"]),), key)
        assert base64.b64encode(opened.content).decode() == in_clear[part["name"]]["content"]
        assert opened.header.context.record_id.hex() == patient.record_id
    with client_of(service, sealed_clinic.api) as client:
        name = sealed[0]["name"]
        one = client.read_segment(patient.record_id, name, key, purpose="TREAT")
        assert base64.b64encode(one.content).decode() == in_clear[name]["content"]
        with pytest.raises(IntegrityError):
            client.read_segment(patient.record_id, name, new_key(), purpose="TREAT")
    plain = raw(
        sealed_clinic.api,
        "GET",
        f"/v1/records/{patient.record_id}/segments/{name}",
        params={"purpose": "TREAT"},
    )
    assert plain.headers["content-type"] == MEDIA_TYPE
    patient.end(*permits)


def test_patient_asks_for_content_sealed_to_the_own_key(
    service: Service, own: tuple[Patient, PrivateKey]
) -> None:
    patient, key = own
    path = f"/v1/records/{patient.record_id}/segments/s0000"
    plain = raw(patient.api, "GET", path, params={"purpose": "PATRQT"})
    assert plain.headers["content-type"] != MEDIA_TYPE
    sealed = raw(patient.api, "GET", path, params={"purpose": "PATRQT"}, headers={"Accept": MEDIA_TYPE})
    assert open_segment((sealed.content,), key).content == plain.content


def test_record_kept_end_to_end_is_read_by_its_patient_and_not_by_the_service(
    service: Service, own: tuple[Patient, PrivateKey], chain: Chain
) -> None:
    patient, key = own
    damaged_before = set(check_everything(service.world.stores).damage)  # other tests damage what they share
    record, draft = kept(service, own, chain)
    assert draft["slot"] is not None
    with client_of(service, patient.api) as client:
        assert client.read_segment(record, "s0000", key, purpose="PATRQT").content == DIARY
    refused = raw(patient.api, "GET", f"/v1/records/{record}", params={"purpose": "PATRQT"})
    assert_problem(refused, 409, "end_to_end")
    world = service.world
    manifest = world.services.end_to_end._manifests.kept(RecordId(bytes.fromhex(record)), None)
    with pytest.raises(KeyWithheld):
        world.services.end_to_end._vault.read(manifest, manifest.segments[0])
    report = check_everything(world.stores)
    assert set(report.damage) <= damaged_before
    assert report.counts["segments kept end to end"] >= 1


def test_organisation_reads_what_the_key_was_sealed_to_it_for_until_the_consent_ends(
    service: Service, own: tuple[Patient, PrivateKey], reader: tuple[Provider, PrivateKey], chain: Chain
) -> None:
    patient, _ = own
    clinic, clinic_key = reader
    record, draft = kept(service, own, chain)
    with client_of(service, clinic.api) as client:
        with pytest.raises(RequestRefused, match="consent_required"):
            client.read_segment(record, "s0000", clinic_key, purpose="TREAT")
        consent = shared(service, own, reader, draft, chain)
        assert client.read_segment(record, "s0000", clinic_key, purpose="TREAT").content == DIARY
        patient.end(consent)
        with pytest.raises(RequestRefused, match="consent_required"):
            client.read_segment(record, "s0000", clinic_key, purpose="TREAT")
    types = [entry["type"] for entry in patient.accesses()]
    assert types.count("key.shared") >= 1


def test_emergency_group_opens_what_was_sealed_to_its_key_for_emergencies_and_nothing_else(
    service: Service, operator: Api, own: tuple[Patient, PrivateKey], chain: Chain
) -> None:
    """The group is a member of its own: its people hold the key, the consent is for emergencies only."""
    group = keyed(service, operator, "Emergency group")
    patient, _ = own
    record, draft = kept(service, own, chain)
    other, _ = kept(service, own, chain)
    consent = shared(service, own, group, draft, chain, purposes=["ETREAT"], not_after=in_days(365))
    member, key = group
    with client_of(service, member.api) as client:
        for segment_of in (record, other):  # one key for all of a kind, also for what comes later
            assert client.read_segment(segment_of, "s0000", key, purpose="ETREAT").content == DIARY
        with pytest.raises(RequestRefused, match="consent_required"):
            client.read_segment(record, "s0000", key, purpose="TREAT")
        patient.end(consent)
        with pytest.raises(RequestRefused, match="consent_required"):
            client.read_segment(record, "s0000", key, purpose="ETREAT")


def test_permitted_organisation_without_a_slot_is_told_that_the_key_is_missing(
    service: Service, own: tuple[Patient, PrivateKey], clinic: Provider, chain: Chain
) -> None:
    patient, _ = own
    record, _ = kept(service, own, chain)
    consent = patient.permit(clinic.member_id, categories=["vital_signs"])
    answer = raw(clinic.api, "GET", f"/v1/records/{record}/segments/s0000", params={"purpose": "TREAT"})
    assert_problem(answer, 409, "end_to_end")
    patient.end(consent)


def test_de_identified_release_gives_nothing_of_what_is_kept_end_to_end(
    service: Service, own: tuple[Patient, PrivateKey], reader: tuple[Provider, PrivateKey], chain: Chain
) -> None:
    patient, _ = own
    clinic, _ = reader
    record, _ = kept(service, own, chain)
    rule = {"effect": "permit", "obligations": ["de_identify"]}
    consent = patient.permit(clinic.member_id, categories=["vital_signs"], rules=[rule])
    answer = raw(clinic.api, "GET", f"/v1/records/{record}", params={"purpose": "TREAT"})
    assert_problem(answer, 403, "consent_required")
    patient.end(consent)


def test_stored_again_with_the_same_ciphertext_is_one_record(
    service: Service, own: tuple[Patient, PrivateKey], chain: Chain
) -> None:
    patient, key = own
    with client_of(service, patient.api) as client:
        draft = client.draft(subject=patient.subject, record=secrets.token_hex(16), **LABELS)
        prepared = prepare(DIARY, "text/plain", draft, key, chain=chain)
        first = client.send(prepared, draft, "text/plain", **LABELS)
        assert client.send(prepared, draft, "text/plain", **LABELS) == first
        other = prepare(DIARY, "text/plain", draft, key, chain=chain)
        with pytest.raises(RequestRefused, match="version_taken"):
            client.send(other, draft, "text/plain", **LABELS)


def test_draft_gives_no_share_of_a_version_that_is_stored(
    service: Service, own: tuple[Patient, PrivateKey], new_patient: Callable[[], Patient], chain: Chain
) -> None:
    patient, _ = own
    record, _ = kept(service, own, chain)
    others = new_patient().record_id

    def refusal(name: str, version: int) -> str:
        with client_of(service, patient.api) as client, pytest.raises(RequestRefused) as refused:
            client.draft(subject=patient.subject, record=name, version=version, **LABELS)
        return str(refused.value.problem["code"])

    assert [refusal(name, 1) for name in (record, patient.record_id, others)] == ["version_taken"] * 3
    assert [refusal(record, 3), refusal(others, 2)] == ["version_taken", "record_unknown"]


def test_store_refuses_what_the_client_library_does_not_make(
    service: Service, own: tuple[Patient, PrivateKey]
) -> None:
    patient, _ = own
    record = secrets.token_hex(16)
    with client_of(service, patient.api) as client:
        draft = client.draft(subject=patient.subject, record=record, **LABELS)
    path = f"/v1/end-to-end/records/{record}"
    query = {"subject": patient.subject, "epoch": draft["epoch"], "categories": "vital_signs"}
    wrapped = {"Assent-Wrapped-Key": base64.b64encode(bytes(40)).decode(), "Content-Type": "text/plain"}

    def answer(**options: Any) -> Any:
        given = {"params": query, "headers": wrapped, "content": bytes(5000), **options}
        return raw(patient.api, "PUT", path, **given)

    assert_problem(answer(), 422, "ciphertext_invalid")
    assert_problem(answer(headers={**wrapped, "Assent-Wrapped-Key": "!"}), 422, "invalid_input")
    assert_problem(answer(headers={**wrapped, "Assent-Key-Slot": "AAAA"}), 422, "invalid_input")
    assert_problem(
        answer(headers={**wrapped, "Content-Type": "application/fhir+json"}), 422, "media_type_invalid"
    )
    assert_problem(answer(params={**query, "epoch": 7}), 502, "key_slot_missing")
    assert_problem(answer(params={**query, "categories": "nothing"}), 422, "attachment_labels_invalid")


def test_patient_without_a_bound_key_and_strangers_get_no_draft(
    service: Service, patient: Patient, clinic: Provider, own: tuple[Patient, PrivateKey]
) -> None:
    body = {"subject": patient.subject, "record_id": secrets.token_hex(16), "categories": ["vital_signs"]}
    assert_problem(raw(patient.api, "POST", "/v1/end-to-end/drafts", json=body), 409, "no_encryption_key")
    other = {**body, "subject": own[0].subject}
    assert_problem(raw(patient.api, "POST", "/v1/end-to-end/drafts", json=other), 404, "not_found")
    assert raw(clinic.api, "POST", "/v1/end-to-end/drafts", json=body).status_code == 403


def test_slot_for_another_reader_consent_or_expiry_is_refused(
    service: Service, own: tuple[Patient, PrivateKey], reader: tuple[Provider, PrivateKey], chain: Chain
) -> None:
    patient, key = own
    clinic, clinic_key = reader
    _, draft = kept(service, own, chain)
    consent = patient.permit(clinic.member_id, categories=["vital_signs"], not_after=in_days(3))
    name = ConsentId(bytes.fromhex(consent[2:]))
    signed = service.world.services.evidence.signed(SubjectId(int(patient.subject, 16)), name)
    assert signed is not None
    right: dict[str, Any] = {"consent": name, "expiry": signed.document.not_after, "chain": chain}

    def refusal(reader_key: RecipientKey, **changes: Any) -> str:
        slot = share_key(draft, key, reader_key, **{**right, **changes})
        with client_of(service, patient.api) as client, pytest.raises(RequestRefused) as refused:
            client.share(draft, slot)
        return str(refused.value.problem["code"])

    assert refusal(new_key().public) == "key_slot_invalid"
    assert refusal(clinic_key.public, expiry=right["expiry"] + 1) == "key_slot_invalid"
    assert refusal(clinic_key.public, consent=ConsentId(b"\x01" * 32)) == "grant_unknown"
    patient.end(consent)


def test_key_handed_over_with_the_wallets_signature_lets_the_service_read(
    service: Service, own: tuple[Patient, PrivateKey], clinic: Provider, chain: Chain
) -> None:
    patient, key = own
    labels: dict[str, Any] = {"categories": ["laboratory"], "sensitivities": []}
    record = secrets.token_hex(16)
    with client_of(service, patient.api) as client:
        client.store_end_to_end(
            DIARY, "text/plain", key, subject=patient.subject, record=record, chain=chain, **labels
        )
        draft = client.draft(subject=patient.subject, record=record, version=2, **labels)
    named = {"subject": patient.subject, "kind": draft["kind"], "epoch": draft["epoch"]}
    found = raw(patient.api, "POST", "/v1/end-to-end/handovers/draft", json=named).json()
    public = service.anyone().get("/v1/end-to-end/key")["public_key"]
    custodian = RecipientKey(base64.urlsafe_b64decode(public + "=" * (-len(public) % 4)))
    body = {
        **named,
        "salt": found["salt"],
        "message": found["typed_data"]["message"],
        "signature": patient.wallet.sign_typed(found["typed_data"]),
        "sealed_key": base64.b64encode(hand_over(draft, key, custodian, chain=chain)).decode(),
    }

    def answer(**changes: Any) -> Any:
        return raw(patient.api, "POST", "/v1/end-to-end/handovers", json={**body, **changes})

    wrong = base64.b64encode(hand_over(draft, key, new_key().public, chain=chain)).decode()
    assert_problem(answer(sealed_key=wrong), 422, "handed_key_invalid")
    assert_problem(answer(salt="0x" + "00" * 32), 422, "handed_key_invalid")
    assert answer(signature="0x" + "11" * 65).status_code == 409
    path, query = f"/v1/records/{record}/segments/s0000", {"purpose": "PATRQT"}
    assert_problem(raw(patient.api, "GET", path, params=query), 409, "end_to_end")
    for _ in range(2):
        done = answer()
        assert done.status_code == 204, done.text
    assert raw(patient.api, "GET", path, params=query).content == DIARY
    consent = patient.permit(clinic.member_id, categories=["laboratory"])
    assert raw(clinic.api, "GET", path, params={"purpose": "TREAT"}).content == DIARY
    patient.end(consent)
    entry = next(e for e in patient.accesses() if e["type"] == "key.handed_over")
    assert entry["detail"]["segment_kind"] == found["typed_data"]["message"]["segmentKind"]
    subject = SubjectId(int(patient.subject, 16))
    epoch = service.world.services.slots.epochs(subject, draft["kind"])[draft["epoch"]]
    assert bytes.fromhex(body["signature"][2:]) in epoch.handover


def test_record_kept_end_to_end_is_gone_once_its_share_is(
    service: Service, own: tuple[Patient, PrivateKey], chain: Chain, tmp_path: Path
) -> None:
    patient, key = own
    record, _ = kept(service, own, chain)
    asked = raw(
        patient.api,
        "POST",
        "/v1/erasures",
        json={"subject": patient.subject, "record_id": record, "grace_hours": 0},
    )
    assert asked.status_code in {201, 202}, asked.text
    with client_of(service, patient.api) as client, pytest.raises(RequestRefused, match="consent_required"):
        client.read_segment(record, "s0000", key, purpose="PATRQT")
    deadline = time.monotonic() + 60  # it is destroyed behind the answer
    while service.world.stores.keys.exists("erasure_share", f"{record}/1/s0000"):
        assert time.monotonic() < deadline, "the share was not destroyed"
        time.sleep(0.05)

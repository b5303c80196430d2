"""Records and receipts have every mandatory field of ISO/IEC TS 27560:2023, and verify offline.

The fields are those marked mandatory in section 8.2 of the DPVCG report of 1 August 2024. They are looked for
in the expanded form (JSON-LD 1.1), made by PyLD, so that a term of ours that is no term of DPV is not found.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from joserfc.jws import detach_content, serialize_compact
from pyld import jsonld
from typer.testing import CliRunner

from backend.cli import app
from backend.consent.states import State
from backend.interop.receipts import signing
from backend.interop.receipts.errors import (
    ReceiptForged,
    ReceiptKeyUnknown,
    ReceiptMalformed,
    ReceiptOfDelegation,
)
from backend.interop.receipts.record import Case, consent_receipt, consent_record, require_grant
from backend.interop.receipts.signing import PROOF, DocumentSigner, verify
from backend.interop.receipts.vocabulary import purposes
from backend.types import to_hex
from scripts.vectors import world as w
from tests.support.memory_keys import MemoryKeyStore
from tests.unit.interop.receipt_cases import CASES

DPV, DCT = "https://w3id.org/dpv#", "http://purl.org/dc/terms/"
RECEIPT_ID = "urn:uuid:00000000-0000-4000-8000-000000000001"
Node = dict[str, Any]


def no_loader(url: str, _: Any) -> NoReturn:
    raise AssertionError(f"a context is fetched: {url}")


def expand(document: Node) -> Node:
    (node,) = jsonld.expand(document, {"documentLoader": no_loader})
    return node


def under(node: Node, *path: str) -> list[Any]:
    """Everything at the end of a path of properties."""
    found: list[Any] = [node]
    for name in path:
        found = [value for item in found for value in item.get(name, [])]
    return found


def types(node: Node) -> set[str]:
    return {name.removeprefix(DPV) for name in node.get("@type", [])}


HEADER = {
    "schema version": [DCT + "conformsTo"],
    "record id": [DCT + "identifier"],
    "pii principal id": [DPV + "hasDataSubject", DCT + "identifier"],
    "privacy notice": [DPV + "hasNotice", DCT + "identifier"],
    "language": [DPV + "hasNotice", DCT + "language"],
    "consent status": [DPV + "hasConsentStatus"],
}
PROCESSING = {
    "purpose": [DPV + "hasPurpose"],
    "pii information": [DPV + "hasPersonalData"],
    "pii controllers": [DPV + "hasDataController"],
    "storage locations": [DPV + "hasStorageCondition", DPV + "hasLocation", DCT + "identifier"],
    "retention period": [DPV + "hasStorageCondition", DPV + "hasDuration"],
    "jurisdiction": [DPV + "hasJurisdiction", DCT + "identifier"],
    "recipient third parties": [DPV + "hasRecipient"],
    "withdrawal method": [DPV + "hasConsentControl"],
}
PARTY = {
    "party id": [DCT + "identifier"],
    "party address": [DPV + "hasAddress"],
    "party name": [DPV + "hasName"],
    "party contact": [DPV + "hasContact"],
}
EVENT = {
    "event time": [DCT + "date"],
    "validity duration": [DCT + "valid"],
    "entity id": [DPV + "isImplementedByEntity"],
    "event type": [DPV + "hasLegalBasis"],
    "event state": [DPV + "hasConsentStatus"],
}


def missing(node: Node, fields: dict[str, list[str]]) -> set[str]:
    def empty(value: Any) -> bool:
        return not value or value.get("@value", value.get("@id", "x")) in ("", None)

    return {
        name for name, path in fields.items() if not (found := under(node, *path)) or any(map(empty, found))
    }


def check_record(record: Node) -> None:
    assert missing(record, HEADER) == set()
    processes, parties = under(record, DPV + "hasProcess"), under(record, DPV + "hasEntity")
    events = under(record, DCT + "hasPart")
    assert processes
    assert len(parties) >= 2
    assert events
    assert all(missing(process, PROCESSING) == set() for process in processes)
    assert all(missing(party, PARTY) == set() for party in parties)
    assert all(missing(event, EVENT) == set() for event in events)
    # pii type: each names its category; party type: each has one; and references lead to a party.
    for data in under(processes[0], DPV + "hasPersonalData"):
        assert "PersonalData" in types(data)
        assert data["@id"]
    roles = {"DataController", "Recipient", "Representative", "GuardianOfDataSubject"}
    assert all(types(party) & roles for party in parties)
    named = {party["@id"] for party in parties}
    for name in ("hasDataController", "hasRecipient"):
        assert {item["@id"] for item in under(processes[0], DPV + name)} <= named
    subjects = {subject["@id"] for subject in under(record, DPV + "hasDataSubject")}
    assert {item["@id"] for item in under(record, DCT + "hasPart", DPV + "isImplementedByEntity")} <= (
        named | subjects
    )


@pytest.fixture(scope="module")
def signer() -> DocumentSigner:
    return DocumentSigner(MemoryKeyStore())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_record_and_receipt_have_every_mandatory_field(case: Case) -> None:
    record = expand(consent_record(case, w.TABLES))
    assert types(record) == {"ConsentRecord"}
    check_record(record)
    receipt = expand(consent_receipt(case, w.TABLES, receipt_id=RECEIPT_ID))
    assert types(receipt) == {"ConsentReceipt"}
    assert under(receipt, DCT + "identifier")[0]["@value"] == RECEIPT_ID
    assert under(receipt, DCT + "conformsTo")
    (copied,) = under(receipt, DCT + "subject")
    assert copied["@id"] == record["@id"]
    check_record(copied)
    assert "urn:assent:message" not in copied
    assert under(record, "urn:assent:message")[0]["@type"] == "@json"


@pytest.mark.parametrize("field", [*HEADER, *PROCESSING, *PARTY, *EVENT])
def test_check_of_the_mandatory_fields_finds_each_that_is_left_out(field: str) -> None:
    record = expand(consent_record(CASES["permit"], w.TABLES))
    for place, fields in (
        ([record], HEADER),
        (under(record, DPV + "hasProcess"), PROCESSING),
        (under(record, DPV + "hasEntity"), PARTY),
        (under(record, DCT + "hasPart"), EVENT),
    ):
        if field in fields:
            del place[0][fields[field][0]]
    with pytest.raises(AssertionError):
        check_record(record)


def test_every_member_is_known_to_the_context() -> None:
    """JSON-LD drops members that the context does not define; nothing of ours may be lost so."""

    def members(value: Any) -> int:
        if isinstance(value, list):
            return sum(map(members, value))
        if not isinstance(value, dict) or value.get("@type") == "@json" or "@value" in value:
            return 0
        return sum(1 + members(inner) for name, inner in value.items() if not name.startswith("@"))

    record = consent_record(CASES["by a delegate"], w.TABLES)
    written = {name: value for name, value in record.items() if name != "@context"}
    opaque = dict.fromkeys(("assent:message", "assent:via"), 0)
    assert members(expand(record)) == members({**written, **opaque})


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("permit", ["ConsentGiven"]),
        ("deny of everything to everyone", ["ConsentRefused"]),
        ("refused request", ["ConsentRefused"]),
        ("withdrawn", ["ConsentGiven", "ConsentWithdrawn"]),
        ("withdrawn, not on the chain yet", ["ConsentGiven", "ConsentWithdrawn"]),
        ("expired", ["ConsentGiven", "ConsentExpired"]),
        ("replaced by a later one", ["ConsentGiven", "ConsentWithdrawn"]),
        ("too late to be recorded", ["ConsentGiven", "ConsentExpired"]),
        ("prohibition that was revoked", ["ConsentRefused", "ConsentUnknown"]),
        ("by a delegate", ["ConsentGiven"]),
    ],
)
def test_events_end_in_the_status_in_force(name: str, states: list[str]) -> None:
    record = consent_record(CASES[name], w.TABLES)
    found = [event["dpv:hasConsentStatus"]["@id"].removeprefix("dpv:") for event in record["dct:hasPart"]]
    assert found == states
    assert record["dpv:hasConsentStatus"]["@id"] == f"dpv:{states[-1]}"


def test_suspended_consent_is_not_valid_for_processing() -> None:
    record = consent_record(CASES["suspended"], w.TABLES)
    assert record["dpv:hasConsentStatus"]["@id"] == "dpv:ConsentStatusInvalidForProcessing"
    assert len(record["dct:hasPart"]) == 1


def test_every_state_of_a_recorded_consent_has_a_status() -> None:
    case = CASES["permit"]
    for state in State:
        record = consent_record(replace(case, history=replace(case.history, state=state)), w.TABLES)
        assert record["dpv:hasConsentStatus"]["@id"].startswith("dpv:Consent")


def test_event_names_its_evidence_on_the_chain() -> None:
    given, withdrawn = consent_record(CASES["withdrawn"], w.TABLES)["dct:hasPart"]
    case = CASES["withdrawn"]
    assert given["assent:evidence"] == {
        "assent:chainId": 31337,
        "assent:contract": case.history.domain.verifying_contract,
        "assent:block": 7,
        "assent:consentId": to_hex(case.history.consent_id),
        "assent:transaction": "0x" + "07" * 32,
    }
    assert withdrawn["assent:evidence"]["assent:block"] == 9
    pending = consent_record(CASES["withdrawn, not on the chain yet"], w.TABLES)["dct:hasPart"][1]
    assert "assent:evidence" not in pending


def test_delegate_is_a_party_and_the_entity_of_the_event() -> None:
    record = consent_record(CASES["by a delegate"], w.TABLES)
    assert record["dct:hasPart"][0]["dpv:isImplementedByEntity"] == {"@id": f"urn:assent:account:{w.MOTHER}"}
    assert record["dpv:hasEntity"][2]["@type"] == ["dpv:NaturalPerson", "dpv:Representative"]


def test_every_purpose_has_a_broader_one_of_dpv() -> None:
    found = purposes(w.TABLES.purposes, w.TABLES.purposes.all_bits, "en")
    assert len(found) == 62
    assert all(item["skos:broadMatch"]["@id"].startswith("dpv:") for item in found)


def test_delegation_has_no_receipt() -> None:
    with pytest.raises(ReceiptOfDelegation):
        require_grant(w.delegation())


def test_signature_verifies_with_the_published_keys_alone(signer: DocumentSigner) -> None:
    record = signer.sign(consent_record(CASES["permit"], w.TABLES))
    found = verify(json.loads(json.dumps(record)), signer.public_set())
    assert (found.kind, found.status) == ("ConsentRecord", "ConsentGiven")
    assert found.consent_id == to_hex(CASES["permit"].history.consent_id)
    reordered = dict(reversed(record.items()))
    assert verify(reordered, signer.public_set()) == found
    expand(record)


def _status(document: Node) -> None:
    document["dpv:hasConsentStatus"]["@id"] = "dpv:ConsentWithdrawn"


def _party(document: Node) -> None:
    document["dpv:hasEntity"].pop()


def _more(document: Node) -> None:
    document["dct:description"] = "more"


@pytest.mark.parametrize("change", [_status, _party, _more])
def test_changed_record_is_refused(signer: DocumentSigner, change: Callable[[Node], None]) -> None:
    record = signer.sign(copy.deepcopy(consent_record(CASES["permit"], w.TABLES)))
    change(record)
    with pytest.raises(ReceiptForged):
        verify(record, signer.public_set())


def test_record_with_another_message_than_its_identifier_says_is_refused(signer: DocumentSigner) -> None:
    record = consent_record(CASES["permit"], w.TABLES)
    other = consent_record(CASES["expired"], w.TABLES)
    for message in (other["assent:message"], {}):
        with pytest.raises(ReceiptForged, match=r".") as refused:
            verify(signer.sign({**record, "assent:message": message}), signer.public_set())
        assert refused.value.field == "assent:message"


def test_document_of_another_form_or_key_is_refused(signer: DocumentSigner) -> None:
    record = signer.sign(consent_record(CASES["permit"], w.TABLES))
    keys = signer.public_set()
    other = DocumentSigner(MemoryKeyStore()).public_set()
    stolen = {"keys": [{**other["keys"][0], "kid": keys["keys"][0]["kid"]}]}
    for wrong in (other, stolen, {}, {"keys": []}, [], None, {"keys": [1]}):
        with pytest.raises(ReceiptKeyUnknown):
            verify(record, wrong)
    unsigned = {name: value for name, value in record.items() if name != PROOF}
    attached = {**record, PROOF: {signing.JWS: record[PROOF][signing.JWS].replace("..", ".e30.")}}
    for malformed in (
        None,
        [],
        {},
        unsigned,
        {**record, "@context": "https://evil.example"},
        {**record, PROOF: "x"},
        {**record, PROOF: {signing.JWS: "x"}},
        {**record, PROOF: {signing.JWS: "a.b.c"}},
        {**record, "x": float("nan")},
        {**record, "x": 2**60},
    ):
        with pytest.raises(ReceiptMalformed):
            verify(malformed, keys)
    with pytest.raises((ReceiptMalformed, ReceiptForged)):
        verify(attached, keys)


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"crit": ["b64"], "b64": False}, {"alg": "none"}])
def test_proof_with_another_header_is_refused(signer: DocumentSigner, header: Node) -> None:
    record = consent_record(CASES["permit"], w.TABLES)
    good = {"alg": "ES256", "kid": signer.public_set()["keys"][0]["kid"], "typ": signing.TYPE}
    if header.get("alg") == "none":
        encoded = base64.urlsafe_b64encode(json.dumps({**good, **header}).encode()).decode().rstrip("=")
        jws = f"{encoded}.."
    else:
        jws = detach_content(serialize_compact({**good, **header}, b"x", signer._key))
    with pytest.raises(ReceiptMalformed):
        verify({**record, PROOF: {signing.JWS: jws}}, signer.public_set())


def test_command_verifies_a_file(tmp_path: Path, signer: DocumentSigner) -> None:
    receipt = signer.sign(consent_receipt(CASES["permit"], w.TABLES, receipt_id=RECEIPT_ID))
    (tmp_path / "r.json").write_text(json.dumps(receipt))
    (tmp_path / "k.json").write_text(json.dumps(signer.public_set()))
    arguments = ["receipt", "verify", str(tmp_path / "r.json"), "--jwks", str(tmp_path / "k.json"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["identifier"] == RECEIPT_ID
    receipt["dct:subject"]["dpv:hasConsentStatus"]["@id"] = "dpv:ConsentExpired"
    (tmp_path / "r.json").write_text(json.dumps(receipt))
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "receipt_forged" in done.stderr

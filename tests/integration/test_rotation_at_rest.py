"""The classes of keys that are rotated on stopped stores, on a custodian with all that can be stored.

Afterwards everybody is answered as before, and a document of before that is put back opens nothing. A
rotation that dies at any write is ended by the next start.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.job_store import MongoJobStore
from backend.adapters.index.kept_results import MongoRemovalRows
from backend.adapters.index.message_store import MongoDeliveryStore
from backend.adapters.index.sealed_fields import SEALED_FIELDS
from backend.audit.entry import Agent, AgentKind
from backend.bootstrap import clock
from backend.client import AssentClient, Chain, hand_over, new_key
from backend.erasure.results import Removal, What
from backend.identity.roles import Role
from backend.keystore import version_of, versioned
from backend.maintenance.care_teams import check_care_teams
from backend.maintenance.documents import check_documents
from backend.maintenance.fsck import check_everything
from backend.maintenance.key_rotation import rotate_keys
from backend.maintenance.report import Report
from backend.notices.delivering import place_of as place_of_message
from backend.notices.types import Delivery
from backend.outbox.types import FAILED, Act
from backend.records.sealing import RecipientKey
from backend.research.jobs.kept import KeptResult
from backend.research.jobs.types import Job, JobId, JobState
from backend.research.jobs.types import place_of as place_of_job
from backend.research.money import claims
from backend.research.types import StudyId
from backend.rotations import AT_REST, rotation_at_rest
from backend.sealed import DocumentSealer, documents_key
from backend.settings import Settings
from backend.stores import Stores, open_stores
from backend.types import LogIndex, MemberId, SubjectId, UnixSeconds
from tests.integration.api.test_encryption_keys import bind
from tests.integration.api.test_paper_consents import PATH as PAPERS
from tests.integration.api.world import Patient, assert_problem, in_days, raw, staff
from tests.integration.test_cli_keys import logged
from tests.support.answers import Questions
from tests.support.faults import Crash, Faults
from tests.support.process_world import eventually
from tests.support.stored import STORED
from tests.support.tampering import Contents, contents
from tests.support.town import Town, town

# Of the others nothing that lies in the index is refused: what was handed out is.
NAMED_BY_FSCK = ("documents", "marks", "staff-index")


@pytest.fixture(scope="module")
def seals() -> set[bytes]:
    """All that ``DocumentSealer`` sealed while the town was built."""
    return set()


@pytest.fixture(scope="module")
def built(seals: set[bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    seal = DocumentSealer.seal

    def noted(sealer: DocumentSealer, document: bytes, **where: Any) -> bytes:
        sealed = seal(sealer, document, **where)
        seals.add(sealed)
        return sealed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DocumentSealer, "seal", noted)
        with town(tmp_path_factory.mktemp("town") / "data") as found:
            add_the_rest(found)
            patch.undo()
            yield found


def add_the_rest(built: Town) -> None:
    """A stop with its documents, a hold, a mail that waits, and somebody who was erased."""
    stores = built.service.world.stores
    built.witness.post(f"{PAPERS}/{built.paper_id}/stop", {})
    officer = staff(built.service, "officer", Role.PRIVACY_OFFICER)
    reader = built.reader.wallet.subject
    officer.post("/v1/legal-holds", {"subject": reader, "reason": "legal_claims", "until": in_days(30)})
    subject, later = SubjectId(int(reader, 16)), UnixSeconds(int(time.time()) + 24 * 3600)
    sealed = DocumentSealer(stores.keys).seal(b"text", subject=subject, place=place_of_message("waiting"))
    MongoDeliveryStore(stores.database, "mails", keeps_bodies=False).put(
        Delivery("waiting", f"{subject:024x}", "request", sealed, None, later, later)
    )
    claimed = DocumentSealer(stores.keys).seal(b"{}", subject=None, place=claims.place_of_claim("failed"))
    MongoActStore(stores.database, stores.keys).insert(
        Act(claims.ACT, "failed", FAILED, {"sealed": claimed}, 1, 0, later), holder="", leased_until=later
    )
    add_prepared(stores, later)
    MongoRemovalRows(stores.database, stores.keys).insert(
        Removal(
            StudyId(bytes(32)), What.RESULTS, "study-results-1", later, later, {"results": 1}, LogIndex(0)
        )
    )
    gone = built.cast.adults[4].wallet
    gone.api.post("/v1/erasures", {"subject": gone.subject, "grace_hours": 0})
    erasures, acts = stores.database["erasures"], stores.database["acts"]
    eventually(lambda: erasures.count_documents({"state": "erased"}) == 1, seconds=30, what="erased")
    eventually(lambda: acts.count_documents({"over": False}) == 0, seconds=30, what="no act under way")


def add_prepared(stores: Stores, now: UnixSeconds) -> None:
    """A run whose result is on its way out; it has ended, so that nobody drives it here."""
    kept = KeptResult({"table": None}, bytes(32), (), 0, apart=False, export=None)
    name = JobId(b"prepared result.")
    sealed = DocumentSealer(stores.keys).seal(kept.encoded(), subject=None, place=place_of_job(name.hex()))
    MongoJobStore(stores.database).add(
        Job(
            job_id=name,
            study=StudyId(bytes(32)),
            researcher=MemberId(bytes(32)),
            agent=Agent(AgentKind.CLIENT, "workbench"),
            state=JobState.FAILED,
            created_at=now,
            changed_at=now,
            prepared=sealed,
        )
    )


def damage(stores: Stores) -> list[str]:
    return [f"{found.code} {found.where}" for found in check_everything(stores).damage]


def members(value: Any, path: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield every member of a document that holds bytes, by its path."""
    if isinstance(value, bytes):
        yield path, value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from members(member, f"{path}.{name}" if path else name)


def test_every_member_that_is_sealed_stands_in_the_table(built: Town, seals: set[bytes]) -> None:
    found = {
        (collection, path, document["kind"] if collection == "acts" else None)
        for collection, documents in contents(built.service.world.stores.database).items()
        for document in documents.values()
        for path, value in members(document)
        if value in seals
    }
    assert found == {(field.collection, field.member, field.kind) for field in SEALED_FIELDS}


@pytest.mark.parametrize("key_class", AT_REST)
def test_rotation_changes_no_answer_and_what_is_put_back_from_before_opens_nothing(
    built: Town, key_class: str
) -> None:
    Questions(built).ask("")
    before = Questions(built).ask("")
    old = contents(built.service.world.stores.database)
    lines = []
    built.restart(lambda: lines.append(rotate_keys(built.service.world.stores.settings, key_class)))
    stores = built.service.world.stores
    assert (lines[0]["class"], lines[0]["version"], lines[0]["minimum"]) == (key_class, 2, 2)
    assert damage(stores) == []
    assert Questions(built).ask("") == before
    assert logged(built.service.world).count((key_class, 2)) == 1
    if key_class not in NAMED_BY_FSCK:
        return
    collections = set(rotation_at_rest(stores, key_class).collections())
    now = contents(stores.database)
    changed = put_back(stores, {name: old[name] for name in collections}, now)
    assert {collection for collection, _ in changed} == collections
    said = damage(stores)
    for collection, name in changed:
        row = now[collection][name]
        assert any(each in one for each in STORED[collection].named(row) for one in said), (collection, name)
    for collection, name in changed:
        put(stores, collection, now[collection][name])
    assert damage(stores) == []


def put(stores: Stores, collection: str, document: Mapping[str, Any]) -> None:
    stores.database[collection].delete_one({"_id": document["_id"]})
    stores.database[collection].insert_one(dict(document))


def put_back(stores: Stores, old: Contents, now: Contents) -> list[tuple[str, Any]]:
    """Put all documents back that are others now."""
    changed = [
        (collection, name)
        for collection, documents in old.items()
        for name, document in documents.items()
        if name in now[collection] and now[collection][name] != document
    ]
    for collection, name in changed:
        put(stores, collection, old[collection][name])
    return changed


class BreakingDatabase:
    """A database of which the k-th write breaks."""

    def __init__(self, database: Any, faults: Faults) -> None:
        self._database = database
        self._faults = faults

    def __getitem__(self, name: str) -> Any:
        return self._faults.wrap(self._database[name], name, only={"bulk_write", "delete_many"})


def broken(stores: Stores, key_class: str, number: int) -> bool:
    """Begin a rotation that dies after a write, which is before the next; return whether it came so far."""
    faults = Faults()
    faults.arm(number, after=True)
    keys = faults.wrap(stores.keys, "keys", only={"create_many", "erase_many", "note_version"})
    rotation = type(rotation_at_rest(stores, key_class))(BreakingDatabase(stores.database, faults), keys)
    with suppress(Crash):
        rotation.rotate(clock=clock)
    return len(faults.calls) > number


def break_at_each_write(settings: Settings, key_class: str) -> int:
    """Return at how many writes a rotation was broken."""
    stores = open_stores(settings)
    with stores.closing:
        number, reached = 0, True
        while reached:
            before = version_of(stores.keys, key_class).version
            reached = broken(stores, key_class, number)
            assert check_at_rest(stores) == [], number  # all opens while both versions count
            state = rotation_at_rest(stores, key_class).finish()  # as each start does
            assert state.minimum == state.version == before + 1
            assert check_at_rest(stores) == [], number
            for name in rotation_at_rest(stores, key_class).names():
                assert not any(stores.keys.exists(*versioned(name, old)) for old in range(1, state.version))
            number += 1
        return number


def check_at_rest(stores: Stores) -> list[str]:
    report = Report()
    check_documents(stores, report)
    check_care_teams(stores, report)
    return [f"{found.code} {found.where}" for found in report.damage]


@pytest.mark.parametrize("key_class", AT_REST)
def test_rotation_that_dies_at_any_write_is_ended_by_the_next_start(built: Town, key_class: str) -> None:
    before = Questions(built).ask("")
    numbers = []
    settings = built.service.world.stores.settings
    built.restart(lambda: numbers.append(break_at_each_write(settings, key_class)))
    stores = built.service.world.stores
    assert numbers[0] > len(list(rotation_at_rest(stores, key_class).collections()))
    assert damage(stores) == []
    assert Questions(built).ask("") == before


def test_nobody_who_was_erased_has_a_key_again(built: Town) -> None:
    stores = built.service.world.stores
    gone = SubjectId(int(built.cast.adults[4].wallet.subject, 16))
    there = SubjectId(int(built.reader.wallet.subject, 16))
    newest = version_of(stores.keys, "documents").version
    assert newest > 1
    for version in range(1, newest + 2):
        assert not stores.keys.exists(*documents_key(gone, version))
        assert stores.keys.exists(*documents_key(there, version)) == (version == newest)


def rotate(built: Town, key_class: str) -> None:
    settings = built.service.world.stores.settings
    built.restart(lambda: rotate_keys(settings, key_class) and None)


def test_what_was_handed_out_before_is_refused_but_a_link_that_stops_mail(built: Town) -> None:
    own, clinic, number = built.reader.wallet, built.cast.clinic, built.reader.record_number
    listing = {"subject": own.subject, "purpose": "PATRQT", "limit": 1}
    cursor = own.api.get("/v1/records", **listing)["next"]
    reference = clinic.find(number)
    person = {"record_number": "NEW-1", "name": "Ada New"}
    code = built.cast.desk.post("/v1/enrolments", person)["code"]
    subject = SubjectId(int(own.subject, 16))
    contact = built.service.world.services.contacts._book.file(subject).contact
    assert contact is not None

    def draft(code: str) -> httpx.Response:
        claim = {"code": code, "account": own.address}
        return raw(built.service.anyone(), "POST", "/v1/enrolments/claims/draft", json=claim)

    rotate(built, "tokens")
    page = raw(own.api, "GET", "/v1/records", params=listing | {"cursor": cursor})
    assert_problem(page, 422, "cursor_refused")
    found = raw(clinic.api, "GET", "/v1/records", params={"patient_ref": reference, "purpose": "TREAT"})
    assert_problem(found, 422, "patient_ref_invalid")
    assert clinic.find(number) != reference
    assert_problem(draft(code), 404, "enrolment_code_refused")
    assert draft(built.cast.desk.post("/v1/enrolments", person)["code"]).is_success
    assert built.service.world.services.contacts._book.by_token(contact.token) == subject


def test_key_that_was_sealed_to_the_custodian_before_is_refused_and_sealed_again_is_taken(
    built: Town,
) -> None:
    found = built.cast.adults[3]
    patient = Patient(found.wallet, found.record_number, found.bundle, found.record_id)
    key = new_key()
    bind(patient, key.public)
    domain = built.service.world.services.domain
    chain = Chain(domain.chain_id, bytes.fromhex(domain.verifying_contract[2:]))
    labels: dict[str, Any] = {"categories": ["laboratory"], "sensitivities": []}
    named = {"subject": patient.subject, "record": secrets.token_hex(16)}
    with AssentClient(built.service.url, str(patient.api.token)) as client:
        client.store_end_to_end(b"diary", "text/plain", key, chain=chain, **named, **labels)
        draft = client.draft(**named, version=2, **labels)
    which = {"subject": patient.subject, "kind": draft["kind"], "epoch": draft["epoch"]}
    asked = raw(patient.api, "POST", "/v1/end-to-end/handovers/draft", json=which).json()

    def sealed() -> dict[str, str]:
        public = built.service.anyone().get("/v1/end-to-end/key")["public_key"]
        custodian = RecipientKey(base64.urlsafe_b64decode(public + "=" * (-len(public) % 4)))
        return {"sealed_key": base64.b64encode(hand_over(draft, key, custodian, chain=chain)).decode()}

    body = {
        **which,
        "salt": asked["salt"],
        "message": asked["typed_data"]["message"],
        "signature": patient.wallet.sign_typed(asked["typed_data"]),
        **sealed(),
    }
    rotate(built, "custodian-recipient")
    assert_problem(raw(patient.api, "POST", "/v1/end-to-end/handovers", json=body), 422, "handed_key_invalid")
    taken = raw(patient.api, "POST", "/v1/end-to-end/handovers", json=body | sealed())
    assert taken.status_code == 204, taken.text
    path = f"/v1/records/{named['record']}/segments/s0000"
    assert raw(patient.api, "GET", path, params={"purpose": "PATRQT"}).content == b"diary"

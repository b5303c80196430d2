"""Every port call of an act breaks once, before or after its effect; after a restart the act is done, once.

Storing, granting, revoking, erasing, anchoring and changing members, on real stores. A new act needs a
function that says how to do it and what must hold then, and a line in ``FEWEST``."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from backend import idempotency
from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.erasables import RecordVersions
from backend.adapters.index.erasure_store import MongoErasureRows
from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.index.record_index import MongoRecordIndex
from backend.adapters.index.slot_store import MongoSlotIndex
from backend.audit.anchorer import Anchorer
from backend.audit.entry import Agent, AgentKind
from backend.bootstrap import World
from backend.consent.ledger_types import NOBODY, MemberStanding
from backend.consent.member_admissions import MemberAdmissions
from backend.consent.member_order import ADMISSION, REINSTATEMENT, STOP
from backend.consent.member_registry import Credential, Widening
from backend.consent.member_stops import MemberStops
from backend.consent.revocations import Revocation
from backend.consent.terms import Grant
from backend.consent.terms_json import from_json
from backend.demo.actors import Api
from backend.erasure.service import ACT as ERASURE
from backend.erasure.service import Erasures
from backend.erasure.types import Cause, Scope, State, Wish
from backend.erasure_wiring import open_destruction
from backend.identity.roles import Role
from backend.outbox.types import Act
from backend.records.manifests import ManifestBook
from backend.records.slot_book import SlotBook
from backend.records.storing import NewDocument, StoringService
from backend.records.vault import Vault, share_name
from backend.types import MAX_UINT40, ConsentId, MemberId, RecordId, SubjectId, UnixSeconds
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff
from tests.support.breaking_process import ConsentProcess, break_at_each_call
from tests.support.faults import Faults

OPERATOR = Agent(AgentKind.STAFF, "faults")


@dataclass(slots=True)
class Stage:
    service: Service
    patient: Patient
    grantee: str
    auditor: Api

    @property
    def world(self) -> World:
        return self.service.world

    @property
    def subject(self) -> SubjectId:
        return SubjectId(int(self.patient.subject, 16))

    def newest_records(self, count: int) -> list[RecordId]:
        """The records that were stored last, by the log."""
        stored = [entry for entry in self.patient.accesses() if entry["type"] == "record.stored"]
        return [RecordId(bytes.fromhex(entry["records"][0])) for entry in stored[:count]]

    def entries(self, kind: str, member: str) -> Counter[str]:
        """How many entries of this kind name each consent or record."""
        return Counter(
            name for entry in self.patient.accesses() if entry["type"] == kind for name in entry[member]
        )


class Process(ConsentProcess):
    """With records and members."""

    def __init__(self, stage: Stage, faults: Faults, *, late: bool = False) -> None:
        super().__init__(stage.world, faults, late=late)
        stores, services, wrap = stage.world.stores, stage.world.services, faults.wrap
        keys = wrap(stores.keys, "keys")
        registry = wrap(stores.participants, "registry")
        self.stops = MemberStops(
            **self.acting, tenant=stores.tenant, registry=registry, restrictions=self.restrictions
        )
        self.admissions = MemberAdmissions(
            **self.acting,
            registry=registry,
            names=wrap(SealedMemberNames(stores.database, self.sealer), "names"),
            delay_seconds=0,
        )
        records = wrap(MongoRecordIndex(stores.database), "record index")
        slots = SlotBook(
            tenant=stores.tenant,
            index=wrap(MongoSlotIndex(stores.database), "slots"),
            keys=keys,
            sealer=self.sealer,
        )
        manifests = ManifestBook(
            index=records,
            keys=keys,
            sealer=self.sealer,
            ledger=stores.commitments,
            erases=lambda *_: False,
        )
        broken = replace(
            stores,
            keys=keys,
            blocks=wrap(stores.blocks, "blocks"),
            commitments=wrap(stores.commitments, "commitments"),
        )
        self.erasures = Erasures(
            **self.acting,
            rows=wrap(MongoErasureRows(stores.database, stores.keys), "erasure rows"),
            records=RecordVersions(stores.database),
            holds=services.erasure.holds,
            destruction=open_destruction(
                broken, manifests=manifests, slots=slots, sealer=self.sealer, forget=lambda _: None
            ),
            restrictions=self.restrictions,
            code_key=services.erasure.code_key,
        )
        self.anchorer = Anchorer(
            log=services.audit,
            checkpointer=wrap(services.checkpointer, "checkpointer"),
            anchor=wrap(stores.anchor, "anchor"),
            clock=self.now,
        )
        self.storing = StoringService(
            tenant=stores.tenant,
            index=records,
            manifests=manifests,
            vault=Vault(tenant=stores.tenant, keys=keys, slots=slots, blocks=broken.blocks),
            keys=keys,
            sealer=self.sealer,
            ledger=broken.commitments,
            record_numbers=services.identity.record_numbers_of,
            labels=services.labels,
            **self.acting,
        )

    def recover(self) -> None:
        """What a start does."""
        self.revocations.restore_restrictions()
        self.consents.restore_restrictions()
        self.stops.restore_restrictions()
        self.erasures.restore()
        self.outbox.recover()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_service(tmp_path_factory.mktemp("faults") / "data") as service:
        operator = staff(service, "faults-operator", Role.OPERATOR, Role.IDENTITY_DESK)
        auditor = staff(service, "faults-auditor", Role.AUDITOR)
        tenant = "0x" + service.world.stores.tenant.hex()
        hospital = provider(service, operator, "hospital", tenant)
        clinic = provider(service, operator, "clinic")
        yield Stage(service, enrol(service, operator, hospital, 3), clinic.member_id, auditor)


Run = Callable[[Process], object]
Attempt = tuple[Run, Callable[[], None]]  # the act, and what must hold once it was done


def storing(stage: Stage) -> Attempt:
    record = RecordId(secrets.token_bytes(16))
    document = NewDocument(
        subject=stage.subject,
        record_id=record,
        version=1,
        content=b"a report of " + record.hex().encode(),
        media_type="text/plain",
        author=stage.world.stores.tenant,
        actor=Agent(AgentKind.SERVICE, "faults"),
        categories=("laboratory",),
        sensitivities=(),
    )

    def check() -> None:
        row = MongoRecordIndex(stage.world.stores.database).current(record)
        assert row is not None
        assert stage.world.stores.commitments.committed([row.commitment]) == [True]
        assert stage.entries("record.stored", "records")[record.hex()] == 1

    return lambda process: process.storing.store_attachment(document), check


def granting(stage: Stage) -> Attempt:
    draft, signature = signed_grant(stage)
    consent = ConsentId(bytes.fromhex(draft["consent_id"][2:]))
    document = from_json(Grant, draft["message"])

    def check() -> None:
        (slot,) = slots(stage, consent)
        row = MongoConsentIndex(stage.world.stores.database).get(consent)
        assert slot.is_recorded
        assert row is not None
        assert row.block is not None
        assert stage.entries("consent.granted", "consents")[draft["consent_id"]] == 1

    return lambda process: process.consents.submit(document, signature), check


def revoking(stage: Stage) -> Attempt:
    consent = stage.patient.permit(stage.grantee, categories=["laboratory"])
    draft = stage.patient.api.post("/v1/revocations/draft", {"consent_id": consent})
    signature = bytes.fromhex(stage.patient.wallet.sign_typed(draft["typed_data"])[2:])
    stop = Revocation(signature=signature, consent=ConsentId(bytes.fromhex(consent[2:])))

    def check() -> None:
        assert stop.consent is not None
        (slot,) = slots(stage, stop.consent)
        assert slot.revoked_at
        assert stage.entries("consent.revoked", "consents")[consent] == 1

    return lambda process: process.revocations.revoke(stop), check


def erasing(stage: Stage) -> Attempt:
    store, stored = storing(stage)
    process = Process(stage, Faults(), late=True)
    store(process)
    process.go_on()
    stored()
    (record,) = stage.newest_records(1)
    row = MongoRecordIndex(stage.world.stores.database).current(record)
    assert row is not None
    wish = Wish(Scope(stage.subject, (record,)), Cause.PATIENT_REQUEST, OPERATOR, grace_seconds=0)
    again = idempotency.Attempt.only(now=int(time.time()))

    def check() -> None:
        (erasure,) = [
            each
            for each in MongoErasureRows(stage.world.stores.database, stage.world.stores.keys).of_subject(
                stage.subject
            )
            if each.scope.records == (record,)
        ]
        assert erasure.state is State.ERASED
        assert MongoRecordIndex(stage.world.stores.database).current(record) is None
        assert stage.world.stores.commitments.committed([row.commitment]) == [False]
        assert not stage.world.stores.keys.exists(*share_name(record, 1, "s0000"))
        assert stage.entries("record.erased", "records")[record.hex()] == 1

    return lambda process: process.erasures.request(wish, again), check


def anchoring(stage: Stage) -> Attempt:
    stage.patient.accesses()  # which stands in the log
    size = stage.world.services.audit.state.size

    def check() -> None:
        anchored = stage.world.stores.anchor.anchored()
        assert anchored is not None
        assert anchored.size >= size
        kept = MongoAuditStore(stage.world.stores.database).newest_checkpoint(anchored=True)
        assert kept is not None
        assert (kept.size, kept.root) == (anchored.size, anchored.root)

    return lambda process: process.anchorer.run_once(), check


def suspending(stage: Stage) -> Attempt:
    return stopping(stage, "suspended", MemberStanding.SUSPENDED)


def removing(stage: Stage) -> Attempt:
    return stopping(stage, "removed", MemberStanding.REMOVED)


def stopping(stage: Stage, change: str, standing: MemberStanding) -> Attempt:
    member = admitted(stage)

    def run(process: Process) -> None:
        (process.stops.suspend if change == "suspended" else process.stops.remove)(member, by=OPERATOR)
        assert member in process.restrictions.pending_for(stage.subject).suspended or standing_of(
            stage, member
        ) in (standing, MemberStanding.REMOVED)

    def check() -> None:
        assert standing_of(stage, member) == standing
        assert changes(stage, member)[change] == 1

    return run, check


def reinstating(stage: Stage) -> Attempt:
    member = admitted(stage)
    stage.world.stores.participants.suspend(member)

    def check() -> None:
        assert standing_of(stage, member) == MemberStanding.ACTIVE
        assert changes(stage, member) == {"reinstatement": 1, "reinstated": 1}

    return lambda process: process.admissions.reinstate(member, by=OPERATOR), check


def admitted(stage: Stage) -> MemberId:
    member = MemberId(secrets.token_bytes(32))
    credential = Credential(roles=2, expiry=UnixSeconds(MAX_UINT40), account=NOBODY)
    stage.world.stores.participants.widen(Widening(member, credential))
    return member


def standing_of(stage: Stage, member: MemberId) -> MemberStanding:
    return stage.world.stores.participants.member(member).standing


def changes(stage: Stage, member: MemberId) -> Counter[str]:
    """How many entries of the log say each change of the member."""
    return Counter(
        entry["detail"]["change"]
        for entry in stage.auditor.get("/v1/log/entries", limit=200)["entries"]
        if entry["type"] == "participant.changed" and entry["organisation"] == "0x" + member.hex()
    )


def signed_grant(stage: Stage) -> tuple[dict[str, Any], bytes]:
    wish = {
        "subject": stage.patient.subject,
        "kind": "permit",
        "grantee": stage.grantee,
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
    }
    draft = stage.patient.api.post("/v1/consents/draft", wish)
    return draft, bytes.fromhex(stage.patient.wallet.sign_typed(draft["typed_data"])[2:])


def slots(stage: Stage, consent: ConsentId) -> tuple[Any, ...]:
    ledger = stage.world.stores.ledger
    return ledger.evidence(stage.subject, (consent,), block=ledger.view().head_number).slots


# So many calls the shortest act makes; the suite breaks after each of them.
FEWEST: dict[Callable[[Stage], Attempt], int] = {
    storing: 10, granting: 10, revoking: 10, erasing: 10, anchoring: 4,
    suspending: 8, removing: 8, reinstating: 8,
}  # fmt: skip


@pytest.mark.parametrize("make", list(FEWEST))
def test_act_broken_at_each_port_call_is_complete_exactly_once_after_a_restart(
    stage: Stage, make: Callable[[Stage], Attempt]
) -> None:
    number = break_at_each_call(
        lambda: make(stage),
        lambda faults, late: Process(stage, faults, late=late),
        lambda: unfinished(stage),
    )
    assert number >= FEWEST[make]


def unfinished(stage: Stage) -> list[Act]:
    return MongoActStore(stage.world.stores.database, stage.world.stores.keys).unfinished(
        ["record", "consent", "revocation", ERASURE, STOP, ADMISSION, REINSTATEMENT]
    )

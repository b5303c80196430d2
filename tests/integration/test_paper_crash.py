"""Every port call of the second signature and of a stop breaks once, before and after its effect; after a
restart the consent on paper is recorded, or stopped, exactly once. Real chain, index and key store."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.paper_store import MongoPaperStore
from backend.consent.drafting import Wish
from backend.consent.ledger_types import ConsentSlot
from backend.consent.paper_recording import ACT, PaperRecording
from backend.consent.paper_types import Paper, Signatures
from backend.consent.papers import PaperConsents
from backend.consent.terms import Kind
from backend.consent.typed_data import typed_data
from backend.demo.actors import Api, Wallet
from backend.identity.roles import Role
from backend.types import Address, Bytes32, MemberId, SubjectId, UnixSeconds
from tests.integration.api.world import PASSWORD, Service, open_service, provider, staff
from tests.support.breaking_process import ConsentProcess
from tests.support.faults import Crash, Faults

SCAN = b"%PDF-1.7 signed by hand"
DAY = 24 * 3600


@dataclass(slots=True)
class Stage:
    service: Service
    desk: Api
    grantee: MemberId
    wallets: dict[str, Wallet]  # by staff id

    def slot(self, consent: Any) -> ConsentSlot:
        ledger = self.service.world.stores.ledger
        return ledger.evidence(SubjectId(1), (consent,), block=ledger.view().head_number).slots[0]

    def bring(self) -> Paper:
        issued = self.desk.post("/v1/enrolments", {"record_number": secrets.token_hex(6), "name": "N"})
        tables = self.service.world.services.tables
        return self.service.world.services.papers.bring(
            SCAN,
            media_type="application/pdf",
            expected=Bytes32(hashlib.sha256(SCAN).digest()),
            wish=Wish(
                kind=Kind.PERMIT,
                grantee=self.grantee,
                purposes=tables.purposes.mask(["TREAT"]),
                categories=tables.categories.mask(["laboratory"]),
                actions=tables.actions.mask(["access"]),
                not_after=UnixSeconds(int(time.time()) + DAY),
            ),
            subject=SubjectId(int(issued["subject"], 16)),
            witnesses=list(self.wallets),
            language="en",
            by=next(iter(self.wallets)),
        )

    def signatures(self, paper: Paper, staff_id: str) -> Signatures:
        domain = self.service.world.services.domain
        signed = (
            self.wallets[staff_id].sign_typed(typed_data(command, domain)) for command in paper.commands()
        )
        return Signatures(*(bytes.fromhex(text[2:]) for text in signed))

    def entries(self, kind: str, paper: Paper) -> int:
        page = self.service.world.services.accesses.page(paper.subject, before=None, limit=200)
        events = [entry.event for entry in page.entries if entry.event is not None]
        return sum(event.type == kind and paper.consent_id in event.consents for event in events)


class Process(ConsentProcess):
    """With papers."""

    def __init__(self, stage: Stage, faults: Faults, *, late: bool = False) -> None:
        world, wrap = stage.service.world, faults.wrap
        super().__init__(world, faults, late=late)
        stores, services = world.stores, world.services
        store, pairs = wrap(MongoPaperStore(stores.database), "papers"), wrap(stores.witnesses, "pairs")
        self.recording = PaperRecording(
            store=store,
            sealer=self.sealer,
            pairs=pairs,
            relay=self.ledger,
            index=self.index,
            evidence=self.evidence,
            enrolments=services.identity.enrolments,
            consents=self.consents,
            outbox=self.outbox,
            clock=self.now,
        )
        self.papers = PaperConsents(
            tenant=stores.tenant,
            store=store,
            sealer=self.sealer,
            staff=services.identity.staff,
            enrolments=services.identity.enrolments,
            evidence=self.evidence,
            drafter=services.drafter,
            tables=services.tables,
            pairs=pairs,
            recording=self.recording,
            revocations=self.revocations,
            audit=self.audit,
            signed_since=UnixSeconds(0),
            domain=services.domain,
            clock=self.now,
        )

    def recover(self) -> None:
        """What a start does."""
        self.revocations.restore_restrictions()
        self.recording.complete_all()
        self.outbox.recover(takeover=True)
        self.go_on()  # the grant of a paper is an act of its own


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_service(tmp_path_factory.mktemp("papers") / "data") as service:
        desk = staff(service, "desk", Role.OPERATOR, Role.IDENTITY_DESK)
        clinic = provider(service, desk, "clinic")
        wallets = {}
        for name in ("one", "other"):
            wallet = Wallet(service.anyone())
            made = service.world.services.identity.staff.create(
                f"witness-{name}",
                PASSWORD,
                roles=frozenset({Role.WITNESS}),
                member_id=service.world.stores.tenant,
                account=Address(wallet.address),
                by="",
            )
            wallets[made.staff_id] = wallet
        grantee = MemberId(bytes.fromhex(clinic.member_id[2:]))
        yield Stage(service, desk, grantee, wallets)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_second_signature_broken_at_each_call_is_recorded_once(stage: Stage, after: bool) -> None:
    first, second = stage.wallets
    number, reached = 0, True
    while reached:
        paper = stage.bring()
        Process(stage, Faults()).papers.sign(paper.paper_id, stage.signatures(paper, first), by=first)
        faults = Faults()
        faults.arm(number, after=after)
        process = Process(stage, faults)
        signatures = stage.signatures(paper, second)
        with suppress(Crash):
            process.papers.sign(paper.paper_id, signatures, by=second)
            process.go_on()
        reached = len(faults.calls) > number
        point = faults.calls[-1] if reached else "no more"
        restarted = Process(stage, Faults(), late=True)
        if number % 2 == 0 or second not in restarted.papers.get(paper.paper_id).signatures:
            restarted.papers.sign(paper.paper_id, signatures, by=second)
            restarted.go_on()
        restarted.recover()
        assert not _unfinished(stage), f"call {number} ({point}) left something undone"
        assert stage.slot(paper.consent_id).is_recorded, point
        assert restarted.papers.get(paper.paper_id).state == "recorded", point
        assert stage.entries("consent.granted", paper) == 1, point
        assert stage.entries("paper.witnessed", paper) == 2, point
        number += 1
    assert number > 20


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_stop_broken_at_each_call_is_in_force_once(stage: Stage, after: bool) -> None:
    clerk = next(iter(stage.wallets))
    number, reached = 0, True
    while reached:
        paper = stage.bring()
        quietly = Process(stage, Faults())
        for staff_id in stage.wallets:
            quietly.papers.sign(paper.paper_id, stage.signatures(paper, staff_id), by=staff_id)
        quietly.go_on()
        faults = Faults()
        faults.arm(number, after=after)
        process = Process(stage, faults)
        with suppress(Crash):
            process.papers.stop(paper.paper_id, by=clerk)
            pending = process.restrictions.pending_for(paper.subject).revoked
            assert paper.consent_id in pending, "not in force when it was acknowledged"
            process.go_on()
        reached = len(faults.calls) > number
        point = faults.calls[-1] if reached else "no more"
        restarted = Process(stage, Faults(), late=True)
        restarted.papers.stop(paper.paper_id, by=clerk)  # whoever got no answer sends it again
        restarted.go_on()
        restarted.recover()
        assert not _unfinished(stage), f"call {number} ({point}) left something undone"
        assert stage.slot(paper.consent_id).revoked_at, point
        assert stage.entries("paper.stopped", paper) == 1, point
        assert stage.entries("consent.revoked", paper) == 1, point
        number += 1
    assert number > 8


@pytest.mark.parametrize("state", ["signed", "paired", "kept", "delegated"])
def test_stop_while_it_is_being_recorded_leaves_no_permit(stage: Stage, state: str) -> None:
    first, second = stage.wallets
    paper = stage.bring()
    process = Process(stage, Faults())
    process.papers.sign(paper.paper_id, stage.signatures(paper, first), by=first)
    # As if the process had died when the act reached this state.
    signed = paper.changed(
        signatures={name: stage.signatures(paper, name) for name in (first, second)},
        state=type(paper.state).SIGNED,
    )
    stored = MongoPaperStore(stage.service.world.stores.database)
    assert stored.replace(process.recording.sealed(signed.changed()))
    process.recording.complete_all()
    act = process.outbox.find(ACT, paper.paper_id)
    assert act is not None
    process.outbox.drive(act, until=state)
    process.papers.stop(paper.paper_id, by=second)
    process.go_on()
    restarted = Process(stage, Faults(), late=True)
    restarted.recover()
    restarted.recover()
    assert not _unfinished(stage)
    slot = stage.slot(paper.consent_id)
    assert not slot.is_recorded or slot.revoked_at


def _unfinished(stage: Stage) -> list[Any]:
    return MongoActStore(stage.service.world.stores.database, stage.service.world.stores.keys).unfinished(
        [ACT, "consent", "revocation"]
    )

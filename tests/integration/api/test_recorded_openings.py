"""Emergencies that somebody opened on the chain: in the patient's list once, who and until when."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from backend.adapters.index.chain_positions import OPENINGS, MongoChainPositions
from backend.adapters.ledger.recorded_openings import RecordedOpenings
from backend.api.metrics import publish_emergency
from backend.consent.emergencies import OpeningLog
from backend.consent.ledger_types import RecordedOpening
from backend.consent.recorded import RecordedReader
from backend.types import BlockNumber, SubjectId
from tests.integration.api.world import Patient, Service
from tests.support.emergencies import HOUR, Responder, opened, responder


def reader(service: Service) -> RecordedReader[RecordedOpening]:
    """A service's own after a start: it has only what is kept."""
    stores, services = service.world.stores, service.world.services
    openings = OpeningLog(
        log=services.audit,
        tenant=stores.tenant,
        is_enrolled=services.identity.enrolments.is_enrolled,
        publish=publish_emergency,
    )
    return RecordedReader(
        blocks=RecordedOpenings(chain=stores.chain, contracts=stores.deployment.places("EmergencyAccess")),
        positions=MongoChainPositions(stores.database, stores.keys, OPENINGS),
        ledger=stores.ledger,
        concerns=openings.concerns,
        take=openings.take,
        first_block=BlockNumber(0),
        what="emergencies",
    )


@pytest.fixture(scope="module")
def doctor(service: Service) -> Responder:
    return responder(service)


def test_opening_on_the_chain_stands_in_the_patients_list_once(
    service: Service, new_patient: Callable[[], Patient], doctor: Responder
) -> None:
    patient = new_patient()
    receipt, opening = opened(service, doctor, SubjectId(int(patient.subject, 16)))
    for _ in range(3):  # each a restart
        reader(service).step()
        (entry,) = [each for each in patient.accesses() if each["type"] == "emergency.opened"]
        assert entry["actor"] == f"member:{'0x' + doctor.member.hex()}"
        assert entry["detail"]["opening"] == "0x" + opening.hex()
        assert entry["detail"]["block"] == receipt.block_number
        assert entry["detail"]["transaction"] == "0x" + receipt.transaction_hash.hex()
    told = REGISTRY.get_sample_value("assent_emergency_opened_timestamp_seconds")
    assert told is not None
    assert time.time() - told < HOUR


def test_opening_for_a_patient_of_somebody_else_is_not_ours_to_tell(
    service: Service, new_patient: Callable[[], Patient], doctor: Responder
) -> None:
    patient = new_patient()
    stranger = SubjectId(int(patient.subject, 16))
    opened(service, doctor, stranger)
    stores, services = service.world.stores, service.world.services
    elsewhere = OpeningLog(
        log=services.audit, tenant=stores.tenant, is_enrolled=lambda _: False, publish=publish_emergency
    )
    found = RecordedOpenings(
        chain=stores.chain, contracts=stores.deployment.places("EmergencyAccess")
    ).between(BlockNumber(0), stores.chain.view().head_number)
    assert [each for each in found if each.subject == stranger]
    assert not any(elsewhere.concerns(each) for each in found)

"""Stops that reached the chain past the service: in its log once, with what the chain tells of them.

Nobody else sends to an embedded chain, so the transactions here go out by the same relayer, but past the
service that takes stops; a reader stands for the one that a service on a network has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.chain_positions import STOPS, MongoChainPositions
from backend.adapters.index.server import IndexUnavailable
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.recorded_stops import RecordedStops
from backend.audit.errors import AuditUnavailable
from backend.audit.log import AuditLog
from backend.consent.ledger_types import Receipt, RecordedStop
from backend.consent.recorded import Position, RecordedReader
from backend.consent.revocations import ACT
from backend.consent.terms import Delegation, Grant
from backend.consent.terms_json import from_json
from backend.demo.actors import Provider, Wallet
from backend.errors import Unavailable
from backend.outbox.types import FAILED, Act
from backend.types import BlockNumber, Bytes32, ConsentId, SubjectId, UnixSeconds
from tests.integration.api.world import EVERYTHING, Patient, Service, in_days, permit_wish
from tests.support.testnet import until


def reader(service: Service) -> RecordedReader[RecordedStop]:
    """A service's own after a start: it has only what is kept."""
    stores, services = service.world.stores, service.world.services
    registry = stores.deployment.contracts["ConsentRegistry"]
    index = services.revocations._index
    return RecordedReader(
        blocks=RecordedStops(
            chain=stores.chain, registries=list(stores.deployment.places("ConsentRegistry"))
        ),
        positions=MongoChainPositions(stores.database, stores.keys, STOPS),
        ledger=stores.ledger,
        concerns=lambda stop: bool(index.of_subject(stop.subject)),
        take=services.revocations.take_recorded,
        first_block=BlockNumber(registry.block or 0),
        what="stops",
    )


def ends(patient: Patient, kind: str = "consent.revoked") -> list[dict[str, Any]]:
    return [entry for entry in patient.accesses() if entry["type"] == kind]


def stop_of(patient: Patient, consent: str | None = None) -> tuple[dict[str, Any], bytes]:
    """A signed stop of one consent, or of everything: its message, and the signature."""
    wanted = {"subject": patient.subject} if consent is None else {"consent_id": consent}
    draft = patient.api.post("/v1/revocations/draft", wanted)["typed_data"]
    return draft["message"], bytes.fromhex(patient.wallet.sign_typed(draft)[2:])


def past_the_service(service: Service, patient: Patient, consent: str) -> Receipt:
    """End a consent by a transaction that the service knows nothing of; its receipt."""
    _, signature = stop_of(patient, consent)
    return service.world.stores.ledger.revoke(ConsentId(bytes.fromhex(consent[2:])), signature)


def sender(service: Service) -> str:
    return service.world.stores.relayer.address(Sender.RELAYER).lower()


def told(service: Service, receipt: Receipt) -> dict[str, Any]:
    """What an entry says of the transaction."""
    return {
        "block": receipt.block_number,
        "transaction": "0x" + receipt.transaction_hash.hex(),
        "sender": sender(service),
    }


def test_stop_sent_past_the_service_is_logged_once_with_block_transaction_and_sender(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    receipt = past_the_service(service, patient, consent)
    assert ends(patient) == []
    for _ in range(3):  # each a restart
        reader(service).step()
        (entry,) = ends(patient)
        assert entry["consents"] == [consent]
        assert entry["detail"] == told(service, receipt)
        assert entry["actor"] == f"subject:{patient.subject[2:]}"
    patient.wallet.revoke(consent)  # the same signature again: acknowledged, and nothing new
    assert len(ends(patient)) == 1


def test_stop_that_the_service_took_itself_is_not_logged_again(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    first, second = (patient.permit(clinic.member_id, not_after=in_days(days)) for days in (3, 4))
    patient.end(first, second)
    message, signature = stop_of(patient)
    body = {"subject": patient.subject, "epoch": message["epoch"], "signature": "0x" + signature.hex()}
    service.anyone().post("/v1/revocations", body)
    before = len(patient.accesses())
    reader(service).step()
    assert len(ends(patient)) == 2
    assert len(ends(patient, "consent.revoked_all")) == 1
    assert len(patient.accesses()) == before


def test_stop_that_was_taken_with_another_signature_is_the_same_stop(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    """Wallets that are contracts sign differently each time; another custodian may have relayed the other."""
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    patient.end(consent)
    stores, taken = service.world.stores, service.world.services.revocations
    blocks = RecordedStops(chain=stores.chain, registries=list(stores.deployment.places("ConsentRegistry")))

    def recorded() -> list[RecordedStop]:
        every = blocks.between(BlockNumber(0), stores.chain.view().head_number)
        return [each for each in every if each.consent == bytes.fromhex(consent[2:])]

    until(lambda: bool(recorded()), "the stop is in a block")
    (stop,) = recorded()
    assert not taken.take_recorded(replace(stop, signature=b"another"))
    assert len(ends(patient)) == 1


def test_false_stop_that_came_before_does_not_stand_in_the_place_of_a_true_one(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    _, signature = stop_of(patient, consent)
    stores = service.world.stores
    names = [f"{consent[2:]}/{hashlib.sha256(each).hexdigest()[:16]}" for each in (signature, b"false")]
    for name in names:  # as a delegate's would, while its delegation was not there yet
        false = Act(ACT, name, FAILED, {"subject": patient.subject[2:]}, 1, 0, UnixSeconds(5))
        acts = MongoActStore(stores.database, stores.keys)
        assert acts.insert(false, holder="", leased_until=UnixSeconds(0))
    receipt = past_the_service(service, patient, consent)
    for _ in range(2):
        reader(service).step()
        (entry,) = ends(patient)
        assert entry["detail"] == told(service, receipt)


def test_stop_of_everything_sent_past_the_service_is_logged(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    message, signature = stop_of(patient)
    subject = SubjectId(int(patient.subject, 16))
    receipt = service.world.stores.ledger.revoke_all(subject, message["epoch"], signature)
    for _ in range(2):
        reader(service).step()
        (entry,) = ends(patient, "consent.revoked_all")
        assert entry["detail"] == {**told(service, receipt), "epoch": message["epoch"]}


def test_stop_by_a_delegate_is_logged_as_the_delegates(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    delegate = Wallet(service.anyone())
    wish = {
        "subject": patient.subject,
        "delegate": delegate.address,
        "powers": ["revoke"],
        "purposes": ["TREAT"],
        "categories": EVERYTHING,
        "not_after": in_days(60),
        "relationship": "daughter",
    }
    draft = patient.api.post("/v1/delegations/draft", wish)
    patient.wallet.submit("/v1/delegations", draft)
    consent = patient.permit(clinic.member_id)
    delegate.sign_in()
    stop = delegate.api.post("/v1/revocations/draft", {"consent_id": consent, "via": [draft["message"]]})
    receipt = service.world.stores.ledger.revoke(
        ConsentId(bytes.fromhex(consent[2:])),
        bytes.fromhex(delegate.sign_typed(stop["typed_data"])[2:]),
        via=[from_json(Delegation, draft["message"])],
    )
    reader(service).step()
    (entry,) = ends(patient)
    assert entry["detail"] == told(service, receipt)
    assert entry["actor"] == f"account:{delegate.address.lower()}"


def test_end_by_a_grant_that_supersedes_is_logged_where_the_grant_is_not_known(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    known, unknown = (patient.permit(clinic.member_id, not_after=in_days(days)) for days in (3, 4))
    patient.permit(clinic.member_id, supersedes=known)
    draft = patient.api.post("/v1/consents/draft", permit_wish(patient, clinic, supersedes=unknown))
    signature = bytes.fromhex(patient.wallet.sign_typed(draft["typed_data"])[2:])
    receipt = service.world.stores.ledger.record(from_json(Grant, draft["message"]), signature)
    reader(service).step()
    (entry,) = ends(patient)
    assert entry["consents"] == [unknown]
    assert entry["detail"] == told(service, receipt)


def test_crash_between_entry_and_act_leaves_one_entry(
    service: Service,
    new_patient: Callable[[], Patient],
    clinic: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patient = new_patient()
    past_the_service(service, patient, patient.permit(clinic.member_id))

    def away(*_: object, **__: object) -> bool:
        raise IndexUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(MongoActStore, "advance", away)
        with pytest.raises(Unavailable):
            reader(service).step()
    assert len(ends(patient)) == 1  # durable, and nothing else knows of it
    reader(service).step()
    until(lambda: not unfinished(service), "it is carried on")
    reader(service).step()
    assert len(ends(patient)) == 1


def test_crash_before_the_entry_leaves_one_entry(
    service: Service,
    new_patient: Callable[[], Patient],
    clinic: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patient = new_patient()
    past_the_service(service, patient, patient.permit(clinic.member_id))

    def away(*_: object, **__: object) -> object:
        raise AuditUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "append", away)
        with pytest.raises(Unavailable):
            reader(service).step()
    reader(service).step()
    until(lambda: not unfinished(service), "it is carried on")
    assert len(ends(patient)) == 1


def unfinished(service: Service) -> list[Act]:
    stores = service.world.stores
    return MongoActStore(stores.database, stores.keys).unfinished([ACT])


@pytest.mark.parametrize("fault", ["forged", "replaced", "gone"])
def test_position_that_cannot_be_trusted_is_not_gone_on_from(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, fault: str
) -> None:
    patient = new_patient()
    past_the_service(service, patient, patient.permit(clinic.member_id))
    stores = service.world.stores
    positions = MongoChainPositions(stores.database, stores.keys, STOPS)
    head = stores.chain.view().head_number
    if fault == "replaced":
        positions.put(Position(head, Bytes32(b"\x66" * 32)))
    elif fault == "gone":
        positions.put(Position(BlockNumber(head + 1000), Bytes32(b"\x66" * 32)))
    else:
        reader(service)._keep(BlockNumber(head - 1))
        ahead = {"block": int(head), "hash": bytes(stores.chain.view().head_hash)}
        stores.database["chain_positions"].update_one({"_id": "stops"}, {"$set": ahead})
    reader(service).step()
    assert len(ends(patient)) == 1


def test_reader_goes_on_where_it_came_to(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = new_patient()
    past_the_service(service, patient, patient.permit(clinic.member_id))
    reader(service).step()
    head = service.world.stores.chain.view().head_number
    asked: list[tuple[int, int]] = []
    between = RecordedStops.between

    def watched(self: RecordedStops, first: BlockNumber, last: BlockNumber) -> list[RecordedStop]:
        asked.append((first, last))
        return between(self, first, last)

    monkeypatch.setattr(RecordedStops, "between", watched)
    past_the_service(service, patient, patient.permit(clinic.member_id, not_after=in_days(9)))
    reader(service).step()
    ((first, last),) = asked
    assert first == head + 1
    assert last > head
    assert len(ends(patient)) == 2

"""A node that hangs, lies or forgets to answer: nothing is permitted on its word, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from backend.adapters.ledger.errors import ChainChanged, StaleHead, WrongChain
from backend.adapters.ledger.network import NetworkChain
from backend.demo.actors import Provider, Refused
from backend.errors import LedgerUnavailable
from tests.integration.api.world import Patient, Service, assert_problem, in_days
from tests.networks.acts import read, row_of, under_way
from tests.support.faulty_rpc import Fault, FaultyRpc
from tests.support.testnet import STALENESS_SECONDS, Testnet, until

TRIES = 100  # half of the answers are lost, of several that each of these takes


@pytest.fixture
def chain(network: Testnet, proxy: FaultyRpc) -> Iterator[NetworkChain]:
    made = network.chain(proxy.url, view_age_seconds=0.0, timeout_seconds=2.0)
    yield made
    made.close()


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient]) -> Patient:
    return new_patient()


@pytest.fixture(scope="module")
def permitted(patient: Patient, clinic: Provider) -> str:
    consent = patient.permit(clinic.member_id)
    until(lambda: read(clinic, patient).status_code == 200, "the grant is final")
    return consent


@pytest.mark.parametrize("fault", [Fault.HANGS, Fault.INVENTED_HEAD, Fault.OTHER_CHAIN, Fault.NONSENSE])
def test_view_of_a_faulty_node_is_none_and_the_next_one_of_a_sound_node_is_good(
    proxy: FaultyRpc, chain: NetworkChain, fault: Fault
) -> None:
    before = chain.view()
    with proxy.faulty(fault):
        began = time.monotonic()
        with pytest.raises(LedgerUnavailable) as caught:
            chain.view()
        assert time.monotonic() - began < 10
    assert isinstance(caught.value, ChainChanged) == (fault is Fault.OTHER_CHAIN)
    assert chain.view().head_number >= before.head_number


def test_node_of_another_chain_is_refused_at_the_start(network: Testnet, proxy: FaultyRpc) -> None:
    with proxy.faulty(Fault.OTHER_CHAIN), pytest.raises(WrongChain):
        network.chain(proxy.url)


def test_head_that_stands_still_is_stale_after_the_limit(network: Testnet, proxy: FaultyRpc) -> None:
    now = [0.0]
    chain = network.chain(proxy.url, view_age_seconds=0.0, clock=lambda: int(time.time() + now[0]))
    with proxy.faulty(Fault.STUCK_HEAD):
        shown = chain.view().head_number
        network.await_blocks(2)
        assert chain.view().head_number == shown
        now[0] = STALENESS_SECONDS + 1.0
        with pytest.raises(StaleHead):
            chain.view()
    chain.close()


@pytest.mark.parametrize("fault", [Fault.HANGS, Fault.OTHER_CHAIN, Fault.NONSENSE])
def test_read_over_a_faulty_node_is_503_and_never_403(
    proxy: FaultyRpc, patient: Patient, clinic: Provider, permitted: str, fault: Fault
) -> None:
    assert read(clinic, patient).status_code == 200
    with proxy.faulty(fault):
        time.sleep(0.3)  # the view that was read before
        answer = read(clinic, patient)
        assert answer.status_code == 503
        assert answer.json()["code"].startswith("ledger_")
    until(lambda: read(clinic, patient).status_code == 200, "the node is sound again")


def test_node_that_drops_half_of_its_answers_loses_nothing(
    service: Service,
    proxy: FaultyRpc,
    patient: Patient,
    clinic: Provider,
    other_clinic: Provider,
    permitted: str,
) -> None:
    with proxy.faulty(Fault.DROPS_HALF):
        statuses = [read(clinic, patient).status_code for _ in range(40)]
        assert set(statuses) <= {200, 503}
        signed = _try_until_drafted(patient, other_clinic)
        _submit(patient, signed)
        patient.wallet.revoke(permitted)
        refused = [read(clinic, patient).status_code for _ in range(40)]
        assert set(refused) <= {403, 503}
    until(lambda: not under_way(service, "consent", "revocation"), "all is settled", seconds=120)
    until(lambda: read(other_clinic, patient).status_code == 200, "the grant counts")
    assert_problem(read(clinic, patient), 403, "consent_required")
    assert row_of(patient, permitted)["state"] == "revoked"


def _try_until_drafted(patient: Patient, grantee: Provider) -> dict[str, object]:
    wish = {
        "subject": patient.subject, "kind": "permit", "grantee": grantee.member_id, "purposes": ["TREAT"],
        "categories": ["laboratory", "conditions"], "actions": ["access"], "not_after": in_days(1),
    }  # fmt: skip
    for _ in range(TRIES):
        try:
            draft = patient.api.post("/v1/consents/draft", wish)
        except Refused as refusal:
            if refusal.status != 503:
                raise
            continue
        signature = patient.wallet.sign_typed(draft["typed_data"])
        return {"message": draft["message"], "via": [], "signature": signature}
    raise AssertionError("no draft in so many tries")


def _submit(patient: Patient, signed: dict[str, object]) -> None:
    """Hand a grant in, again where the answer is that it is not known yet: the same again is harmless."""
    for _ in range(TRIES):
        try:
            patient.api.post("/v1/consents", signed)
        except Refused as refusal:
            if refusal.status != 503:
                raise
            continue
        return
    raise AssertionError("it was not taken in so many tries")

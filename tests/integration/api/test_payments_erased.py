"""A patient who is erased leaves nothing of payees and payments; what is owed to others goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.erasure.service import ACT as ERASURE
from backend.research.money import claims
from tests.integration.api.study_world import StudyWorld, new_account, open_study_world
from tests.integration.api.world import Patient, assert_problem, raw
from tests.support.process_world import eventually

CLAIM = 4


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyWorld]:
    with open_study_world(
        tmp_path_factory.mktemp("erased") / "data",
        payout_objection_seconds=0,
        payout_claim_seconds=CLAIM,
    ) as opened:
        yield opened


def erase(world: StudyWorld, patient: Patient) -> None:
    patient.api.post("/v1/erasures", {"subject": patient.subject, "grace_hours": 0})
    erasures = world.service.world.stores.database["erasures"]
    hexed = patient.subject[2:]
    eventually(
        lambda: any(row["state"] == "erased" for row in erasures.find({"subject": hexed})),
        seconds=30,
        what="erased",
    )


def rows_about(world: StudyWorld, patient: Patient) -> dict[str, int]:
    database, hexed = world.service.world.stores.database, patient.subject[2:]
    counts = {
        name: len(
            [row for row in database[name].find({}) if hexed in str(row) and row.get("kind") != ERASURE]
        )
        for name in ("payees", "payment_leaves", "payment_shares", "acts")
    }
    return {name: count for name, count in counts.items() if count}


def test_erased_patient_leaves_no_payment_and_the_others_are_paid_once_that_is_explained(
    world: StudyWorld,
) -> None:
    study = world.approved_study()
    escrow = world.fund(study, 10_000)["escrow"]
    result = world.run(study)["digest"]
    leaving, staying, late = world.patients[0], world.patients[1], world.patients[2]
    for patient in (leaving, staying):
        world.name_payee(patient, study, new_account())
    payout = world.propose(study, escrow, result, per_patient="100")
    leaving.api.post("/v1/payments/claims", {"subject": leaving.subject, "round": payout["round"]})
    assert {"payees", "payment_leaves", "payment_shares"} <= set(rows_about(world, leaving))
    acts = world.service.world.stores.database["acts"]
    (claimed,) = acts.find({"kind": claims.ACT})
    assert claimed["data"] == {"sealed": b""}, "of a claim that is over nobody can say whose it was"
    erase(world, leaving)
    assert rows_about(world, leaving) == {}
    assert world.standing(staying, study) in ("claimable", "expired")
    world.name_payee(late, study, new_account())
    body = {"study": study, "escrow": escrow, "result": result, "per_patient": "100"}
    refused = raw(world.operator, "POST", "/v1/payouts", json=body)
    assert_problem(refused, 409, "payout_participants_missing")
    (told,) = world.operator.get("/v1/payouts/results", study=study)
    assert told["missing"] == 2, "a share and its payment"
    second = world.operator.post("/v1/payouts", {**body, "missing": 2})
    assert second["total"] == "1000"

    # Nobody claims the second one: what it holds comes back, and then goes to the funder.
    world.closes(second["round"])
    assert world.standing(late, study) == "expired"
    over = {"subject": late.subject, "round": second["round"]}
    refused = raw(late.api, "POST", "/v1/payments/claims", json=over)
    assert "PayoutOver" in assert_problem(refused, 409, "claim_refused")["detail"]
    closed = world.operator.post(f"/v1/payouts/{second['round']}/close")
    assert closed["remaining"] == "0"
    world.closes(payout["round"])
    world.operator.post(f"/v1/payouts/{payout['round']}/close")
    (escrow_now,) = world.operator.get("/v1/escrows", study=study)
    assert escrow_now["available"] == str(10_000 - 100)

"""Step 7: a study is permitted on the chain and run twice; who revoked in between is not in the second."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.demo.actors import Api, Provider, Wallet
from backend.demo.cast import Cast, Patient

K = 5
RUN_SECONDS = 300
CATEGORIES = ["demographics", "conditions", "laboratory"]


def register(cast: Cast) -> None:
    """Register a researcher's system and an ethics board with a wallet."""
    cast.researcher = _researcher(cast)
    cast.board, cast.board_api = _board(cast)


def conduct(cast: Cast) -> None:
    """Everybody but two consents to research; one revokes between the runs."""
    researcher, board, board_api = cast.researcher, cast.board, cast.board_api
    volunteers = cast.adults[2:]
    consents = {id(patient): _consent(patient, researcher.member_id) for patient in volunteers}
    study = researcher.api.post("/v1/studies", proposal())
    study_id = study["study_id"]
    cast.checks.that("the error to expect is told before", held=bool(study["expected_errors"]))
    cast.checks.refused(
        "a study without permit does not run",
        lambda: researcher.api.post(f"/v1/studies/{study_id}/runs"),
        status=403,
        code="study_not_permitted",
    )
    draft = board_api.get(f"/v1/studies/{study_id}/permit-draft")["typed_data"]
    approval = {"submit_by": draft["message"]["submitBy"], "signature": board.sign_typed(draft)}
    approved = board_api.post(f"/v1/studies/{study_id}/approval", approval)
    cast.checks.that("the board's permit is on the chain", held=approved["state"] == "approved")

    first = _run(researcher, study_id)
    again = _run(researcher, study_id)
    cast.checks.that(
        "the same question over the same consents costs nothing", held=first["answers"] == again["answers"]
    )
    _check_answers(cast, first, volunteers)

    leaving = volunteers[0]
    before = {id(patient): _uses(patient, study_id) for patient in cast.adults}
    leaving.wallet.revoke(consents[id(leaving)])
    second = _run(researcher, study_id)
    cast.study_id, cast.result = study_id, second["digest"]
    cast.checks.that("the second run is another one", held=second["run"] != first["run"])
    more = {id(patient): _uses(patient, study_id) - before[id(patient)] for patient in cast.adults}
    cast.checks.that(
        "who revoked is not in the second run",
        held=before[id(leaving)] > 0 and more[id(leaving)] == 0,
        detail=f"{before[id(leaving)]} uses before, {more[id(leaving)]} after",
    )
    cast.checks.that(
        "who consents is in both, and sees it",
        held=all(before[id(patient)] > 0 and more[id(patient)] == 1 for patient in volunteers[1:]),
        detail=f"{len(volunteers) - 1} patients",
    )
    never = cast.adults[:2]
    cast.checks.that(
        "who never consented is in none",
        held=not any(before[id(patient)] + more[id(patient)] for patient in never),
    )


def _run(researcher: Provider, study_id: str) -> dict[str, Any]:
    """Run the study and return the result; on a busy machine that takes longer than the call waits."""
    begun = researcher.api.call("POST", f"/v1/studies/{study_id}/runs")
    result: dict[str, Any] = begun.json()
    deadline = time.monotonic() + RUN_SECONDS
    while begun.status_code == 202:
        run = researcher.api.get(begun.headers["location"])
        if run["result"] is not None:
            return dict(run["result"])
        if run["state"] in ("failed", "stopped") or time.monotonic() > deadline:
            raise RuntimeError(f"the run is {run['state']} {run['code']}")
        time.sleep(0.2)
    return result


def _check_answers(cast: Cast, result: dict[str, Any], volunteers: list[Patient]) -> None:
    answers = {answer["name"]: answer for answer in result["answers"]}
    count = answers["women"]
    cast.checks.that(
        "counts and histogram are noisy, with their error",
        held=all(answer["error_95"] > 0 for answer in answers.values()) and "ages" in answers,
        detail=f"women: {count['values']} +- {count['error_95']}, epsilon {result['epsilon']}",
    )
    table = result["table"]
    if table is None:
        cast.checks.that("the k-anonymous table", held=False, detail=result["table_refusal"])
        return
    rows = [tuple(row) for row in table["rows"]]
    columns = list(table["columns"])
    keys = [columns.index(name) for name in ("sex", "age")]
    classes: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = tuple(row[place] for place in keys)
        classes[key] = classes.get(key, 0) + 1
    cast.checks.that(
        f"each row of the table is shared by {K} or more",
        held=bool(classes) and min(classes.values()) >= K,
        detail=f"{len(rows)} rows, classes of {sorted(classes.values())}, {len(volunteers)} volunteers",
    )


def _researcher(cast: Cast) -> Provider:
    member = cast.operator.post("/v1/members", {"name": "Institute", "roles": ["researcher"]})["member_id"]
    client = cast.operator.post(
        "/v1/clients", {"name": "research workbench", "roles": ["researcher"], "member_id": member}
    )
    researcher = Provider(Api(cast.http), client["client_id"], client["client_secret"], member)
    researcher.sign_in()
    return researcher


def _board(cast: Cast) -> tuple[Wallet, Api]:
    wallet, password = Wallet(Api(cast.http)), secrets.token_urlsafe(18)
    member = cast.operator.post(
        "/v1/members", {"name": "Ethics board", "roles": ["ethics_board"], "account": wallet.address}
    )["member_id"]
    cast.operator.post(
        "/v1/users",
        {
            "username": "board",
            "password": password,
            "roles": ["ethics_board"],
            "member_id": member,
            "account": wallet.address,
        },
    )
    api = Api(cast.http)
    api.token = api.post("/v1/auth/staff", {"username": "board", "password": password})["access_token"]
    return wallet, api


def _consent(patient: Patient, researcher: str) -> str:
    recorded = patient.wallet.consent(
        kind="permit",
        grantee=researcher,
        purposes=["HRESCH"],
        categories=CATEGORIES,
        actions=["compute"],
        research={"duo": ["DUO:0000042"], "minimum_cohort": K, "epsilon_cap": 10},
    )
    return str(recorded["consent_id"])


def proposal() -> dict[str, Any]:
    """What the researcher asks for."""
    now = datetime.now(UTC)
    return {
        "title": "Age and sex of patients",
        "purpose": "HRESCH",
        "duo": ["DUO:0000042"],
        "variables": [
            {"name": "sex", "kind": "sex", "role": "quasi"},
            {
                "name": "age",
                "kind": "age",
                "role": "quasi",
                "edges": ["20", "40", "60", "80"],
                "reference_date": now.date().isoformat(),
            },
        ],
        "outputs": [
            {"kind": "count", "name": "women", "where": [{"variable": "sex", "levels": ["female"]}]},
            {"kind": "histogram", "name": "ages", "variable": "age"},
            {"kind": "table", "name": "table", "variables": ["sex", "age"], "k": K},
        ],
        "not_before": (now - timedelta(days=1)).isoformat(),
        "not_after": (now + timedelta(days=90)).isoformat(),
        "epsilon": 2.0,
        "runs": 2,
        "minimum_cohort": K,
    }


def _uses(patient: Patient, study_id: str) -> int:
    uses = patient.wallet.api.get("/v1/studies/uses", subject=patient.wallet.subject)
    return sum(use["study_id"] == study_id for use in uses)

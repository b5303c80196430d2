"""A dataset leaves sealed to its researcher alone, while every consent it was made under stands."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from backend.client import PrivateKey, RequestRefused, Researcher, new_key
from backend.client.research import Study
from backend.records.envelope_errors import WrapRefused
from tests.integration.api.study_world import StudyWorld, open_study_world
from tests.integration.api.world import assert_problem, raw

TABLE = {"kind": "table", "name": "people", "variables": ["sex", "smoking"], "k": 5}
VARIABLES = [{"name": "sex", "kind": "sex", "role": "quasi"}, {"name": "smoking", "kind": "smoking"}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyWorld]:
    with open_study_world(tmp_path_factory.mktemp("datasets")) as opened:
        yield opened


@pytest.fixture(scope="module")
def lab(world: StudyWorld) -> Iterator[Researcher]:
    """The researcher's own Python, over HTTP."""
    researcher = world.researcher
    transport = _Through(researcher.api.http)
    with Researcher(
        str(researcher.api.http.base_url), researcher.client_id, researcher.client_secret, transport=transport
    ) as opened:
        yield opened


class _Through(httpx.BaseTransport):
    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._http.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, headers={"content-type": answer.headers["content-type"]},
                              content=answer.content)  # fmt: skip


def study_of(world: StudyWorld, lab: Researcher, **changes: Any) -> Study:
    wanted = {"variables": VARIABLES, "outputs": [TABLE], "dataset": {}, **changes}
    return lab.study(world.approved_study(**wanted)).wait_until_approved(seconds=5)


def register(world: StudyWorld, key: PrivateKey) -> None:
    body = {"public_key": base64.b64encode(key.public.encoded).decode()}
    path = f"/v1/members/{world.researcher.member_id}/encryption-key"
    assert raw(world.operator, "PUT", path, json=body).is_success


def test_dataset_waits_for_a_key_and_opens_for_it_alone(world: StudyWorld, lab: Researcher) -> None:
    study = study_of(world, lab)
    result = study.run()
    assert result.table is not None, result.table_refusal
    assert result.table.rows == ()  # not a row of it leaves in the clear
    key = new_key()
    with pytest.raises(RequestRefused, match="researcher_key_missing"):
        study.dataset(key)
    register(world, key)
    found = study.dataset(key)
    assert found.frame.columns == ["pseudonym", "sex", "smoking"]
    assert found.frame.height == found.about["report"]["rows_released"] == 6
    assert found.frame["pseudonym"].n_unique() == 6
    assert found.about["study"] == study.study_id
    assert found.about["release"] in found.methods
    assert not any(patient.subject[2:] in str(found.frame) for patient in world.patients)
    with pytest.raises(WrapRefused):
        study.dataset(new_key())
    # Fetched again it is the same release, sealed anew.
    again = study.dataset(key)
    assert again.about["release"] == found.about["release"]
    assert again.frame.equals(found.frame)


def test_dataset_is_its_researchers_and_logged(world: StudyWorld, lab: Researcher) -> None:
    study = study_of(world, lab)
    study.run()
    (run,) = study.runs()
    path = f"/v1/studies/{study.study_id}/runs/{run['run_id']}/dataset"
    assert_problem(raw(world.board_api, "GET", path), 403, "scope_missing")
    register(world, new_key())
    services = world.service.world.services
    before = services.audit.state.size
    answer = raw(world.researcher.api, "GET", path)
    assert answer.headers["content-type"] == "application/vnd.assent.release"
    assert services.audit.state.size > before
    assert_problem(
        raw(world.researcher.api, "GET", path.replace(run["run_id"], "0x" + "00" * 16)),
        404,
        "study_run_not_found",
    )


def test_table_that_is_no_dataset_is_none(world: StudyWorld, lab: Researcher) -> None:
    register(world, new_key())
    study = study_of(world, lab, dataset=None)
    assert study.run().table is not None
    with pytest.raises(RequestRefused, match="dataset_not_there"):
        study.dataset(new_key())


def test_suspended_study_gives_no_dataset(world: StudyWorld, lab: Researcher) -> None:
    key = new_key()
    register(world, key)
    study = study_of(world, lab)
    study.run()
    board = world.board_api
    path = f"/v1/board/studies/{study.study_id}/suspension"
    draft = board.get(path)["typed_data"]
    signature = world.board.sign_typed(draft)
    board.post(path, {"reason": "Complaint", "signature": signature, "round": draft["message"]["round"]})
    with pytest.raises(RequestRefused, match="study_not_permitted"):
        study.dataset(key)


def test_patient_who_ends_the_consent_is_in_no_extract_any_more(world: StudyWorld, lab: Researcher) -> None:
    key = new_key()
    register(world, key)
    study = study_of(world, lab)
    study.run()
    study.dataset(key)
    patient = world.patients[0]
    consents = patient.api.get("/v1/consents", subject=patient.subject)
    live = next(each["consent_id"] for each in consents if each["state"] == "live")
    patient.wallet.revoke(live)
    with pytest.raises(RequestRefused, match="dataset_outdated"):
        study.dataset(key)

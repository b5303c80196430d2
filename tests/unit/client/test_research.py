"""The researcher's client against a stand-in of the service's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import polars
import pytest

from backend.client import RequestRefused, Researcher
from backend.client.research import RunFailed, StudyNotApproved
from backend.client.results import RunResult

STUDY = "0x" + "ab" * 32
RESULT = {
    "included": [40, 60],
    "excluded": [0, 10],
    "epsilon": "0.500000",
    "answers": [
        {"name": "smokers", "levels": ["patients"], "values": [41], "error_95": 6, "estimates": []},
        {
            "name": "age",
            "levels": ["sum", "count"],
            "values": [2000, 50],
            "error_95": 9,
            "estimates": [
                {"name": "mean", "value": "40.0", "low": "38.1", "high": "42.2"},
                {"name": "slope", "value": "", "low": "", "high": ""},
            ],
        },
    ],
    "table": {"columns": ["sex", "age"], "rows": [["f", "30-39"], ["m", "*"]], "report": {"k_reached": 5}},
    "table_refusal": "",
}
Answer = Callable[[httpx.Request], httpx.Response]


class Service:
    """Answers in turn what it is told to, for each path, and keeps what it was asked."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = {f"/v1/{path.replace('__', '/')}": list(each) for path, each in answers.items()}
        self.asked: list[httpx.Request] = []
        self.sign_ins = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            self.sign_ins += 1
            return httpx.Response(200, json={"access_token": f"t{self.sign_ins}", "expires_in": 300})
        self.asked.append(request)
        left = self.answers[request.url.path]
        body = left.pop(0) if len(left) > 1 else left[0]
        return body if isinstance(body, httpx.Response) else httpx.Response(200, json=body)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def lab(service: Service, clock: Clock | None = None) -> Researcher:
    clock = clock or Clock()
    return Researcher(
        "http://assent.test", "id", "secret",
        transport=httpx.MockTransport(service), clock=clock, sleep=clock.sleep,
    )  # fmt: skip


def study(state: str) -> dict[str, Any]:
    return {"study_id": STUDY, "state": state, "reason": ""}


def runs(*answers: Any) -> Service:
    service = Service(studies=[study("approved")])
    service.answers[f"/v1/studies/{STUDY}/runs"] = [answers[0]]
    service.answers[f"/v1/studies/{STUDY}/runs/0xrun"] = list(answers[1:]) or [{}]
    return service


def under_way(**change: Any) -> dict[str, Any]:
    return {"run_id": "0xrun", "state": "running", "phase": "reading", "percent": 5, "code": "", **change}


def test_draft_is_sent_with_times_as_text_and_a_token_of_the_client() -> None:
    service = Service(studies=[study("proposed")])
    proposed = lab(service).propose({"title": "T", "not_before": datetime(2026, 12, 1, tzinfo=UTC)})
    assert proposed.state == "proposed"
    (request,) = service.asked
    assert json.loads(request.content) == {"title": "T", "not_before": "2026-12-01T00:00:00+00:00"}
    assert request.headers["Authorization"] == "Bearer t1"


def test_two_proposals_are_two_acts() -> None:
    service = Service(studies=[study("proposed")])
    client = lab(service)
    client.propose({})
    client.propose({})
    first, second = (request.headers["Idempotency-Key"] for request in service.asked)
    assert first != second


def test_token_is_kept_until_shortly_before_it_ends() -> None:
    service, clock = Service(studies=[study("proposed")]), Clock()
    client = lab(service, clock)
    client.propose({})
    clock.now = 269.0
    client.propose({})
    assert service.sign_ins == 1
    clock.now = 270.0
    client.propose({})
    assert service.sign_ins == 2


def test_study_is_waited_for_until_the_board_decided() -> None:
    service = Service(studies=[study("proposed")])
    service.answers[f"/v1/studies/{STUDY}"] = [study("proposed"), study("approved")]
    assert lab(service).propose({}).wait_until_approved().state == "approved"


@pytest.mark.parametrize("state", ["refused", "proposed"])
def test_study_that_is_refused_or_late_is_an_error(state: str) -> None:
    service = Service(studies=[study("proposed")])
    service.answers[f"/v1/studies/{STUDY}"] = [study(state)]
    with pytest.raises(StudyNotApproved, match=state):
        lab(service).propose({}).wait_until_approved(seconds=3)


def test_run_that_ends_at_once_gives_its_result() -> None:
    result = lab(runs(RESULT)).propose({}).run()
    assert (result.included, result.excluded, result.epsilon) == ((40, 60), (0, 10), 0.5)
    assert list(result) == ["smokers", "age"]


def test_run_under_way_is_followed_to_its_result() -> None:
    seen: list[tuple[str, int]] = []
    service = runs(under_way(), under_way(percent=50), under_way(state="done", result=RESULT))
    result = lab(service).propose({}).run(progress=lambda phase, percent: seen.append((phase, percent)))
    assert seen == [("reading", 5), ("reading", 50)]
    assert result["smokers"].values == (41,)


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_run_that_failed_or_was_stopped_is_an_error_with_its_code(state: str) -> None:
    service = runs(under_way(), under_way(state=state, code="study_not_permitted"))
    with pytest.raises(RunFailed, match="study_not_permitted"):
        lab(service).propose({}).run()


def test_run_that_takes_too_long_is_an_error() -> None:
    with pytest.raises(RunFailed, match="running"):
        lab(runs(under_way(), under_way())).propose({}).run(seconds=5)


def test_answers_become_frames_of_estimates_or_of_levels() -> None:
    result = RunResult(RESULT)
    assert result["smokers"].to_polars().rows() == [("patients", 41, 6)]
    assert result["age"].to_polars().rows() == [("mean", 40.0, 38.1, 42.2), ("slope", None, None, None)]
    assert list(result["smokers"].to_pandas().columns) == ["level", "value", "error_95"]


def test_table_becomes_a_frame_of_text() -> None:
    table = RunResult(RESULT).table
    assert table is not None
    assert table.to_polars().rows() == [("f", "30-39"), ("m", "*")]
    assert table.to_polars().dtypes == [polars.String, polars.String]
    assert table.to_pandas()["age"].tolist() == ["30-39", "*"]
    assert RunResult({**RESULT, "table": None, "table_refusal": "cohort_too_small"}).table is None


def test_refusal_shows_the_problem() -> None:
    problem = httpx.Response(409, json={"code": "privacy_budget_exceeded", "detail": "Ask for less."})
    with pytest.raises(RequestRefused, match="privacy_budget_exceeded: Ask for less") as refused:
        lab(Service(studies=[problem])).propose({})
    assert refused.value.status == 409
    with pytest.raises(RequestRefused, match="502"):
        lab(Service(studies=[httpx.Response(502, text="<html>")])).propose({})


def test_study_that_is_not_the_researchers_is_not_found() -> None:
    service = Service()
    service.answers[f"/v1/studies/{STUDY}"] = [
        httpx.Response(404, json={"code": "not_found", "detail": "No."})
    ]
    with pytest.raises(RequestRefused, match="not_found"):
        lab(service).study(STUDY)

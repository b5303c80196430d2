"""An ethics board of three that decides by two, on the embedded chain."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pypdf
import pytest

from backend.demo.actors import Api, Provider, Wallet
from backend.errors import LedgerUnavailable
from backend.identity.roles import Role
from backend.research.errors import StudyNotPermitted
from backend.research.study import State
from backend.research.types import NO_EPSILON_CAP, Candidate, ResearchTerms, StudyId
from backend.types import ConsentId, SubjectId
from tests.integration.api.world import (
    PASSWORD,
    Service,
    assert_problem,
    in_days,
    open_service,
    raw,
    staff,
)

PROTOCOL = b"%PDF-1.7 protocol of a study of sex and age"
NAMES = ("Dr. Amal Haddad", "Prof. Bo Lindgren", "Carmen Ruiz")


@dataclass(slots=True)
class Person:
    """A member of the board: a wallet that is registered on the chain, and a staff account."""

    wallet: Wallet
    api: Api
    member_id: str
    name: str

    def sign(self, study: str, kind: str, **more: Any) -> httpx.Response:
        """Take the draft, sign it, send it."""
        draft = raw(self.api, "GET", f"/v1/board/studies/{study}/motions/{kind}")
        if draft.status_code != 200:
            return draft
        typed = draft.json()["typed_data"]
        body = {"signature": self.wallet.sign_typed(typed), **more}
        if kind == "permit":
            body.setdefault("submit_by", int(typed["message"]["submitBy"]))
        return raw(self.api, "POST", f"/v1/board/studies/{study}/motions/{kind}", json=body)

    def suspend(self, study: str, reason: str = "a complaint") -> httpx.Response:
        typed = self.api.get(f"/v1/board/studies/{study}/suspension")["typed_data"]
        body = {
            "signature": self.wallet.sign_typed(typed),
            "round": int(typed["message"]["round"]),
            "reason": reason,
        }
        return raw(self.api, "POST", f"/v1/board/studies/{study}/suspension", json=body)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(tmp_path_factory.mktemp("board"), board_threshold=2) as running:
        yield running


@pytest.fixture(scope="module")
def operator(service: Service) -> Api:
    return staff(service, "operator", Role.OPERATOR)


@pytest.fixture(scope="module")
def secretary(service: Service) -> Api:
    return staff(service, "secretary", Role.BOARD_SECRETARY)


@pytest.fixture(scope="module")
def auditor(service: Service) -> Api:
    return staff(service, "auditor", Role.AUDITOR)


@pytest.fixture(scope="module")
def board(service: Service, operator: Api) -> list[Person]:
    return [seat(service, operator, name) for name in NAMES]


@pytest.fixture(scope="module")
def researcher(service: Service, operator: Api) -> Provider:
    return workbench(service, operator, "Institute of Numbers")


@pytest.fixture
def study(researcher: Provider, secretary: Api, board: list[Person]) -> str:
    """A proposal whose file is complete and prepared."""
    return prepared(researcher, secretary, board)


def seat(service: Service, operator: Api, name: str) -> Person:
    wallet = Wallet(service.anyone())
    member = operator.post(
        "/v1/members", {"name": name, "roles": ["ethics_board"], "account": wallet.address}
    )["member_id"]
    username = "board-" + wallet.address[2:10].lower()
    operator.post(
        "/v1/users",
        {
            "username": username,
            "password": PASSWORD,
            "roles": ["ethics_board"],
            "member_id": member,
            "account": wallet.address,
        },
    )
    api = service.anyone()
    api.token = api.post("/v1/auth/staff", {"username": username, "password": PASSWORD})["access_token"]
    return Person(wallet, api, member, name)


def workbench(service: Service, operator: Api, name: str) -> Provider:
    member = operator.post("/v1/members", {"name": name, "roles": ["researcher"]})["member_id"]
    client = operator.post("/v1/clients", {"name": name, "roles": ["researcher"], "member_id": member})
    found = Provider(service.anyone(), client["client_id"], client["client_secret"], member)
    found.sign_in()
    return found


def proposal(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "title": "Sex and age of patients",
        "purpose": "HRESCH",
        "duo": ["DUO:0000006", "DUO:0000046"],
        "variables": [{"name": "sex", "kind": "sex", "role": "quasi"}],
        "outputs": [{"kind": "count", "name": "women", "where": [{"variable": "sex", "levels": ["female"]}]}],
        "not_before": (now - timedelta(days=1)).isoformat(),
        "not_after": (now + timedelta(days=90)).isoformat(),
        "epsilon": 0.5,
        "runs": 2,
        "minimum_cohort": 5,
        "documents": [{"name": "Protocol", "sha256": "0x" + hashlib.sha256(PROTOCOL).hexdigest()}],
        "price": {"token": "0x" + "00" * 19 + "01", "amount": "1000000000000000000", "basis": "patient"},
        **changes,
    }


def bring(researcher: Provider, study: str, content: bytes = PROTOCOL) -> httpx.Response:
    return raw(
        researcher.api,
        "PUT",
        f"/v1/studies/{study}/documents",
        content=content,
        headers={"Content-Type": "application/pdf"},
    )


def prepared(researcher: Provider, secretary: Api, board: list[Person], **changes: Any) -> str:
    name = str(researcher.api.post("/v1/studies", proposal(**changes))["study_id"])
    assert bring(researcher, name).status_code == 201
    secretary.post(
        f"/v1/board/studies/{name}/preparation",
        {"reviewers": [person.member_id for person in board[:2]], "decide_by": in_days(14)},
    )
    return name


def permitted(study: str, board: list[Person]) -> None:
    for person in board[:2]:
        answer = person.sign(study, "permit")
        assert answer.status_code == 200, answer.text
    assert answer.json()["study"]["state"] == "approved"


def state_of(researcher: Provider, study: str) -> str:
    return str(researcher.api.get(f"/v1/studies/{study}")["state"])


def run(researcher: Provider, study: str) -> httpx.Response:
    return raw(researcher.api, "POST", f"/v1/studies/{study}/runs")


def entries(auditor: Api, study: str) -> list[str]:
    """Types of the entries of the log about a study, oldest first, without those about money and budget."""
    page = auditor.get("/v1/log/entries", limit=200)
    found = [entry for entry in page["entries"] if study[2:] in str(entry["detail"])]
    types = [entry["type"] for entry in sorted(found, key=lambda entry: int(entry["index"]))]
    return [name for name in types if name.startswith("study.") and name != "study.result_committed"]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_exact_figures_are_held_against_those_of_other_permits(
    researcher: Provider, secretary: Api, board: list[Person]
) -> None:
    women = {"variable": "sex", "levels": ["female"]}
    ill = {"name": "ill", "kind": "condition", "system": "http://snomed.info/sct", "code": "44054006"}
    variables = [*proposal()["variables"], ill]

    def asking(title: str, *where: dict[str, Any]) -> dict[str, Any]:
        outputs = [{"kind": "threshold_count", "name": "group", "where": list(where)}]
        return {"title": title, "variables": variables, "outputs": outputs}

    inside = asking("Ill women", women, {"variable": "ill", "levels": ["present"]})
    before = prepared(researcher, secretary, board, **inside)  # when nothing stood against it
    standing = prepared(researcher, secretary, board, **asking("Women", women))
    permitted(standing, board)
    same = prepared(researcher, secretary, board, **asking("Women again", women))
    assert same != standing
    assert_problem(board[0].sign(before, "permit"), 409, "threshold_lists_overlap")
    later = str(researcher.api.post("/v1/studies", proposal(**inside))["study_id"])
    assert bring(researcher, later).status_code == 201
    body = {"reviewers": [person.member_id for person in board[:2]], "decide_by": in_days(14)}
    problem = assert_problem(
        raw(secretary, "POST", f"/v1/board/studies/{later}/preparation", json=body),
        409,
        "threshold_lists_overlap",
    )
    assert standing not in str(problem)  # whose list it is remains untold
    assert before in str(secretary.get("/v1/studies", limit=100))


def test_two_of_three_sign_and_the_study_runs(
    service: Service, researcher: Provider, board: list[Person], study: str, auditor: Api
) -> None:
    first = board[0].sign(study, "permit").json()
    assert first["study"]["state"] == "proposed"
    assert [seat["name"] for seat in first["motions"][0]["signed_by"]] == [NAMES[0]]
    assert_problem(run(researcher, study), 403, "study_not_permitted")
    again = board[0].sign(study, "permit").json()
    assert len(again["motions"][0]["signed_by"]) == 1, "one member is one signature"
    second = board[2].sign(study, "permit").json()
    assert second["study"]["state"] == "approved"
    (decision,) = second["decisions"]
    assert {seat["name"] for seat in decision["signed_by"]} == {NAMES[0], NAMES[2]}
    assert decision["block"]
    assert decision["threshold"] == 2
    assert second["chain"]["rules"] == second["rules"]
    answer = run(researcher, study)
    assert answer.status_code == 200, answer.text
    file = board[1].api.get(f"/v1/board/studies/{study}")
    assert [item["result"] for item in file["usage"]["runs"]] == [answer.json()["digest"]]
    assert float(file["usage"]["epsilon_spent"]) > 0
    found = entries(auditor, study)
    assert found.count("study.signed") == 2
    assert found[-3:] == ["study.signed", "study.approved", "study.run"]
    for one in (board[0], board[2]):  # a retry of what came about changes nothing
        assert_problem(one.sign(study, "permit"), 409, "board_motion_unfit")


def test_signature_that_came_about_sent_again_is_harmless(
    board: list[Person], study: str, researcher: Provider
) -> None:
    draft = board[0].api.get(f"/v1/board/studies/{study}/motions/permit")["typed_data"]
    body = {
        "signature": board[0].wallet.sign_typed(draft),
        "submit_by": int(draft["message"]["submitBy"]),
    }
    path = f"/v1/board/studies/{study}/motions/permit"
    assert raw(board[0].api, "POST", path, json=body).status_code == 200
    board[1].sign(study, "permit")
    again = raw(board[0].api, "POST", path, json=body)
    assert again.status_code == 200
    assert len(again.json()["decisions"]) == 1
    assert state_of(researcher, study) == "approved"


def test_conditions_are_signed_and_change_what_was_signed_before(
    researcher: Provider, secretary: Api, board: list[Person], study: str
) -> None:
    plain = board[0].sign(study, "permit").json()
    draft = board[0].api.get(f"/v1/board/studies/{study}/motions/permit")["typed_data"]
    conditions = [{"text": "Report after the first run.", "due": in_days(30)}, {"text": "No linkage."}]
    file = secretary.call(
        "PUT", f"/v1/board/studies/{study}/conditions", json={"conditions": conditions}
    ).json()
    assert file["rules"] != plain["rules"]
    assert file["motions"] == []
    old = {
        "signature": board[1].wallet.sign_typed(draft),
        "submit_by": int(draft["message"]["submitBy"]),
    }
    refused = raw(board[1].api, "POST", f"/v1/board/studies/{study}/motions/permit", json=old)
    assert_problem(refused, 422, "wrong_signer")
    permitted(study, board)
    seen = researcher.api.get(f"/v1/studies/{study}")
    assert [item["text"] for item in seen["conditions"]] == [item["text"] for item in conditions]
    file = board[0].api.get(f"/v1/board/studies/{study}")
    assert file["chain"]["rules"] == file["rules"] != plain["rules"]
    answered = run(researcher, study)
    assert answered.status_code == 200, answered.text
    met = secretary.post(f"/v1/board/studies/{study}/conditions/0/met")
    assert [bool(item["met_at"]) for item in met["conditions"]] == [True, False]
    assert_problem(
        raw(secretary, "POST", f"/v1/board/studies/{study}/conditions/2/met"),
        404,
        "board_condition_unknown",
    )


def test_conditions_changed_in_the_index_run_nothing(
    service: Service, researcher: Provider, secretary: Api, board: list[Person], study: str
) -> None:
    body = {"conditions": [{"text": "Counts only."}]}
    secretary.call("PUT", f"/v1/board/studies/{study}/conditions", json=body)
    permitted(study, board)
    studies = service.world.stores.database["studies"]
    name = study[2:]
    before = studies.find_one({"_id": name})
    assert before is not None
    studies.update_one({"_id": name}, {"$set": {"conditions": []}})
    assert_problem(run(researcher, study), 403, "study_not_permitted")
    studies.update_one({"_id": name}, {"$set": {"conditions": before["conditions"]}})
    assert run(researcher, study).status_code == 200


def test_file_is_complete_before_it_is_prepared_or_permitted(
    researcher: Provider, secretary: Api, board: list[Person]
) -> None:
    name = researcher.api.post("/v1/studies", proposal())["study_id"]
    path = f"/v1/board/studies/{name}/preparation"
    wish = {"reviewers": [board[0].member_id], "decide_by": in_days(10)}
    assert_problem(raw(secretary, "POST", path, json=wish), 409, "proposal_incomplete")
    assert_problem(board[0].sign(name, "permit"), 409, "proposal_incomplete")
    assert_problem(bring(researcher, name, b"%PDF-1.7 another"), 422, "study_document_differs")
    assert bring(researcher, name).status_code == bring(researcher, name).status_code == 201
    assert_problem(board[0].sign(name, "permit"), 409, "board_not_prepared")
    unknown = {**wish, "reviewers": ["0x" + "ab" * 32]}
    assert_problem(raw(secretary, "POST", path, json=unknown), 422, "board_reviewer_unknown")
    late = {**wish, "decide_by": in_days(90)}
    assert_problem(raw(secretary, "POST", path, json=late), 422, "board_date_invalid")
    assert raw(secretary, "POST", path, json=wish).status_code == 200
    assert board[0].sign(name, "permit").status_code == 200


def test_documents_are_read_by_board_and_researcher_alone_and_each_reading_is_logged(
    service: Service,
    operator: Api,
    researcher: Provider,
    secretary: Api,
    board: list[Person],
    study: str,
    auditor: Api,
) -> None:
    path = f"/v1/studies/{study}/documents/0x{hashlib.sha256(PROTOCOL).hexdigest()}"
    readers = [researcher.api, secretary, board[0].api]
    for api in readers:
        answer = raw(api, "GET", path)
        assert (answer.status_code, answer.content) == (200, PROTOCOL)
        assert answer.headers["content-type"] == "application/pdf"
    assert entries(auditor, study).count("study.document_read") == len(readers)
    stranger = workbench(service, operator, "Another institute")
    assert_problem(raw(stranger.api, "GET", path), 404, "study_not_found")
    assert_problem(bring(stranger, study), 404, "study_not_found")
    assert_problem(
        raw(secretary, "GET", f"/v1/studies/{study}/documents/0x{'00' * 32}"),
        404,
        "study_document_unknown",
    )
    kept = service.world.stores.database["study_documents"].find_one({"study": study[2:]})
    assert kept is not None
    assert b"protocol" not in bytes(kept["sealed"])


def test_member_who_recused_does_not_sign_and_a_signature_given_before_is_gone(
    researcher: Provider, board: list[Person], study: str
) -> None:
    board[0].sign(study, "permit")
    file = board[0].api.post(f"/v1/board/studies/{study}/recusals", {"reason": "I supervise the applicant."})
    assert [item["reason"] for item in file["recusals"]] == ["I supervise the applicant."]
    assert file["motions"][0]["signed_by"] == []
    assert file["preparation"]["reviewers"] == [board[1].member_id]
    for kind in ("permit", "refuse"):
        assert_problem(board[0].sign(study, kind, reason="no"), 403, "board_recused")
    board[1].sign(study, "permit")
    assert state_of(researcher, study) == "proposed"
    decided = board[2].sign(study, "permit").json()
    assert decided["study"]["state"] == "approved"
    assert [item["name"] for item in decided["decisions"][0]["recused"]] == [NAMES[0]]
    assert_problem(board[0].suspend(study), 403, "board_recused")


def test_secretary_and_strangers_sign_nothing(
    service: Service, operator: Api, secretary: Api, board: list[Person], study: str
) -> None:
    path = f"/v1/board/studies/{study}/motions/permit"
    draft = board[0].api.get(path)["typed_data"]
    body = {"signature": board[0].wallet.sign_typed(draft), "submit_by": int(draft["message"]["submitBy"])}
    assert_problem(raw(secretary, "POST", path, json=body), 403, "scope_missing")
    without_seat = staff(service, "board-without-wallet", Role.ETHICS_BOARD)
    assert_problem(raw(without_seat, "POST", path, json=body), 403, "board_no_seat")
    assert_problem(raw(board[1].api, "POST", path, json=body), 422, "wrong_signer")
    suspended = seat(service, operator, "Dr. Late")
    operator.post(f"/v1/members/{suspended.member_id}/suspend")
    assert_problem(suspended.sign(study, "permit"), 403, "board_no_seat")


def test_questions_go_to_the_researcher_and_hold_the_permit_until_answered(
    researcher: Provider, board: list[Person], study: str
) -> None:
    board[0].api.post(f"/v1/board/studies/{study}/questions", {"text": "Why five years of records?"})
    assert_problem(board[1].sign(study, "permit"), 409, "board_questions_open")
    (question,) = researcher.api.get(f"/v1/studies/{study}/questions")
    answer = f"/v1/studies/{study}/questions/{question['number']}/answer"
    assert_problem(
        raw(researcher.api, "POST", f"/v1/studies/{study}/questions/7/answer", json={"text": "?"}),
        404,
        "board_question_unknown",
    )
    for _ in range(2):
        (answered,) = researcher.api.post(answer, {"text": "Two suffice; see the amendment."})
    assert answered["answered_at"]
    assert_problem(
        raw(researcher.api, "POST", answer, json={"text": "changed"}), 409, "board_question_answered"
    )
    permitted(study, board)


def test_refusal_takes_two_and_is_kept_with_its_reason(
    researcher: Provider, board: list[Person], study: str, auditor: Api
) -> None:
    assert_problem(board[0].sign(study, "refuse"), 422, "board_reason_missing")
    assert board[0].sign(study, "refuse", reason="The sample is too small.").status_code == 200
    assert state_of(researcher, study) == "proposed"
    assert_problem(board[1].sign(study, "refuse", reason="Another."), 409, "board_motion_changed")
    refused = board[1].sign(study, "refuse").json()
    assert refused["study"]["state"] == "refused"
    assert refused["study"]["reason"] == "The sample is too small."
    assert refused["chain"]["revoked"]
    assert entries(auditor, study)[-1] == "study.refused"
    assert_problem(board[2].sign(study, "permit"), 409, "board_motion_unfit")


def test_one_suspends_two_resume_and_two_revoke(
    researcher: Provider, board: list[Person], study: str, auditor: Api
) -> None:
    permitted(study, board)
    assert run(researcher, study).status_code == 200
    suspended = board[2].suspend(study)
    assert suspended.status_code == 200, suspended.text
    assert state_of(researcher, study) == "suspended"
    assert_problem(run(researcher, study), 403, "study_not_permitted")
    file = f"/v1/board/studies/{study}"
    eventually(lambda: bool(board[0].api.get(file)["chain"]["suspended"]))
    eventually(lambda: board[0].api.get(file)["decisions"][-1]["block"] is not None)
    assert board[0].api.get(file)["decisions"][-1]["signed_by"][0]["name"] == NAMES[2]
    assert board[0].sign(study, "resume").status_code == 200
    assert state_of(researcher, study) == "suspended"
    assert board[1].sign(study, "resume").status_code == 200
    assert state_of(researcher, study) == "approved"
    assert run(researcher, study).status_code == 200
    board[0].sign(study, "revoke", reason="The protocol was broken.")
    assert run(researcher, study).status_code == 200
    revoked = board[1].sign(study, "revoke").json()
    assert revoked["study"]["state"] == "closed"
    assert revoked["chain"]["revoked"]
    assert_problem(run(researcher, study), 403, "study_not_permitted")
    kinds = [kind for kind in entries(auditor, study) if kind not in ("study.signed", "study.run")]
    assert kinds[-4:] == ["study.approved", "study.suspended", "study.resumed", "study.revoked"]


def test_suspension_received_and_not_mined_stops_queued_and_running_queries(
    service: Service,
    researcher: Provider,
    board: list[Person],
    study: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    permitted(study, board)
    services = service.world.services
    ledger = services.board.ledger
    opened: list[int] = []

    def patients(*_: Any, **__: Any) -> Iterator[Candidate]:
        for number in range(1, 31):

            def resources(number: int = number) -> list[dict[str, Any]]:
                opened.append(number)
                if number == 3:
                    assert board[2].suspend(study).status_code == 200
                return [{"resourceType": "Patient", "gender": "female"}]

            yield Candidate(
                subject=SubjectId(number),
                consents=(ConsentId(number.to_bytes(32)),),
                allowed=frozenset({"sex"}),
                terms=ResearchTerms((("DUO:0000042",),), 0, NO_EPSILON_CAP),
                resources=resources,
            )

    with away(monkeypatch, ledger):
        monkeypatch.setattr(type(services.candidates), "of", patients)
        assert_problem(run(researcher, study), 403, "study_not_permitted")
        assert opened == [1, 2, 3], "the run stops at the next patient"
        assert not ledger.state(StudyId(bytes.fromhex(study[2:]))).suspended, "the chain knows nothing yet"
        assert_problem(run(researcher, study), 403, "study_not_permitted")
        assert opened == [1, 2, 3]
    eventually(lambda: ledger.state(StudyId(bytes.fromhex(study[2:]))).suspended)


@contextmanager
def away(monkeypatch: pytest.MonkeyPatch, ledger: Any) -> Iterator[None]:
    """The chain takes no suspension while the block runs."""

    def refuse(*_: Any, **__: Any) -> None:
        raise LedgerUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(ledger), "suspend_study", refuse)
        yield


def test_suspension_that_the_chain_has_not_taken_survives_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_service(tmp_path / "data", board_threshold=2) as service:
        operator = staff(service, "operator", Role.OPERATOR)
        secretary = staff(service, "secretary", Role.BOARD_SECRETARY)
        board = [seat(service, operator, name) for name in NAMES]
        researcher = workbench(service, operator, "Institute")
        study = prepared(researcher, secretary, board)
        permitted(study, board)
        with away(monkeypatch, service.world.services.board.ledger):
            assert board[2].suspend(study).status_code == 200
            service.world.close()
    name = StudyId(bytes.fromhex(study[2:]))
    with (
        away(monkeypatch, service.world.services.board.ledger),
        open_service(tmp_path / "data", board_threshold=2) as service,
    ):
        board_of = service.world.services.board
        assert not board_of.ledger.state(name).suspended
        assert board_of.stops.holds(name)
        with pytest.raises(StudyNotPermitted):
            board_of.guard(name)()
    with open_service(tmp_path / "data", board_threshold=2) as service:
        eventually(lambda: service.world.services.board.ledger.state(name).suspended)
        eventually(lambda: not service.world.services.board.stops.holds(name))
        assert service.world.services.studies.get(name).state is State.SUSPENDED


def test_amendment_is_decided_anew_and_its_predecessor_runs_until_then(
    researcher: Provider, secretary: Api, board: list[Person], study: str
) -> None:
    permitted(study, board)
    changed = proposal(title="Sex and age of patients, second version", amends=study, runs=4)
    version = researcher.api.post("/v1/studies", changed)["study_id"]
    assert version != study
    bring(researcher, version)
    secretary.post(
        f"/v1/board/studies/{version}/preparation",
        {"reviewers": [board[0].member_id], "decide_by": in_days(5)},
    )
    assert_problem(run(researcher, version), 403, "study_not_permitted")
    assert run(researcher, study).status_code == 200
    permitted(version, board)
    assert state_of(researcher, study) == "closed"
    assert_problem(run(researcher, study), 403, "study_not_permitted")
    assert run(researcher, version).status_code == 200
    third = raw(researcher.api, "POST", "/v1/studies", json=proposal(amends=study))
    assert_problem(third, 409, "study_amends_nothing")


def test_amendment_spends_what_is_left_of_the_total_that_its_permit_says(
    researcher: Provider, secretary: Api, board: list[Person]
) -> None:
    def version(**changes: Any) -> str:
        made = prepared(researcher, secretary, board, **changes)
        permitted(made, board)
        return made

    first = version(runs=1, epsilon=0.2)
    assert run(researcher, first).status_code == 200
    same = version(runs=1, epsilon=0.2, amends=first)
    assert_problem(run(researcher, same), 409, "privacy_budget_exceeded")
    usage = board[0].api.get(f"/v1/board/studies/{same}")["usage"]
    assert usage["epsilon_spent"] == "0"
    assert 0 < float(usage["epsilon_in_all"]) <= float(usage["epsilon_limit"])
    more = version(runs=4, epsilon=0.4, amends=same)
    assert run(researcher, more).status_code == 200


def test_difference_and_kinds_of_consent_are_shown_to_the_board(
    researcher: Provider, board: list[Person], study: str
) -> None:
    permitted(study, board)
    later = (datetime.now(UTC) + timedelta(days=300)).isoformat()
    original = researcher.api.get(f"/v1/studies/{study}")["proposal"]
    start = datetime.fromtimestamp(original["period"][0], UTC).isoformat()
    renewal = proposal(amends=study, not_before=start, not_after=later)
    version = researcher.api.post("/v1/studies", renewal)["study_id"]
    found = researcher.api.get(f"/v1/studies/{version}/difference")
    assert (found["version"], found["amends"]) == ("renewal", study)
    assert [change["member"] for change in found["changes"]] == ["period.to"]
    file = board[0].api.get(f"/v1/board/studies/{version}")
    assert file["difference"] == found
    assert [item["study_id"] for item in file["versions_before"]] == [study]
    consents = {item["term"]: item for item in file["consents"]}
    assert consents["DUO:0000042"]["fits"]
    assert not consents["DUO:0000011"]["fits"]
    assert consents["DUO:0000011"]["reason"]
    assert researcher.api.get(f"/v1/studies/{study}/difference")["version"] == "first"


def test_letter_tells_the_decision_and_stays_the_same(
    service: Service, operator: Api, researcher: Provider, secretary: Api, board: list[Person], study: str
) -> None:
    path = f"/v1/studies/{study}/letter"
    assert_problem(raw(researcher.api, "GET", path), 404, "decision_letter_absent")
    body = {"conditions": [{"text": "Publish within a year."}]}
    secretary.call("PUT", f"/v1/board/studies/{study}/conditions", json=body)
    board[2].api.post(f"/v1/board/studies/{study}/recusals", {"reason": "a cousin"})
    permitted(study, board)
    letter = raw(researcher.api, "GET", path)
    assert (letter.status_code, letter.headers["content-type"]) == (200, "application/pdf")
    pages = pypdf.PdfReader(io.BytesIO(letter.content)).pages
    text = " ".join(" ".join(page.extract_text().split()) for page in pages)
    file = board[0].api.get(f"/v1/board/studies/{study}")
    for words in (
        "The study is permitted.",
        "1. Publish within a year.",
        "Institute of Numbers",
        NAMES[0],
        NAMES[1],
        f"without a part in it: {NAMES[2]}.",
        f"block {file['decisions'][0]['block']}",
        file["rules"],
        file["decisions"][0]["transaction"],
    ):
        assert words in text, words
    board[0].suspend(study)  # what comes after changes nothing in it
    assert raw(secretary, "GET", path).content == letter.content
    stranger = workbench(service, operator, "A fourth institute")
    assert_problem(raw(stranger.api, "GET", path), 404, "study_not_found")


def test_researcher_withdraws_and_nobody_else_does(
    service: Service, operator: Api, researcher: Provider, secretary: Api, board: list[Person], study: str
) -> None:
    path = f"/v1/studies/{study}/closing"
    stranger = workbench(service, operator, "A third institute")
    assert_problem(raw(stranger.api, "POST", path, json={"reason": "mine now"}), 404, "study_not_found")
    for _ in range(2):
        assert researcher.api.post(path, {"reason": "no longer needed"})["state"] == State.CLOSED.value
    assert_problem(board[0].sign(study, "permit"), 409, "board_motion_unfit")


def test_list_shows_all_studies_with_what_became_of_them(
    researcher: Provider, secretary: Api, board: list[Person], study: str
) -> None:
    permitted(study, board)
    run(researcher, study)
    rows = {row["study_id"]: row for row in secretary.get("/v1/board/studies", state="approved", limit=100)}
    row = rows[study]
    assert (row["state"], row["runs"], row["releases"]) == ("approved", 1, 0)
    assert float(row["epsilon_spent"]) <= float(row["epsilon_limit"])
    assert secretary.get("/v1/board/members")["threshold"] == 2
    page = secretary.get("/v1/board/studies", limit=1)
    following = secretary.get("/v1/board/studies", limit=1, after=page[0]["study_id"])
    assert page[0]["study_id"] < following[0]["study_id"]
    assert_problem(raw(researcher.api, "GET", "/v1/board/studies"), 403, "scope_missing")


def test_list_says_what_each_open_study_waits_for(
    researcher: Provider, secretary: Api, board: list[Person]
) -> None:
    def row() -> dict[str, Any]:
        rows = secretary.get("/v1/board/studies", state="proposed", limit=100)
        found: dict[str, Any] = next(each for each in rows if each["study_id"] == study)
        return found

    study = str(researcher.api.post("/v1/studies", proposal())["study_id"])
    assert (row()["complete"], row()["motions"], row()["recused"]) == (False, [], [])
    assert bring(researcher, study).status_code == 201
    body = {"reviewers": [board[0].member_id], "decide_by": in_days(14)}
    secretary.post(f"/v1/board/studies/{study}/preparation", body)
    board[2].api.post(f"/v1/board/studies/{study}/recusals", {"reason": "a friend"})
    assert board[0].sign(study, "permit").status_code == 200
    (motion,) = row()["motions"]
    assert (motion["kind"], [seat["name"] for seat in motion["signed_by"]]) == ("permit", [NAMES[0]])
    assert (row()["complete"], row()["recused"]) == (True, [board[2].member_id])


def test_member_suspended_after_signing_does_not_count(
    service: Service, operator: Api, researcher: Provider, board: list[Person], study: str
) -> None:
    leaving = seat(service, operator, "Dr. Leaving")
    assert leaving.sign(study, "permit").status_code == 200
    operator.post(f"/v1/members/{leaving.member_id}/suspend")
    assert board[0].sign(study, "permit").json()["study"]["state"] == "proposed"
    assert board[1].sign(study, "permit").json()["study"]["state"] == "approved"


def test_decision_goes_on_by_itself_after_the_chain_was_away(
    service: Service,
    researcher: Provider,
    board: list[Person],
    study: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = service.world.services.board.ledger

    def refuse(*_: Any, **__: Any) -> None:
        raise LedgerUnavailable

    board[0].sign(study, "permit")
    with monkeypatch.context() as patch:
        patch.setattr(type(ledger), "permit_study", refuse)
        waiting = board[1].sign(study, "permit")
        assert waiting.status_code == 200
        assert waiting.json()["study"]["state"] == "proposed"
        conditions = {"conditions": [{"text": "too late"}]}
        path = f"/v1/board/studies/{study}/conditions"
        assert_problem(raw(board[0].api, "PUT", path, json=conditions), 409, "board_motion_unfit")
    eventually(lambda: state_of(researcher, study) == "approved")

"""Notices over HTTP: served for good to anybody, published by operators, and no grant names another."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any

import pytest

from backend.adapters.index.notice_store import MongoNoticeStore
from backend.consent.notices import Notice, NoticeRow, built_in
from backend.demo.actors import Api, Provider
from backend.types import UnixSeconds
from tests.integration.api.world import Patient, Service, assert_problem, permit_wish, raw


def published(operator: Api, language: str = "de") -> dict[str, Any]:
    text = f"Hinweis {secrets.token_hex(4)}: Widerruf jederzeit möglich.\n"
    view: dict[str, Any] = operator.post(
        "/v1/notices", {"language": language, "media_type": "text/plain", "text": text}
    )
    return view | {"text": text}


def test_notice_is_served_as_published_and_may_be_kept_for_ever(service: Service, operator: Api) -> None:
    view = published(operator)
    answer = service.http.get(f"/v1/notices/{view['notice']}")
    assert answer.status_code == 200
    assert answer.text == view["text"]
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-language"] == "de"
    assert answer.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    assert tag == f'"{view["notice"][2:]}"'
    head = b"assent/notice/1\nde\ntext/plain\n"
    assert hashlib.sha256(head + answer.content).hexdigest() == view["notice"][2:]
    for named in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = service.http.get(f"/v1/notices/{view['notice']}", headers={"If-None-Match": named})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = service.http.get(f"/v1/notices/{view['notice']}", headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


def test_unknown_notice_answers_404_that_nobody_keeps(service: Service) -> None:
    answer = service.http.get("/v1/notices/0x" + "ab" * 32)
    assert_problem(answer, 404, "notice_unknown")
    assert answer.headers.get_list("cache-control") == ["no-store"]


def test_newest_notice_of_a_language_is_listed_as_current(service: Service, operator: Api) -> None:
    published(operator)
    time.sleep(1.1)  # notices are dated in whole seconds
    newest = published(operator)
    listed = {view["notice"]: view for view in service.http.get("/v1/notices").json()}
    current = {view["language"]: name for name, view in listed.items() if view["current"]}
    assert set(current) == {"en", "de"}
    assert current["de"] == newest["notice"]
    assert {"0x" + notice.hash.hex() for notice in built_in()} <= set(listed)


@pytest.mark.parametrize(
    "wrong", [{"text": "a\u202eb"}, {"media_type": "text/html"}, {"language": "fr"}, {"text": " "}]
)
def test_text_that_is_no_notice_is_refused(operator: Api, wrong: dict[str, str]) -> None:
    body = {"language": "en", "media_type": "text/plain", "text": "A text."} | wrong
    answer = raw(operator, "POST", "/v1/notices", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] in {"notice_invalid", "invalid_input"}


def test_draft_names_a_stored_notice_in_its_language(
    service: Service, patient: Patient, clinic: Provider, operator: Api
) -> None:
    draft = patient.api.post("/v1/consents/draft", permit_wish(patient, clinic, language="de"))
    notice = draft["message"]["terms"]["notice"]
    assert service.http.get(f"/v1/notices/{notice}").headers["content-language"] == "de"
    view = published(operator)
    named = patient.api.post(
        "/v1/consents/draft", permit_wish(patient, clinic, language="de", notice=view["notice"])
    )
    assert named["message"]["terms"]["notice"] == view["notice"]
    assert "Mir wurde der Hinweistext" in named["summary"]
    recorded = patient.wallet.submit("/v1/consents", named)
    patient.end(recorded["consent_id"])


@pytest.mark.parametrize(
    ("language", "notice", "code"),
    [
        ("en", "0x" + "ab" * 32, "notice_not_published"),
        ("en", "0x" + "00" * 32, "notice_not_published"),
        ("en", "de", "notice_in_another_language"),
    ],
)
def test_draft_and_grant_with_another_notice_are_refused(
    patient: Patient, clinic: Provider, operator: Api, language: str, notice: str, code: str
) -> None:
    name = published(operator)["notice"] if notice == "de" else notice
    body = permit_wish(patient, clinic, language=language, notice=name)
    problem = assert_problem(raw(patient.api, "POST", "/v1/consents/draft", json=body), 422, code)
    assert problem["field"] == "notice"
    answer = patient.wallet
    draft = patient.api.post("/v1/consents/draft", permit_wish(patient, clinic, language=language))
    signed = _with_notice(draft, name)
    problem = assert_problem(
        raw(
            patient.api,
            "POST",
            "/v1/consents",
            json={"message": signed["message"], "signature": answer.sign_typed(signed["typed_data"])},
        ),
        422,
        code,
    )
    assert problem["field"] == "terms.notice"


def _with_notice(draft: dict[str, Any], notice: str) -> dict[str, Any]:
    """The draft as a wallet might sign it with another notice, the summary made to fit."""
    for message in (draft["message"], draft["typed_data"]["message"]):
        terms = message["terms"]
        old = terms["notice"]
        terms["notice"] = notice
        shown = f"0x{old[2:10]}…{old[-8:]}"
        line = next(line for line in terms["summary"].split("\n") if shown in line)
        replacement = line.replace(shown, f"0x{notice[2:10]}…{notice[-8:]}")
        lines = [replacement if each == line else each for each in terms["summary"].split("\n")]
        if int(notice, 16) == 0:
            lines.remove(replacement)
        terms["summary"] = "\n".join(lines)
    return draft


def test_store_keeps_the_date_of_a_notice_and_mends_its_text(service: Service) -> None:
    database = service.world.stores.database
    store = MongoNoticeStore(database)
    notice = Notice("en", "text/plain", secrets.token_hex(8).encode())
    row = NoticeRow(notice.hash, notice, UnixSeconds(5))
    store.add(row)
    database["notices"].update_one({"_id": notice.hash.hex()}, {"$set": {"content": b"other"}})
    store.add(NoticeRow(notice.hash, notice, UnixSeconds(9)))
    assert store.get(notice.hash) == row
    store.renew(notice.hash, UnixSeconds(7))
    assert store.get(notice.hash) == NoticeRow(notice.hash, notice, UnixSeconds(7))
    assert store.newest("en") in store.all()
    dates = [kept.published_at for kept in store.all()]
    assert dates == sorted(dates, reverse=True)
    database["notices"].delete_one({"_id": notice.hash.hex()})
    assert store.get(notice.hash) is None

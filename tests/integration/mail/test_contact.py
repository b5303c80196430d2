"""An address counts once its code came back; the code serves once; the old address hears of a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.demo.actors import Refused
from backend.identity.codes import Code
from backend.types import SubjectId
from tests.integration.api.world import Patient, Service, assert_problem, raw
from tests.integration.mail.world import FROM, STOP, Mailed, eventually
from tests.support.mail_server import MailServer

KINDS = ["accesses", "consents", "reminders", "requests", "revocations"]


@pytest.fixture
def unconfirmed(new_patient: Callable[[], Patient], server: MailServer, service: Service) -> Mailed:
    patient = new_patient()
    return Mailed(patient, server, service, f"u{patient.record_number.lower()}@mail.test")


def test_address_counts_once_the_code_came_back(unconfirmed: Mailed) -> None:
    pending = unconfirmed.put(unconfirmed.address, language="de", kinds=["requests"])
    assert (pending["address"], pending["state"]) == (None, None)
    assert pending["pending"]["address"] == unconfirmed.address
    unconfirmed.code()
    (mail,) = unconfirmed.server.to(unconfirmed.address)
    assert (mail.sender, mail.secured, mail.user) == (FROM, True, "assent")
    assert mail.message["Subject"] == "Bestätigen Sie Ihre E-Mail-Adresse"
    active = unconfirmed.confirm()
    assert active == unconfirmed.contact()
    assert (active["address"], active["state"]) == (unconfirmed.address, "active")
    assert (active["language"], active["kinds"], active["pending"]) == ("de", ["requests"], None)


def test_code_serves_once_and_only_its_patient(mailed: Mailed, unconfirmed: Mailed) -> None:
    path = "/v1/contact/confirm"
    unconfirmed.put(unconfirmed.address)
    code = unconfirmed.code()
    other = raw(mailed.api, "POST", path, params=mailed.params, json={"code": code})
    assert assert_problem(other, 422, "contact_code_refused")["field"] == "code"
    mailed.put(f"other-{mailed.address}")
    other = raw(mailed.api, "POST", path, params=mailed.params, json={"code": code})
    assert_problem(other, 422, "contact_code_refused")
    unconfirmed.confirm()
    again = raw(unconfirmed.api, "POST", path, params=unconfirmed.params, json={"code": code})
    assert_problem(again, 422, "contact_code_refused")


def test_code_is_read_as_people_type_it_and_a_mistyped_one_costs_no_attempt(unconfirmed: Mailed) -> None:
    unconfirmed.put(unconfirmed.address)
    code = unconfirmed.code()
    mistyped = code[:-1] + ("0" if code[-1] != "0" else "1")
    for _ in range(10):
        answer = raw(
            unconfirmed.api, "POST", "/v1/contact/confirm", params=unconfirmed.params, json={"code": mistyped}
        )
        assert_problem(answer, 422, "contact_code_malformed")
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    body = {"code": typed}
    assert unconfirmed.api.post("/v1/contact/confirm", body, **unconfirmed.params)["state"] == "active"


def test_after_five_wrong_codes_the_right_one_is_refused_until_another_is_sent(unconfirmed: Mailed) -> None:
    unconfirmed.put(unconfirmed.address)
    right = unconfirmed.code()

    def confirm(code: str) -> str:
        answer = raw(
            unconfirmed.api, "POST", "/v1/contact/confirm", params=unconfirmed.params, json={"code": code}
        )
        return str(answer.json().get("code") or answer.json()["state"])

    assert {confirm(Code.new().text) for _ in range(5)} == {"contact_code_refused"}
    assert confirm(right) == "contact_code_refused"
    unconfirmed.put(unconfirmed.address)
    eventually(lambda: unconfirmed.code() != right, "another code came")
    assert confirm(right) == "contact_code_refused"
    assert confirm(unconfirmed.code()) == "active"


def test_code_that_has_expired_is_refused(unconfirmed: Mailed, monkeypatch: pytest.MonkeyPatch) -> None:
    unconfirmed.put(unconfirmed.address)
    code = unconfirmed.code()
    contacts = unconfirmed.service.world.services.contacts
    now = contacts._clock()
    monkeypatch.setattr(contacts, "_clock", lambda: now + 24 * 3600 + 60)
    answer = raw(
        unconfirmed.api, "POST", "/v1/contact/confirm", params=unconfirmed.params, json={"code": code}
    )
    assert_problem(answer, 409, "contact_code_expired")


def test_two_who_send_the_code_at_once_confirm_once(unconfirmed: Mailed) -> None:
    unconfirmed.put(unconfirmed.address)
    code = unconfirmed.code()

    def confirm(_: int) -> int:
        return raw(
            unconfirmed.api, "POST", "/v1/contact/confirm", params=unconfirmed.params, json={"code": code}
        ).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(confirm, range(4))) == [200, 422, 422, 422]


def test_codes_are_limited_for_a_patient(unconfirmed: Mailed) -> None:
    for number in range(5):
        unconfirmed.put(f"{number}{unconfirmed.address}")
    answer = raw(
        unconfirmed.api, "PUT", "/v1/contact", params=unconfirmed.params, json={"address": "a@mail.test"}
    )
    assert_problem(answer, 429, "contact_codes_limited")
    assert 0 < int(answer.headers["retry-after"]) <= 24 * 3600
    assert unconfirmed.contact()["pending"]["address"] == f"4{unconfirmed.address}"


def test_codes_are_limited_for_an_address_whoever_asks(
    new_patient: Callable[[], Patient], server: MailServer, service: Service
) -> None:
    victim = "victim@mail.test"
    for spelt in (victim, "Victim+a@mail.test", "VICTIM+b@Mail.Test"):
        Mailed(new_patient(), server, service, victim).put(spelt)
    fourth = new_patient()
    params = {"subject": fourth.subject}
    answer = raw(fourth.api, "PUT", "/v1/contact", params=params, json={"address": "victim+c@mail.test"})
    assert_problem(answer, 429, "contact_codes_limited")
    assert_problem(raw(fourth.api, "GET", "/v1/contact", params=params), 404, "contact_unknown")


def test_change_of_address_is_told_to_the_old_one_and_only_once_it_counts(mailed: Mailed) -> None:
    new = f"new-{mailed.address}"
    assert mailed.put(new)["address"] == mailed.address
    mailed.code(new)
    before = len(mailed.server.to(mailed.address))
    assert mailed.confirm(new)["address"] == new
    told = mailed.server.wait(mailed.address, before + 1)[-1]
    assert told.message["Subject"] == "Your notices go to another address"
    assert new not in told.content.decode()
    mailed.api.call("DELETE", "/v1/contact", params=mailed.params)
    removed = mailed.server.wait(new, 2)[-1]
    assert removed.message["Subject"] == "You get no more notices by e-mail"
    assert len(mailed.server.to(mailed.address)) == before + 1


def test_language_and_kinds_change_without_a_code(mailed: Mailed) -> None:
    changed = mailed.put(mailed.address, language="de", kinds=["reminders", "requests"])
    assert (changed["state"], changed["language"]) == ("active", "de")
    assert (changed["kinds"], changed["pending"]) == (["reminders", "requests"], None)
    assert mailed.put(mailed.address)["kinds"] == KINDS
    assert len(mailed.server.to(mailed.address)) == 1


def test_removed_address_is_gone(mailed: Mailed) -> None:
    mailed.api.call("DELETE", "/v1/contact", params=mailed.params)
    for method in ("GET", "DELETE"):
        answer = raw(mailed.api, method, "/v1/contact", params=mailed.params)
        assert_problem(answer, 404, "contact_unknown")
    key = mailed.patient.subject.removeprefix("0x")
    assert mailed.service.world.stores.database["contacts"].find_one({"_id": key}) is None


def test_patient_one_does_not_act_for_is_not_found(mailed: Mailed, unconfirmed: Mailed) -> None:
    for method, path, body in (
        ("GET", "/v1/contact", None),
        ("PUT", "/v1/contact", {"address": "a@mail.test"}),
        ("DELETE", "/v1/contact", None),
        ("POST", "/v1/contact/confirm", {"code": Code.new().text}),
    ):
        answer = raw(unconfirmed.api, method, path, params=mailed.params, json=body)
        assert_problem(answer, 404, "not_found")
    assert mailed.contact()["address"] == mailed.address


def test_every_change_is_in_the_patients_log_without_the_address(mailed: Mailed) -> None:
    new = f"logged-{mailed.address}"
    mailed.put(mailed.address, kinds=["requests"])
    mailed.put(new)
    mailed.confirm(new)
    mailed.api.call("DELETE", "/v1/contact", params=mailed.params)
    entries = [entry for entry in mailed.patient.accesses() if entry["type"] == "contact.changed"]
    assert len(entries) == 6  # asked, confirmed, preferences, asked, confirmed, removed
    assert "@" not in json.dumps(entries)


def test_index_holds_no_address_in_clear_and_a_mail_that_is_over_holds_nothing(mailed: Mailed) -> None:
    mailed.put(f"pending-{mailed.address}")
    mailed.code(f"pending-{mailed.address}")
    database = mailed.service.world.stores.database
    for name in database.list_collection_names():
        for document in database[name].find():
            assert b"mail.test" not in repr(document).encode(), name
    eventually(lambda: not mailed.waiting(state="waiting"), "all are sent")
    assert {bytes(row["sealed"]) for row in mailed.waiting()} == {b""}


def test_erased_patient_gets_no_mail_not_even_what_waits(mailed: Mailed, server: MailServer) -> None:
    server.stop()
    mailed.put(f"erased-{mailed.address}")
    stores = mailed.service.world.stores
    stores.keys.erase("patient", f"documents/{mailed.patient.subject.removeprefix('0x')}")
    server.start()
    eventually(lambda: not mailed.waiting(state="waiting"), "given up", seconds=90)
    assert mailed.waiting(state="dead")[0]["failure"] == "erased"
    assert server.to(f"erased-{mailed.address}") == []
    answer = raw(mailed.api, "GET", "/v1/contact", params=mailed.params)
    assert_problem(answer, 404, "contact_unknown")
    book = mailed.service.world.services.contacts._book
    assert book.file(SubjectId(int(mailed.patient.subject, 16))).contact is None


def test_one_click_stops_mail_and_nothing_else(mailed: Mailed) -> None:
    consent = mailed.patient.permit("0x" + mailed.service.world.stores.tenant.hex())
    (mail,) = mailed.wait("granted")
    link = str(mail.message["List-Unsubscribe"]).strip("<>")
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = STOP.search(mail.text)
    assert found is not None
    assert found[0] == link
    path = link.removeprefix(mailed.service.url)
    http = mailed.service.http
    page, unknown = http.get(path), http.get(path[:-43] + "x" * 43)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text == unknown.text
    assert mailed.contact()["state"] == "active"  # a program that opened the link stopped nothing
    form = {"List-Unsubscribe": "One-Click"}
    assert http.post(path[:-43] + "x" * 43, data=form).status_code == 204
    assert mailed.contact()["state"] == "active"
    assert [http.post(path, data=form).status_code for _ in range(2)] == [204, 204]
    assert mailed.contact()["state"] == "unsubscribed"
    assert [row["state"] for row in mailed.patient.consents() if row["consent_id"] == consent] == ["live"]
    mailed.patient.end(consent)
    mailed.put(mailed.address)  # begins anew, with a code
    assert mailed.contact()["pending"] is not None
    with pytest.raises(Refused, match="contact_code_refused"):
        mailed.api.post("/v1/contact/confirm", {"code": Code.new().text}, **mailed.params)
    eventually(lambda: len(mailed.server.to(mailed.address)) == 3, "a code, a grant, a code")
    assert mailed.told("revoked") == []
    assert mailed.confirm()["state"] == "active"

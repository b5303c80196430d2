"""What patients are told by mail of what happens, how it is tried again, and that it says nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.header import decode_header, make_header
from typing import Any, Final

import pytest

from backend.consent.tables import LANGUAGES, load_tables
from backend.demo.actors import Provider
from tests.integration.api.test_recovery import accept, agree, guardian_of, name_guardians, new_wallet
from tests.integration.api.test_request_lifecycle import ask
from tests.integration.api.world import Patient, Service, in_days
from tests.integration.mail.world import Mailed, eventually
from tests.support.mail_server import TAKEN, Mail, MailServer

TABLES: Final = load_tables()


def acknowledge(system: Provider, consent: str) -> None:
    def notices() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = system.api.get("/v1/notices-of-revocation", consent=consent)
        return found

    eventually(lambda: bool(notices()), "the end is told")
    system.api.post(f"/v1/notices-of-revocation/{notices()[0]['notice_id']}/ack")


def test_request_grant_end_and_acknowledgement_are_told_once_each(mailed: Mailed, clinic: Provider) -> None:
    consent = mailed.patient.wallet.answer(ask(clinic, mailed.patient)["request_id"], "grant")["consent_id"]
    for what in ("requested", "granted"):
        mailed.wait(what)
    mailed.patient.end(consent)
    mailed.wait("revoked")
    acknowledge(clinic, consent)
    mailed.wait("acknowledged")
    time.sleep(1.5)
    assert len(mailed.server.to(mailed.address)) == 5  # and the code
    assert len({mail.id for mail in mailed.server.to(mailed.address)}) == 5


def test_accesses_of_a_day_are_told_by_one_mail_the_day_after_and_ones_own_are_not(
    mailed: Mailed, clinic: Provider
) -> None:
    wallet = mailed.patient.wallet
    assert wallet.api.get(f"/v1/records/{mailed.patient.record_id}", purpose="PATRQT")["segments"]
    consent = mailed.patient.permit(clinic.member_id)
    mailed.wait("granted")
    assert mailed.waiting(topic="access.recorded") == []
    for _ in range(3):
        clinic.read(mailed.patient.record_id)
    eventually(lambda: bool(mailed.waiting(topic="access.recorded")), "it waits")
    mailed.patient.end(consent)
    mailed.wait("revoked")  # told after the accesses: none of them is to come
    (row,) = mailed.waiting(topic="access.recorded")
    midnight = (int(time.time()) // 86400 + 1) * 86400
    assert row["due_at"] in (midnight + 6 * 3600, midnight - 18 * 3600)  # the test may run at midnight
    assert mailed.told("accessed") == []
    mailed.hasten("access.recorded")
    (mail,) = mailed.wait("accessed")
    assert mail.message["Date"].datetime.timestamp() == row["created_at"]


def test_each_access_under_the_condition_to_notify_is_told_at_once(mailed: Mailed, clinic: Provider) -> None:
    rules = [{"effect": "permit", "obligations": ["notify"]}]
    consent = mailed.patient.permit(clinic.member_id, rules=rules)
    for _ in range(3):
        clinic.read(mailed.patient.record_id)
    mailed.wait("accessed", 3)
    mailed.patient.end(consent)


def test_request_that_nobody_answers_is_told_before_and_when_it_lapses(
    mailed: Mailed, clinic: Provider
) -> None:
    request = ask(clinic, mailed.patient)["request_id"]
    mailed.wait("requested")
    mailed.remind("consent.request_lapsing")
    mailed.wait("lapsing")
    mailed.lapse(request)
    mailed.remind("consent.request_lapsed")
    mailed.wait("lapsed")


def test_request_that_was_answered_or_is_of_a_blocked_requester_is_told_no_more(
    mailed: Mailed, clinic: Provider, other_clinic: Provider
) -> None:
    mailed.patient.wallet.answer(ask(clinic, mailed.patient)["request_id"], "refuse")
    ask(other_clinic, mailed.patient)
    mailed.wait("requested", 2)
    path = f"/v1/blocked-requesters/{other_clinic.member_id}"
    mailed.api.call("PUT", path, params=mailed.params)
    mailed.remind("consent.request_lapsing")
    mailed.remind("consent.request_lapsed")
    mailed.patient.end(mailed.patient.permit(clinic.member_id))
    mailed.wait("revoked")
    assert mailed.told("lapsing") == mailed.told("lapsed") == []


def test_end_of_a_consent_is_told_before_and_a_late_acknowledgement_after(
    mailed: Mailed, clinic: Provider
) -> None:
    consent = mailed.patient.permit(clinic.member_id, not_after=in_days(20))
    mailed.wait("granted")
    mailed.remind("consent.expiring")
    mailed.wait("expiring")
    mailed.patient.end(consent)
    mailed.remind("consent.revocation_overdue")
    mailed.wait("overdue")
    acknowledge(clinic, consent)
    mailed.wait("acknowledged")


def test_acknowledged_end_is_not_overdue(mailed: Mailed, clinic: Provider) -> None:
    consent = mailed.patient.permit(clinic.member_id)
    mailed.patient.end(consent)
    mailed.wait("revoked")
    acknowledge(clinic, consent)
    mailed.wait("acknowledged")
    mailed.remind("consent.revocation_overdue")
    time.sleep(1)
    assert mailed.told("overdue") == []


def test_kinds_that_were_not_chosen_are_not_sent_nor_is_anything_to_an_unconfirmed_address(
    mailed: Mailed, clinic: Provider
) -> None:
    mailed.put(mailed.address, kinds=["revocations", "requests"])
    mailed.put(f"unconfirmed-{mailed.address}")
    consent = mailed.patient.wallet.answer(ask(clinic, mailed.patient)["request_id"], "grant")["consent_id"]
    mailed.patient.end(consent)
    acknowledge(clinic, consent)
    mailed.wait("acknowledged")
    assert [len(mailed.told(what)) for what in ("requested", "granted", "revoked")] == [1, 0, 0]
    assert len(mailed.server.to(f"unconfirmed-{mailed.address}")) == 1  # the code
    assert mailed.waiting(topic="consent.granted") == []  # nothing is kept that nobody wants


def test_recovery_is_told_at_once_whatever_was_chosen(mailed: Mailed, service: Service) -> None:
    mailed.put(mailed.address, kinds=["reminders"])
    wallet, new = mailed.patient.wallet, new_wallet(service)
    guardian, name = guardian_of(wallet, service)
    name_guardians(wallet, [name], threshold=1)
    agree(guardian, wallet.subject, new)
    assert mailed.told("moving") == []
    accept(new, wallet.subject)
    (mail,) = mailed.wait("moving")
    assert wallet.subject not in mail.text
    assert new.address not in mail.text


def test_change_of_mind_counts_for_what_waits(mailed: Mailed, clinic: Provider) -> None:
    consent = mailed.patient.permit(clinic.member_id)
    clinic.read(mailed.patient.record_id)
    eventually(lambda: bool(mailed.waiting(topic="access.recorded")), "it waits")
    mailed.put(mailed.address, kinds=["consents"])
    time.sleep(2.1)  # what is remembered of a choice
    mailed.hasten("access.recorded")
    eventually(lambda: mailed.waiting(topic="access.recorded")[0]["state"] == "dead", "it is given up")
    assert mailed.waiting(topic="access.recorded")[0]["failure"] == "not_wanted"
    mailed.patient.end(consent)


def test_refusal_for_now_is_tried_again_with_the_same_id(mailed: Mailed, clinic: Provider) -> None:
    answers = iter(["451 4.3.0 later"])
    got = mailed.server.got  # mails to others may still come, of the test before
    mailed.server.on_mail = lambda number: next(answers, TAKEN) if got[number].to == mailed.address else TAKEN
    consent = mailed.patient.permit(clinic.member_id)
    first, second = mailed.wait("granted", 2)
    assert first.content == second.content
    assert mailed.contact()["state"] == "active"
    mailed.patient.end(consent)


def test_refusal_of_the_mailbox_for_good_suspends_the_address_until_it_is_confirmed_again(
    mailed: Mailed, clinic: Provider
) -> None:
    refusing = {mailed.address}
    mailed.server.on_receiver = lambda address: "550 5.1.1 no such user" if address in refusing else TAKEN
    consent = mailed.patient.permit(clinic.member_id)
    eventually(lambda: mailed.contact()["state"] == "suspended", "it is suspended")
    assert mailed.contact()["address"] == mailed.address
    mailed.put(mailed.address)
    eventually(lambda: mailed.contact()["pending"]["refused"], "the code is refused, too")
    refusing.clear()
    mailed.patient.end(consent)
    before = mailed.code()
    mailed.put(mailed.address)
    eventually(lambda: mailed.code() != before, "another code came")
    assert mailed.confirm()["state"] == "active"
    mailed.patient.end(mailed.patient.permit(clinic.member_id))
    mailed.wait("revoked")
    types = [entry["type"] for entry in mailed.patient.accesses()]
    assert types.count("contact.changed") == 6  # asked and confirmed, suspended, asked twice, confirmed


def test_server_that_is_away_gets_everything_once_it_is_back(mailed: Mailed, clinic: Provider) -> None:
    mailed.server.stop()
    try:
        consent = mailed.patient.permit(clinic.member_id)
        eventually(lambda: any(row["failure"] == "connect" for row in mailed.waiting()), "a try failed")
    finally:
        mailed.server.start()
    mailed.wait("granted", seconds=60)
    mailed.patient.end(consent)
    mailed.wait("revoked", seconds=60)
    assert len(mailed.told("granted")) == 1


def test_mail_that_nobody_takes_is_given_up_and_counted(mailed: Mailed, clinic: Provider) -> None:
    mails = next(each for each in _channels(mailed.service) if each._channel.name == "mail")
    mailed.server.on_receiver = lambda _: "450 4.2.0 busy"
    patience, mails._give_up_seconds = mails._give_up_seconds, 1
    try:
        consent = mailed.patient.permit(clinic.member_id)
        eventually(lambda: bool(mailed.waiting(state="dead")), "given up")
    finally:
        mails._give_up_seconds = patience
    row = mailed.waiting(state="dead")[0]
    assert (row["failure"], row["attempts"]) == ("status_450", 2)
    assert mailed.contact()["state"] == "active"
    mails._tidy()
    dead = re.search(r"^assent_mails_dead (\d)", mailed.service.http.get("/metrics").text, re.MULTILINE)
    assert dead is not None
    assert int(dead[1]) >= 1
    mailed.patient.end(consent)


def _channels(service: Service) -> list[Any]:
    letterbox = service.world.services.contacts._letterbox
    assert letterbox is not None
    return [letterbox._deliveries]


class Scan:
    """Looks into mails for whatever the scenario knows, as words, in any case."""

    def __init__(self, texts: set[str]) -> None:
        self._texts = sorted(text for text in texts if len(text) > 1)

    def findings(self, mail: Mail) -> list[str]:
        parts = [mail.text] + [f"{name}: {make_header(decode_header(str(value)))}" for name, value in
                               mail.message.raw_items()]  # fmt: skip
        seen = "\n".join(parts).lower()
        return [
            text for text in self._texts if re.search(rf"(?<![\w-]){re.escape(text.lower())}(?![\w-])", seen)
        ]


def strings(value: Any) -> Iterator[str]:
    """Yield every string and number of a JSON value, and the words of each string."""
    match value:
        case dict():
            for item in value.values():
                yield from strings(item)
        case list():
            for item in value:
                yield from strings(item)
        case str() if not value.startswith("http"):
            yield value
            yield from (word for word in re.findall(r"[\w-]{4,}", value))


def codes() -> set[str]:
    """Codes and words of every table, in every language."""
    found: set[str] = set()
    for table in (TABLES.purposes, TABLES.categories, TABLES.sensitivities, TABLES.actions):
        found |= set(table.bits)
        for language in LANGUAGES:
            found |= set(table.words(table.all_bits, language))
    return found


# Words that data has and every mail, the same for everybody.
OF_EVERY_MAIL: Final = frozenset(
    {
        "date", "subject", "en", "de", "text/plain", "plain", "text", "contact", "from", "this", "time",
        "without", "nothing", "read", "recorded", "consent", "request", "refusal", "acknowledged",
    }
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_mail_of_a_whole_story_holds_anything_that_the_story_knows(
    new_patient: Callable[[], Patient],
    server: MailServer,
    service: Service,
    clinic: Provider,
    other_clinic: Provider,
    language: str,
) -> None:
    person = Mailed(new_patient(), server, service, f"story-{language}@mail.test")
    patient = person.patient
    person.put(person.address, language=language)
    person.confirm()
    request = ask(clinic, patient)["request_id"]
    consent = patient.wallet.answer(request, "grant", not_after=in_days(20))["consent_id"]
    patient.wallet.answer(ask(other_clinic, patient)["request_id"], "refuse")
    denied = patient.wallet.consent(kind="deny", grantee=other_clinic.member_id)["consent_id"]
    clinic.read(patient.record_id)
    person.hasten("access.recorded")
    person.remind("consent.request_lapsing")
    person.remind("consent.expiring")
    patient.end(consent, denied)
    person.remind("consent.revocation_overdue")
    acknowledge(clinic, consent)
    wanted = 11  # code, 2 requested, granted, refused, denied, accessed, expiring, revoked, overdue, ack
    mails = server.wait(person.address, wanted, seconds=60)
    known = {
        *strings(json.loads(patient.bundle)), *codes(), *strings(patient.consents()),
        *strings(patient.accesses()), *strings(patient.api.get("/v1/consent-requests")),
        *strings(patient.api.get("/v1/notices-of-revocation", **person.params)),
        "Lakeside Clinic", "Hilltop Clinic", "Lakeside", "Hilltop", "clinic", "Test Person", "hospital",
        patient.record_number, patient.record_id, patient.subject, patient.subject[2:], consent, consent[2:],
        request, request[2:], clinic.member_id, clinic.member_id[2:], clinic.client_id,
        patient.wallet.address, patient.wallet.address[2:], "health", "Gesundheit", "medical", "doctor",
    }  # fmt: skip
    scan = Scan({text for text in known if text.lower() not in OF_EVERY_MAIL})
    assert [(str(mail.message["Subject"]), found) for mail in mails if (found := scan.findings(mail))] == []
    planted = replace(mails[1], content=mails[1].content + f"\r\n{patient.record_number}".encode())
    assert patient.record_number in scan.findings(planted)
    for text in ("laboratory", "TREAT", "Lakeside Clinic", patient.subject, clinic.member_id[2:]):
        planted = replace(mails[1], content=mails[1].content + f"\r\n {text}".encode())
        assert text in scan.findings(planted), text
    # Two notices of one kind differ in what is drawn at random and in the time, and in nothing else.
    first, second = (person_mail for person_mail in mails if _is_request(person_mail, mails))
    assert first.text == second.text


def _is_request(mail: Mail, mails: list[Mail]) -> bool:
    return sum(other.text == mail.text for other in mails) == 2

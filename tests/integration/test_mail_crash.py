"""SIGKILL between the handing over of a mail and the note of it: it comes again with the same Message-ID."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.mail.world import CODE
from tests.support.mail_server import TAKEN, MailServer, mail_server
from tests.support.process_world import People, Program, eventually, run_cli, running_program

FROM, TO = "notices@custodian.test", "crash@mail.test"
LEASE_SECONDS = 45


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.setenv("ASSENT_SMTP_URL", f"smtp+plain://127.0.0.1:{server.port}")
    monkeypatch.setenv("ASSENT_MAIL_FROM", FROM)
    with running_program(tmp_path) as running:
        yield running


def test_mail_taken_by_the_server_but_not_noted_is_sent_again_with_its_id(
    program: Program, server: MailServer
) -> None:
    people = People(program)
    params = {"subject": people.patient.subject}
    people.patient.api.call("PUT", "/v1/contact", params=params, json={"address": TO})
    found = CODE.search(server.wait(TO)[0].text)
    assert found is not None
    time.sleep(6)  # what happened so far is told before there is anybody to tell
    people.patient.api.post("/v1/contact/confirm", {"code": found[0]}, **params)
    arrived, go_on = threading.Event(), threading.Event()

    def hold(_: int) -> str:
        arrived.set()  # the server has it all; the program has no answer yet
        go_on.wait(60)
        return TAKEN

    server.on_mail = hold
    people.permit(people.clinic.member_id, days=100)
    assert arrived.wait(60)
    program.kill()
    go_on.set()
    server.on_mail = lambda _: TAKEN
    program.start()
    people.reconnect()
    _, first, second = server.wait(TO, 3, seconds=LEASE_SECONDS + 30)
    assert first.content == second.content
    assert re.fullmatch(r"<[0-9a-f]{32}@custodian\.test>", first.id)
    time.sleep(3)
    assert len(server.to(TO)) == 3  # and no third time


def test_event_and_code_that_were_acknowledged_before_a_kill_are_mailed_after_it(
    program: Program, server: MailServer
) -> None:
    people = People(program)
    params = {"subject": people.patient.subject}
    time.sleep(6)  # what happened so far is told before there is anybody to tell
    server.stop()
    people.patient.api.call("PUT", "/v1/contact", params=params, json={"address": TO})
    program.kill()
    server.start()
    program.start()
    people.reconnect()
    found = CODE.search(server.wait(TO, seconds=LEASE_SECONDS + 30)[0].text)
    assert found is not None
    people.patient.api.post("/v1/contact/confirm", {"code": found[0]}, **params)
    for days in range(100, 105):  # acknowledged, then killed at once: most are not told yet
        people.permit(people.clinic.member_id, days=days)
    program.kill()
    program.start()
    people.reconnect()
    # At least: on a slow machine what happened before is told late, and is one more.
    eventually(
        lambda: len({mail.id for mail in server.to(TO)}) >= 6, seconds=LEASE_SECONDS + 30, what="five grants"
    )


def test_operator_sends_a_mail_to_see_that_mail_is_delivered(server: MailServer, tmp_path: Path) -> None:
    settings = {"ASSENT_SMTP_URL": f"smtp+plain://127.0.0.1:{server.port}", "ASSENT_MAIL_FROM": FROM}
    at = ("--data-directory", tmp_path)
    sent = run_cli("notices", "mail-test", TO, "--language", "de", "--json", *at, **settings)
    assert sent.returncode == 0, sent.stderr
    (mail,) = server.to(TO)
    assert f"<{json.loads(sent.stdout)['message_id']}@custodian.test>" == mail.id
    assert mail.message["Subject"] == "Test des Mailservers"
    for given, environment, code in (
        (TO, {}, "mail_not_configured"),
        ("nobody", settings, "mail_address_refused"),
        (TO, {**settings, "ASSENT_MAIL_FROM": "nobody"}, "mail_settings_wrong"),
        (TO, {"ASSENT_SMTP_URL": "smtp://mail.example"}, "settings_invalid"),
    ):
        refused = run_cli("notices", "mail-test", given, *at, **environment)
        assert (refused.returncode, code in refused.stderr) == (2, True), refused.stderr
    server.on_receiver = lambda _: "450 4.2.0 busy"
    refused = run_cli("notices", "mail-test", TO, *at, **settings)
    assert (refused.returncode, "status_450" in refused.stderr) == (2, True)
    assert len(server.to(TO)) == 1

"""SIGKILL between the sending of a message and the note of it: it is sent again under the same id."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process_world import People, Program, eventually, run_cli, running_program
from tests.support.receiver import receiving, verified


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.setenv("ASSENT_WEBHOOK_PRIVATE_NETWORKS", "127.0.0.0/8")
    with running_program(tmp_path) as running:
        yield running


def test_message_taken_by_the_receiver_but_not_noted_is_sent_again_with_its_id(program: Program) -> None:
    people = People(program)
    time.sleep(6)  # what happened so far is told before there is anybody to tell
    arrived, go_on = threading.Event(), threading.Event()

    def hold(_: int) -> int:
        arrived.set()  # the receiver has read it all; the program has no answer yet
        go_on.wait(60)
        return 204

    with receiving(host="127.0.0.1") as receiver:
        receiver.answer = hold
        path = f"/v1/clients/{people.clinic.client_id}/webhook"
        secret = people.clinic.api.call("PUT", path, json={"url": receiver.url}).json()["secret"]
        people.permit(people.clinic.member_id, days=100)
        assert arrived.wait(60)
        program.kill()
        go_on.set()
        program.start()
        people.reconnect()
        first, second = receiver.wait("consent.granted", 2, seconds=60)
        assert (first.id, first.body) == (second.id, second.body)
        assert verified(secret, second.headers, second.body)
        time.sleep(3)
        assert len(receiver.got) == 2  # and no third time


def test_event_that_was_logged_before_a_kill_and_not_told_is_told_after_it(program: Program) -> None:
    people = People(program)
    with receiving(host="127.0.0.1") as receiver:
        path = f"/v1/clients/{people.clinic.client_id}/webhook"
        time.sleep(2)
        people.clinic.api.call("PUT", path, json={"url": receiver.url})
        for days in range(100, 105):  # acknowledged, then killed at once: most are not told yet
            people.permit(people.clinic.member_id, days=days)
        program.kill()
        program.start()
        people.reconnect()
        got = receiver.wait("consent.granted", 5, seconds=60)
        eventually(lambda: len({each.id for each in got}) == 5, seconds=1, what="each is told once at least")


def test_operator_lists_what_was_given_up_and_has_it_tried_again(program: Program) -> None:
    assert run_cli("webhooks", "list", "--data-directory", program.data, "--json").stdout.strip() == "[]"
    refused = run_cli("webhooks", "retry", "msg_" + "0" * 32, "--data-directory", program.data)
    assert refused.returncode == 2
    assert "delivery_unknown" in refused.stderr
    wrong = run_cli("webhooks", "list", "--state", "lost", "--data-directory", program.data)
    assert (wrong.returncode, "waiting" in wrong.stderr) == (2, True)
    program.stop()
    stopped = run_cli("webhooks", "list", "--state", "all", "--data-directory", program.data, "--json")
    assert stopped.stdout.strip() == "[]"

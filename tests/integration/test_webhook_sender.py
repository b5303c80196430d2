"""Messages over real sockets: where they may go, how long a try may take, what is never followed."""

from __future__ import annotations

import socket
import ssl
import time
from ipaddress import ip_network
from pathlib import Path

import pytest

from backend.adapters.webhook_sender import HttpSender
from backend.notices.errors import WebhookRefused
from tests.support.certificates import self_signed
from tests.support.dripping import dripping
from tests.support.receiver import receiving

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
HEADERS = {"webhook-id": "msg_1"}


def sender(*, opened: bool = True, tls: ssl.SSLContext | None = None, seconds: float = 5.0) -> HttpSender:
    return HttpSender(opened=LOOPBACK if opened else (), tls=tls, total_seconds=seconds)


def test_message_arrives_with_its_headers_and_body() -> None:
    with receiving(host="127.0.0.1") as receiver:
        assert sender().send(receiver.url, HEADERS, b"{}") is None
    (got,) = receiver.got
    assert got.body == b"{}"
    assert got.headers["webhook-id"] == "msg_1"
    assert got.headers["host"] == receiver.url.split("/")[2]
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [300, 400, 410, 500, 503])
def test_answer_that_is_not_2xx_is_named(status: int) -> None:
    with receiving(host="127.0.0.1") as receiver:
        receiver.answer = lambda _: status
        assert sender().send(receiver.url, HEADERS, b"{}") == f"status_{status}"


def test_redirect_is_not_followed() -> None:
    with receiving(host="127.0.0.1") as receiver:
        receiver.answer = lambda _: 307
        assert sender().send(receiver.url, HEADERS, b"{}") == "status_307"
        assert len(receiver.got) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
def test_private_address_is_refused_at_registration_and_at_each_try_however_it_is_written(host: str) -> None:
    with receiving(host=host) as receiver:
        for url in (receiver.url, receiver.url.replace("http", "https")):
            with pytest.raises(WebhookRefused):
                sender(opened=False).check(url)
            assert sender(opened=False).send(url, HEADERS, b"{}") == "address_refused"
    assert receiver.got == []


def test_name_that_resolves_elsewhere_after_the_check_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one resolution of a try is what is checked and what is connected to."""
    answers = iter(["9.9.9.9", "127.0.0.1", "127.0.0.1"])
    asked: list[str] = []

    def rebinding(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    with receiving() as receiver:
        url = receiver.url.replace("http://localhost", "https://rebind.example")
        monkeypatch.setattr("backend.adapters.webhook_sender.socket.getaddrinfo", rebinding)
        sender(opened=False).check(url)
        assert sender(opened=False).send(url, HEADERS, b"{}") == "address_refused"
        assert asked == ["rebind.example"] * 2
    assert receiver.got == []


def test_plain_http_to_the_public_internet_is_refused() -> None:
    with pytest.raises(WebhookRefused):
        sender().check("http://9.9.9.9/hook")
    sender().check("https://9.9.9.9/hook")


def test_host_without_address_is_refused_at_registration() -> None:
    with pytest.raises(WebhookRefused):
        sender().check("https://nowhere.invalid/hook")
    assert sender().send("https://nowhere.invalid/hook", HEADERS, b"{}") == "no_address"


def test_nobody_listening_is_told_from_a_late_answer() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert sender().send(f"http://127.0.0.1:{port}/", HEADERS, b"{}") == "connect"


def test_endpoint_that_answers_a_byte_at_a_time_is_left_after_the_time_of_one_try() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nX: ") as port:
        began = time.monotonic()
        assert sender(seconds=0.6).send(f"http://127.0.0.1:{port}/", HEADERS, b"{}") == "timeout"
        assert time.monotonic() - began < 2


def test_certificate_is_checked_for_the_hosts_name(tmp_path: Path) -> None:
    server, certificate = self_signed(tmp_path, "localhost")
    trusting = ssl.create_default_context(cafile=certificate)
    with receiving(tls=server) as receiver:
        assert sender(tls=trusting).send(receiver.url, HEADERS, b"{}") is None
        other = receiver.url.replace("localhost", "127.0.0.1")
        assert sender(tls=trusting).send(other, HEADERS, b"{}") == "tls"
        assert sender().send(receiver.url, HEADERS, b"{}") == "tls"
    assert len(receiver.got) == 1

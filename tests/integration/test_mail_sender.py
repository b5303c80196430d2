"""Mail handed to real servers: when it is in clear, whose fault a refusal is, how long a try may take."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.mail.smtp import Login, Security, Server, SmtpSender
from backend.adapters.process import free_port
from backend.notices.types import Failure, Fault
from tests.support.certificates import self_signed
from tests.support.dripping import dripping
from tests.support.mail_server import MailServer, mail_server, only_for, starttls

FROM, TO = "notices@custodian.test", "patient@mail.test"
CONTENT = b"Subject: x\r\n\r\n.a line that begins with a dot\r\nand one more\r\n"


def sender(
    port: int, security: Security = Security.NONE, *, host: str = "localhost", **options: Any
) -> SmtpSender:
    return SmtpSender(
        Server(host, port, security), sender=FROM, **{"step_seconds": 3, "total_seconds": 6, **options}
    )


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and a client's that trusts it."""
    context, certificate = self_signed(tmp_path, "localhost")
    return context, ssl.create_default_context(cafile=certificate)


def test_mail_arrives_as_it_was_written(server: MailServer) -> None:
    assert sender(server.port).send(TO, CONTENT) is None
    (mail,) = server.got
    assert (mail.sender, mail.to, mail.content) == (FROM, TO, CONTENT)


def test_starttls_with_a_certificate_that_is_trusted(
    certified: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    context, trusting = certified
    with mail_server(**starttls(context)) as server:
        assert sender(server.port, Security.STARTTLS, tls=trusting).send(TO, CONTENT) is None
        assert [mail.secured for mail in server.got] == [True]


def test_starttls_with_a_certificate_of_nobody_or_of_another_name_sends_nothing(
    certified: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    context, trusting = certified
    with mail_server(**starttls(context)) as server:
        untrusted = sender(server.port, Security.STARTTLS)
        other_name = sender(server.port, Security.STARTTLS, tls=trusting, host="127.0.0.1")
        for each in (untrusted, other_name):
            assert each.send(TO, CONTENT) == Failure("tls", Fault.EVERYONE)
        assert server.got == []


def test_server_that_offers_no_starttls_gets_nothing(server: MailServer) -> None:
    """Whoever stands between could take the offer away."""
    refused = sender(server.port, Security.STARTTLS).send(TO, CONTENT)
    assert refused == Failure("not_offered", Fault.EVERYONE)
    assert server.got == []


def test_tls_from_the_first_byte(certified: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    context, trusting = certified
    port = free_port()
    server = MailServer(port)
    with _tls_front(context, port) as front:
        server.start()
        try:
            assert sender(front, Security.TLS, tls=trusting).send(TO, CONTENT) is None
            assert sender(front, Security.TLS).send(TO, CONTENT) == Failure("tls", Fault.EVERYONE)
        finally:
            server.stop()
    assert len(server.got) == 1


def test_login_is_sent_over_tls_and_a_wrong_one_stops_all(
    certified: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    context, trusting = certified
    options = starttls(context, auth_required=True, authenticator=only_for("assent", "right"))
    with mail_server(**options) as server:

        def send(login: Login | None) -> Failure | None:
            return sender(server.port, Security.STARTTLS, tls=trusting, login=login).send(TO, CONTENT)

        assert send(Login("assent", "right")) is None
        assert send(Login("assent", "wrong")) == Failure("login", Fault.EVERYONE)
        refused = send(None)
        assert refused is not None
        assert refused.fault is Fault.EVERYONE
        assert [mail.user for mail in server.got] == ["assent"]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("450 4.2.0 busy", Failure("status_450", Fault.RECEIVER)),
        ("550 5.1.1 no such user", Failure("no_mailbox", Fault.RECEIVER, for_good=True)),
        ("553 no such user", Failure("no_mailbox", Fault.RECEIVER, for_good=True)),
        ("554 5.7.1 relaying denied", Failure("status_554", Fault.RECEIVER)),
        ("530 5.7.0 authenticate first", Failure("status_530", Fault.EVERYONE)),
        ("421 4.3.2 closing", Failure("status_421", Fault.EVERYONE)),
    ],
)
def test_refusal_of_a_receiver_is_for_good_only_where_it_speaks_of_the_mailbox(
    server: MailServer, answer: str, failure: Failure
) -> None:
    server.on_receiver = lambda _: answer
    assert sender(server.port).send(TO, CONTENT) == failure
    assert server.got == []


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("451 4.3.0 later", Failure("status_451", Fault.RECEIVER)),
        ("550 5.1.1 no such user", Failure("no_mailbox", Fault.RECEIVER, for_good=True)),
        ("554 5.6.0 unwanted", Failure("content_refused", Fault.MESSAGE, for_good=True)),
    ],
)
def test_refusal_of_a_mail_is_the_mails_fault_unless_it_speaks_of_the_mailbox(
    server: MailServer, answer: str, failure: Failure
) -> None:
    server.on_mail = lambda _: answer
    assert sender(server.port).send(TO, CONTENT) == failure


def test_nobody_listening_stops_all() -> None:
    assert sender(free_port()).send(TO, CONTENT) == Failure("connect", Fault.EVERYONE)


def test_server_that_says_nothing_is_left_after_the_time_of_a_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        refused = sender(port, step_seconds=0.3).send(TO, CONTENT)
        assert refused == Failure("timeout", Fault.EVERYONE)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("greeting", [b"220-", b"220 mx.test\r\n250-"])
def test_server_that_answers_a_byte_at_a_time_is_left_after_the_time_of_a_try(greeting: bytes) -> None:
    with dripping(greeting) as port:
        began = time.monotonic()
        refused = sender(port, total_seconds=0.6).send(TO, CONTENT)
        assert refused is not None
        assert refused.fault is Fault.EVERYONE
        assert time.monotonic() - began < 2


def test_server_that_speaks_another_protocol_stops_all() -> None:
    with dripping(b"HTTP/1.1 400 Bad Request\r\n\r\n", endless=False) as port:
        refused = sender(port).send(TO, CONTENT)
    assert refused is not None
    assert refused.fault is Fault.EVERYONE


@contextmanager
def _tls_front(context: ssl.SSLContext, behind: int) -> Iterator[int]:
    """A port where TLS ends, before a server that speaks none: the library's own lets clients wait."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                secured = context.wrap_socket(connection, server_side=True)
            except (ssl.SSLError, OSError):
                connection.close()
                continue
            with secured, socket.create_connection(("127.0.0.1", behind)) as inner:
                back = threading.Thread(target=pump, args=(inner, secured), daemon=True)
                back.start()
                pump(secured, inner)
                back.join(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)

"""A real mail server on a free port of 127.0.0.1, that keeps what it gets and answers as told."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from backend.adapters.process import free_port

TAKEN = "250 2.0.0 taken"


@dataclass
class Mail:
    """As it arrived."""

    sender: str
    to: str
    content: bytes
    secured: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """``on_receiver``: address -> answer to RCPT; ``on_mail``: number of the mail, from 0 -> answer to it."""

    port: int
    got: list[Mail] = field(default_factory=list)
    on_receiver: Callable[[str], str] = lambda _: TAKEN
    on_mail: Callable[[int], str] = lambda _: TAKEN
    options: dict[str, Any] = field(default_factory=dict)
    _controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, server_hostname="mx.test", **self.options
        )
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.got if mail.to == address]

    def wait(self, address: str, number: int = 1, *, seconds: float = 60) -> list[Mail]:
        """Return the mails to an address once there are so many."""
        deadline = time.monotonic() + seconds
        while len(self.to(address)) < number:
            assert time.monotonic() < deadline, [(mail.to, str(mail.message["Subject"])) for mail in self.got]
            time.sleep(0.02)
        return self.to(address)

    # What the library calls; names and parameters are its.
    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, options: list[str]) -> str:
        answer = self.on_receiver(address)
        if answer == TAKEN:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, _: Any, session: Any, envelope: Any) -> str:
        number = len(self.got)
        self.got += [
            Mail(
                sender=envelope.mail_from,
                to=receiver,
                content=envelope.content,
                secured=session.ssl is not None,
                user=session.auth_data.login.decode() if session.auth_data else None,
            )
            for receiver in envelope.rcpt_tos
        ]
        return await asyncio.get_running_loop().run_in_executor(None, self.on_mail, number)


def only_for(user: str, password: str) -> Callable[..., AuthResult]:
    """Take one user's password, in the form that the library wants."""

    def check(_: Any, __: Any, ___: Any, ____: str, given: LoginPassword) -> AuthResult:
        right = (given.login, given.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False, auth_data=given)

    return check


@contextmanager
def mail_server(*, port: int | None = None, **options: Any) -> Iterator[MailServer]:
    """Serve until the block ends; ``options`` are the library's, such as ``tls_context`` for STARTTLS."""
    server = MailServer(port or free_port(), options=options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def starttls(context: ssl.SSLContext, **more: Any) -> dict[str, Any]:
    """Options of a server that speaks no mail before STARTTLS."""
    return {"tls_context": context, "require_starttls": True, **more}

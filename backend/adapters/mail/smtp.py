"""Hands mail to a server by SMTP (RFC 5321): over TLS from the first byte or after STARTTLS, never without.

One connection a mail. Whatever the server does, a try ends within ``total_seconds``: a watchdog sees to it.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Timer
from typing import Any, Final

from backend.notices.mail_addresses import domain_of
from backend.notices.types import Failure, Fault

STEP_SECONDS: Final = 10.0  # for each answer of the server
TOTAL_SECONDS: Final = 30.0  # of one try, all of it
_SERVICE_CLOSING: Final = 421
_MAILBOX_CODES: Final = range(550, 557)
_ABOUT_ADDRESSES: Final = (b"5.1.", b"5.2.")  # RFC 3463
_ABOUT_POLICY: Final = b"5.7."  # such as "relaying denied": our server's fault, or its opinion of us


class Security(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"  # to this machine itself


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Server:
    host: str
    port: int
    security: Security


class SmtpSender:
    """Implements ``backend.notices.ports.MailSender``. ``sender``: the address that bounces go to."""

    def __init__(
        self,
        server: Server,
        *,
        sender: str,
        login: Login | None = None,
        tls: ssl.SSLContext | None = None,
        step_seconds: float = STEP_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._login = login
        self._tls = tls or ssl.create_default_context()
        self._step_seconds = step_seconds
        self._total_seconds = total_seconds

    def send(self, address: str, content: bytes) -> Failure | None:
        try:
            with self._connected() as smtp:
                return self._hand_over(smtp, address, content)
        except smtplib.SMTPAuthenticationError:
            return _shut("login")
        except smtplib.SMTPNotSupportedError:
            return _shut("not_offered")  # STARTTLS or a way to sign in
        except ssl.SSLError:
            return _shut("tls")
        except TimeoutError:
            return _shut("timeout")
        except smtplib.SMTPConnectError as failure:
            return _shut(f"status_{failure.smtp_code}")
        except smtplib.SMTPServerDisconnected as failure:
            return _shut("timeout" if isinstance(failure.__context__, TimeoutError) else "broken_off")
        except (smtplib.SMTPException, ValueError):  # no SMTP, or no text
            return _shut("broken_answer")
        except OSError:
            return _shut("connect")

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """Give a connection that may send. Ending it well is no condition of having sent."""
        smtp = self._connect(domain_of(self._sender))
        try:
            if self._server.security is Security.STARTTLS:
                smtp.starttls(context=self._tls)
            if self._login is not None:
                smtp.login(self._login.user, self._login.password)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        finally:
            smtp.close()

    def _connect(self, own_name: str) -> smtplib.SMTP:
        server, step, total = self._server, self._step_seconds, self._total_seconds
        if server.security is Security.TLS:
            return _WatchedTls(total, server.host, server.port, own_name, timeout=step, context=self._tls)
        return _Watched(total, server.host, server.port, own_name, timeout=step)

    def _hand_over(self, smtp: smtplib.SMTP, address: str, content: bytes) -> Failure | None:
        smtp.ehlo_or_helo_if_needed()
        code, _ = smtp.mail(self._sender)
        if code != 250:
            return _shut("sender_refused")
        code, text = smtp.rcpt(address)
        if code not in (250, 251):
            return refusal_of_receiver(code, text)
        code, text = smtp.data(content)
        return None if code == 250 else refusal_of_content(code, text)


def refusal_of_receiver(code: int, text: bytes) -> Failure:
    """Judge the answer to RCPT TO. Only what speaks of the mailbox itself is for good."""
    if code in _MAILBOX_CODES and not text.startswith(_ABOUT_POLICY):
        return Failure("no_mailbox", Fault.RECEIVER, for_good=True)
    fault = Fault.EVERYONE if code == _SERVICE_CLOSING or 500 <= code < 550 else Fault.RECEIVER
    return Failure(f"status_{code}", fault)


def refusal_of_content(code: int, text: bytes) -> Failure:
    """Judge the answer to DATA or to the mail itself."""
    if 500 <= code < 600:
        if text.startswith(_ABOUT_ADDRESSES):
            return Failure("no_mailbox", Fault.RECEIVER, for_good=True)
        return Failure("content_refused", Fault.MESSAGE, for_good=True)
    return Failure(f"status_{code}", Fault.EVERYONE if code == _SERVICE_CLOSING else Fault.RECEIVER)


def _shut(word: str) -> Failure:
    return Failure(word, Fault.EVERYONE)


class _Watched(smtplib.SMTP):
    """Shuts its connection after so many seconds: an answer of a byte a second is no way to hold a thread."""

    def __init__(self, total_seconds: float, *arguments: Any, **options: Any) -> None:
        self._watchdog = Timer(total_seconds, self._shut)
        self._watchdog.daemon = True
        self._watchdog.start()
        try:
            super().__init__(*arguments, **options)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._watchdog.cancel()
        super().close()

    def _shut(self) -> None:
        connection = getattr(self, "sock", None)
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _WatchedTls(_Watched, smtplib.SMTP_SSL):
    pass

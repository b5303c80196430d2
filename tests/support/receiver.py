"""A hospital's end of a webhook: a real HTTP server that keeps what it gets and answers as told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    url: str
    got: list[Got] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _: 204  # number of the call, from 0 -> status

    def of(self, topic: str, subject: str | None = None) -> list[Got]:
        """Return the messages of a topic; with a subject, only those about that patient."""
        found = [each for each in self.got if each.json["type"] == topic]
        return [each for each in found if subject in (None, each.json["data"].get("subject"))]

    def wait(
        self, topic: str, number: int = 1, *, subject: str | None = None, seconds: float = 60
    ) -> list[Got]:
        """Return the messages of a topic once there are so many.

        A custodian's own system is told of all its patients, of what happened to others just
        before it registered, too: a test of one patient names them.
        """
        deadline = time.monotonic() + seconds
        while len(self.of(topic, subject)) < number:
            assert time.monotonic() < deadline, (topic, [each.json["type"] for each in self.got])
            time.sleep(0.02)
        return self.of(topic, subject)


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether a message is signed with the secret, from the specification alone and not our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    given = [each.split(",", 1) for each in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(value, expected) for version, value in given)


@contextmanager
def receiving(*, tls: ssl.SSLContext | None = None, host: str = "localhost") -> Iterator[Receiver]:
    """Serve on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.answer(len(receiver.got))
            receiver.got.append(Got({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", receiver.url + "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    receiver = Receiver(f"{scheme}://{host}:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""The way to an identity provider over HTTP: bounded in time and size, and not believed blindly."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from backend.adapters.openid_link import AT_ONCE, MAX_BYTES, HttpProviderLink
from backend.identity.openid.errors import OpenIdCodeRefused, OpenIdProviderUnavailable

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """One answer for every request; ``seen``: what came."""

    def __init__(self) -> None:
        self.answer: Answer = answering(200, {"issuer": "x"})
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.seen.append((f"{self.command} {self.path}", dict(self.headers), body))
                outer.answer(self)

            do_POST = do_GET  # noqa: N815 - the name is the library's

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answering(status: int, body: object, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def link() -> Iterator[HttpProviderLink]:
    found = HttpProviderLink(client_id="assent pages", client_secret="s:e c+ret", total_seconds=1.0)
    yield found
    found.close()


def redeem(link: HttpProviderLink, server: Server) -> str:
    return link.redeem(
        f"{server.url}/token", code="c", verifier="v", redirect_uri="https://x.example/app/openid"
    )


def test_document_is_read(link: HttpProviderLink, server: Server) -> None:
    assert link.document(f"{server.url}/d") == {"issuer": "x"}


@pytest.mark.parametrize(
    "answer",
    [
        answering(404, {}),
        answering(500, {}),
        answering(302, {}, Location="http://169.254.169.254/"),
        answering(200, []),
        answering(200, b"<html>"),
        answering(200, b"\xff\xfe"),
        answering(200, b"[" * 200_000),
        answering(200, b'{"a": "' + b"x" * MAX_BYTES + b'"}'),
        answering(200, b"\x1f\x8b\x08", Content_Encoding="gzip"),
    ],
    ids=["404", "500", "redirect", "list", "html", "bytes", "deep", "large", "packed"],
)
def test_answer_that_is_no_document_is_an_outage(
    link: HttpProviderLink, server: Server, answer: Answer
) -> None:
    server.answer = answer
    with pytest.raises(OpenIdProviderUnavailable):
        link.document(f"{server.url}/d")
    assert len(server.seen) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/d", "nonsense", "ftp://127.0.0.1/d", "http://[::1/d"])
def test_address_nobody_answers_at_is_an_outage(link: HttpProviderLink, url: str) -> None:
    with pytest.raises(OpenIdProviderUnavailable):
        link.document(url)


def test_answer_that_drips_is_given_up(link: HttpProviderLink, server: Server) -> None:
    stopped = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(200):
            try:
                request.wfile.write(b" ")
                request.wfile.flush()
            except OSError:
                break
            time.sleep(0.05)
        stopped.set()

    server.answer = drip
    with pytest.raises(OpenIdProviderUnavailable):
        link.document(f"{server.url}/d")
    assert stopped.wait(20), "the connection was let go of"


def test_code_is_exchanged_with_the_secret_and_the_verifier(link: HttpProviderLink, server: Server) -> None:
    server.answer = answering(200, {"id_token": "a.b.c", "access_token": "not ours"})
    assert redeem(link, server) == "a.b.c"
    ((line, headers, body),) = server.seen
    assert line == "POST /token"
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"assent+pages:s%3Ae+c%2Bret"
    assert parse_qs(body.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["c"],
        "code_verifier": ["v"],
        "redirect_uri": ["https://x.example/app/openid"],
    }


def test_public_client_names_itself_and_sends_no_secret(server: Server) -> None:
    link = HttpProviderLink(client_id="assent pages", client_secret=None)
    server.answer = answering(200, {"id_token": "a.b.c"})
    assert redeem(link, server) == "a.b.c"
    link.close()
    ((_, headers, body),) = server.seen
    assert "Authorization" not in headers
    assert parse_qs(body.decode())["client_id"] == ["assent pages"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_code_that_the_provider_refuses_is_told_apart(
    link: HttpProviderLink, server: Server, status: int
) -> None:
    server.answer = answering(status, {"error": "invalid_grant"})
    with pytest.raises(OpenIdCodeRefused):
        redeem(link, server)


@pytest.mark.parametrize("body", [{}, {"id_token": 7}, []], ids=str)
def test_answer_without_an_id_token_is_an_outage(
    link: HttpProviderLink, server: Server, body: object
) -> None:
    server.answer = answering(200, body)
    with pytest.raises(OpenIdProviderUnavailable):
        redeem(link, server)


def test_provider_that_hangs_holds_few_threads(server: Server) -> None:
    link = HttpProviderLink(client_id="c", client_secret=None)
    goes_on = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        goes_on.wait(30)
        answering(200, {})(request)

    server.answer = hang
    threads = [threading.Thread(target=link.document, args=(f"{server.url}/d",)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(server.seen) < AT_ONCE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(OpenIdProviderUnavailable):
        link.document(f"{server.url}/d")
    assert len(server.seen) == AT_ONCE, "the one too many was not sent"
    goes_on.set()
    for thread in threads:
        thread.join(20)
    link.close()

"""The pages over HTTP: what is served of a build, with which headers, and what is not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest
from starlette.types import Message

from backend.api.app import create_api, create_app
from backend.api.services import Services

INDEX = b"<!doctype html><title>Assent</title><div id=root></div>"
SCRIPT = b"export const x = 1;\n" * 50
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Answer:
    """``content`` as it was sent, still compressed."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found


class Browser:
    """Asks the application itself: no socket, and no client that corrects a path first."""

    def __init__(self, pages: Path | None) -> None:
        self._app = create_app(
            cast(Services, None), max_body_bytes=1024, max_attachment_bytes=1024, pages=pages
        )

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        """Header names with underscores."""
        sent: list[Message] = []
        asked: list[bool] = []

        async def receive() -> Message:
            if not asked:
                asked.append(True)
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()  # nobody hangs up
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()],
        }
        asyncio.run(self._app(scope, receive, send))
        return Answer(
            sent[0]["status"],
            {name.decode(): text.decode() for name, text in sent[0]["headers"]},
            b"".join(message.get("body", b"") for message in sent[1:]),
        )


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build as Vite leaves it, with files beside it that nobody may see."""
    tmp_path = tmp_path_factory.mktemp("web")
    (tmp_path / "secret.js").write_text("outside")
    dist = tmp_path / "dist"
    (dist / "assets" / "deep").mkdir(parents=True)
    (dist / "index.html").write_bytes(INDEX)
    (dist / "secret.js").write_text("beside the assets")
    (dist / "favicon.svg").write_text("<svg/>")
    files = {
        "index-a1.js": SCRIPT,
        "index-a1.js.br": b"brotli",
        "index-a1.js.gz": b"gzip",
        "index-b2.css": b"a{}",
        "font-c3.woff2": b"wOF2",
        "logo-d4.svg": b"<svg/>",
        "page.html": b"<script>1</script>",
        "deep/x.js": b"deep",
    }
    for name, content in files.items():
        (dist / "assets" / name).write_bytes(content)
    (dist / "assets" / "link.js").symlink_to(tmp_path / "secret.js")
    return dist


@pytest.fixture(scope="module")
def http(build: Path) -> Browser:
    return Browser(build)


def test_root_sends_to_the_pages(http: Browser) -> None:
    answer = http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/app/")


@pytest.mark.parametrize("path", ["/app", "/app/", "/app/requests/0x12", "/app/../app/x", "/app/a%2Fb%00"])
def test_every_page_is_the_one_document(http: Browser, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.content) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


def test_document_is_sent_again_only_when_it_changed(http: Browser, build: Path) -> None:
    tag = http.get("/app/").headers["etag"]
    same = http.get("/app/x", if_none_match=tag)
    assert (same.status_code, same.content, same.headers["cache-control"]) == (304, b"", "no-cache")
    (build / "index.html").write_bytes(b"new")
    try:
        assert http.get("/app/", if_none_match=tag).content == b"new"
    finally:
        (build / "index.html").write_bytes(INDEX)


@pytest.mark.parametrize(
    ("file", "media_type"),
    [
        ("index-a1.js", "text/javascript; charset=utf-8"),
        ("index-b2.css", "text/css; charset=utf-8"),
        ("font-c3.woff2", "font/woff2"),
        ("logo-d4.svg", "image/svg+xml"),
    ],
)
def test_asset_is_kept_for_good_under_its_media_type(
    http: Browser, build: Path, file: str, media_type: str
) -> None:
    answer = http.get(f"/assets/{file}", accept_encoding="identity")
    assert answer.content == (build / "assets" / file).read_bytes()
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == FOREVER
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("accepts", "coding", "content"),
    [
        ("gzip, br", "br", b"brotli"),
        ("gzip", "gzip", b"gzip"),
        ("br;q=0, gzip", "gzip", b"gzip"),
        ("identity", None, SCRIPT),
    ],
)
def test_asset_comes_compressed_to_who_takes_it(
    http: Browser, accepts: str, coding: str | None, content: bytes
) -> None:
    answer = http.get("/assets/index-a1.js", accept_encoding=accepts)
    assert answer.content == content
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["content-length"] == str(len(content))


def test_asset_without_a_compressed_copy_comes_as_it_is(http: Browser) -> None:
    answer = http.get("/assets/index-b2.css", accept_encoding="br, gzip")
    assert (answer.content, "content-encoding" in answer.headers) == (b"a{}", False)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/..%2Fsecret.js",
        "/assets/%2e%2e/secret.js",
        "/assets/..",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.js",
        "/assets/..%5Csecret.js",
        "/assets/index-a1.js%00",
        "/assets/deep/x.js",
        "/assets/deep",
        "/assets/link.js",
        "/assets/index-a1.js.br",
        "/assets/page.html",
        "/assets/absent.js",
        "/assets/.hidden.js",
        "/assets/" + "a" * 300 + ".js",
        "/assets/",
        "/index.html",
        "/secret.js",
    ],
)
def test_nothing_but_files_of_the_build_is_served(http: Browser, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_favicon_is_served_and_asked_for_again(http: Browser) -> None:
    answer = http.get("/favicon.svg")
    assert (answer.content, answer.headers["content-type"]) == (b"<svg/>", "image/svg+xml")
    assert answer.headers["cache-control"] == "no-cache"


def test_head_has_the_headers_and_no_body(http: Browser) -> None:
    for path in ("/app/", "/assets/index-b2.css", "/favicon.svg"):
        asked, got = http.ask("HEAD", path), http.get(path)
        assert (asked.status_code, asked.content) == (200, b"")
        for name in ("content-length", "content-type", "cache-control", "content-security-policy"):
            assert asked.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    "path", ["/", "/app", "/app/x", "/assets/index-a1.js", "/assets/absent.js", "/favicon.svg"]
)
def test_pages_have_their_own_policy(http: Browser, path: str) -> None:
    headers = http.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    permissions = headers["permissions-policy"].split(", ")
    assert {"publickey-credentials-get=(self)", "publickey-credentials-create=(self)"} <= set(permissions)
    assert {"camera=()", "microphone=()", "geolocation=()", "payment=()"} <= set(permissions)
    assert [name for name in headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("path", ["/application", "/v1/tables2", "/assets2/index-a1.js", "//app/"])
def test_nothing_else_has_the_policy_of_the_pages(http: Browser, path: str) -> None:
    headers = http.get(path).headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "permissions-policy" not in headers


def test_pages_that_were_not_built_say_how_to(tmp_path: Path) -> None:
    for directory in (None, tmp_path / "absent"):
        browser = Browser(directory)
        for path in ("/app", "/app/", "/app/records", "/assets/index-a1.js", "/favicon.svg"):
            problem = browser.get(path).json()
            assert (problem["status"], problem["code"]) == (404, "pages_not_built")
            assert "make pages" in problem["remedy"]


def test_pages_are_not_in_the_description_of_the_api(build: Path) -> None:
    paths = create_api(cast(Services, None), build).openapi()["paths"]
    assert [path for path in paths if path == "/" or path.startswith(("/app", "/assets", "/favicon"))] == []

"""The pages behind the real server: beside the API, and no way out of their directory."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from backend.api.app import create_app
from backend.main import bind
from tests.integration.api.world import MAX_BODY_BYTES, Service, serving

INDEX = b"<!doctype html><title>Assent</title>"


@pytest.fixture(scope="module")
def http(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The same world with pages."""
    dist = tmp_path_factory.mktemp("web") / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_bytes(INDEX)
    (dist / "secret.js").write_text("beside the assets")
    (dist / "assets" / "index-a1.js").write_text("1;")
    (dist / "assets" / "index-a1.js.gz").write_bytes(b"compressed")
    listener = bind("127.0.0.1", 0)
    app = create_app(
        service.world.services,
        max_body_bytes=MAX_BODY_BYTES,
        max_attachment_bytes=MAX_BODY_BYTES,
        pages=dist,
    )
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with serving(app, listener), httpx.Client(base_url=url, timeout=60) as client:
        yield client


def raw_get(http: httpx.Client, target: bytes) -> bytes:
    """Ask for exactly this target, which no client corrects."""
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=20) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_visitor_gets_from_the_root_to_the_document(http: httpx.Client) -> None:
    answer = http.get("/", follow_redirects=True)
    assert (answer.url.path, answer.content) == ("/app/", INDEX)
    assert http.head("/app/records").headers["content-length"] == str(len(INDEX))


def test_asset_is_compressed_for_who_takes_it(http: httpx.Client) -> None:
    with http.stream("GET", "/assets/index-a1.js", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert b"".join(answer.iter_raw()) == b"compressed"
    assert http.get("/assets/index-a1.js", headers={"Accept-Encoding": "identity"}).text == "1;"


@pytest.mark.parametrize(
    "target",
    [b"/assets/../secret.js", b"/assets/..%2fsecret.js", b"/assets/%2e%2e/secret.js", b"/assets//secret.js"],
)
def test_no_target_leaves_the_directory_of_the_assets(http: httpx.Client, target: bytes) -> None:
    answer = raw_get(http, target)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"beside the assets" not in answer


def test_api_beside_the_pages_answers_as_ever(service: Service, http: httpx.Client) -> None:
    for path in ("/v1/ledger", "/v1/tables"):
        with_pages, without = http.get(path), service.http.get(path)
        assert with_pages.json() == without.json()
        name = "content-security-policy"
        assert with_pages.headers[name] == without.headers[name]

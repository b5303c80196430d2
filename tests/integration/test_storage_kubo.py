"""What only the Kubo adapter can get wrong: versions, a node that is away, and how the node is run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from backend.adapters.process import free_port
from backend.adapters.storage.kubo import KuboBlockStore
from backend.adapters.storage.kubo_node import KuboNode, NodeFailed
from backend.records.blobs import load_blob, store_blobs
from backend.records.blocks import raw_cid
from backend.records.storage_ports import (
    BlockCorrupt,
    NodeVersionRefused,
    StorageFull,
    StorageUnavailable,
)

KUBO_BINARY = Path(__file__).resolve().parents[2] / ".build" / "kubo" / "ipfs"
KUBO_HINT = "no Kubo binary; build it with: .venv/bin/python scripts/kubo/run.py build"


class Pretender(BaseHTTPRequestHandler):
    """Answers every call with what the test put into ``answer``."""

    answer: tuple[int, bytes] = (200, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = type(self).answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        return


@pytest.fixture
def pretender() -> Iterator[KuboBlockStore]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pretender)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    store = KuboBlockStore(f"/ip4/127.0.0.1/tcp/{server.server_address[1]}", timeout_seconds=5.0)
    yield store
    store.close()
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


def answer(status: int, body: object) -> None:
    Pretender.answer = (status, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize("version", ["0.37.0", "0.4.23", "1.0.0", "nonsense", ""])
def test_node_of_a_version_never_tried_is_refused(pretender: KuboBlockStore, version: str) -> None:
    answer(200, {"Version": version})
    with pytest.raises(NodeVersionRefused) as caught:
        pretender.check()
    assert caught.value.code == "kubo_version"


@pytest.mark.parametrize("version", ["0.38.0", "0.42.0", "0.99.1-dev"])
def test_node_of_a_known_version_is_accepted(pretender: KuboBlockStore, version: str) -> None:
    answer(200, {"Version": version})
    pretender.check()


def test_node_that_answers_with_other_bytes_is_corrupt(pretender: KuboBlockStore) -> None:
    answer(200, b"other bytes")
    with pytest.raises(BlockCorrupt):
        pretender.get_block(raw_cid(b"the bytes"))


def test_node_that_names_a_block_otherwise_is_corrupt(pretender: KuboBlockStore) -> None:
    answer(200, {"Key": raw_cid(b"other"), "Size": 3})
    with pytest.raises(BlockCorrupt):
        pretender.put_block(raw_cid(b"one"), b"one")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, {"Message": "write: no space left on device", "Code": 0, "Type": "error"}, StorageFull),
        (500, {"Message": "something else", "Code": 0, "Type": "error"}, StorageUnavailable),
        (403, b"forbidden", StorageUnavailable),
        (200, b"not json {", StorageUnavailable),
        (200, {}, StorageUnavailable),
        (200, [], StorageUnavailable),
    ],
)
def test_node_error_is_named_and_no_driver_error_leaves(
    pretender: KuboBlockStore, status: int, body: object, expected: type[Exception]
) -> None:
    answer(status, body)
    with pytest.raises(expected) as caught:
        pretender.put_block(raw_cid(b"one"), b"one")
    assert type(caught.value) is expected


def test_collection_that_reports_an_error_is_not_a_success(pretender: KuboBlockStore) -> None:
    answer(200, {"Key": {"/": raw_cid(b"x")}, "Error": "could not remove"})
    with pytest.raises(StorageUnavailable):
        pretender.collect_garbage()


def test_node_that_is_away_is_unavailable() -> None:
    store = KuboBlockStore(f"/ip4/127.0.0.1/tcp/{free_port()}", timeout_seconds=2.0)
    with pytest.raises(StorageUnavailable):
        store.check()
    with pytest.raises(StorageUnavailable):
        store.has(raw_cid(b"x"))
    store.close()


def test_node_without_a_binary_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(NodeFailed) as caught:
        KuboNode(tmp_path / "ipfs", tmp_path / "repository").start()
    assert "scripts/kubo/run.py build" in caught.value.remedy


@pytest.mark.kubo
@pytest.mark.skipif(not KUBO_BINARY.is_file() and os.environ.get("CI") != "true", reason=KUBO_HINT)
def test_node_that_was_killed_has_every_blob_after_its_restart(tmp_path: Path) -> None:
    node = KuboNode(KUBO_BINARY, tmp_path / "repository")
    node.start()
    store = KuboBlockStore(node.address)
    blob = os.urandom(1_500_000)
    (address,) = store_blobs(store, [[blob]])
    store.close()
    assert node.pid is not None
    os.kill(node.pid, 9)
    node.stop()
    node.start()
    store = KuboBlockStore(node.address)
    assert list(store.pins()) == [address.root]
    assert b"".join(load_blob(store, address)) == blob
    config = json.loads((tmp_path / "repository" / "config").read_bytes())
    assert config["Addresses"]["Swarm"] == config["Bootstrap"] == []
    assert node.address.startswith("/ip4/127.0.0.1/tcp/")
    store.close()
    node.stop()

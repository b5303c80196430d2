"""A proxy before a real node that hangs, drops answers, lies about the head or names another chain."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import requests

_UPSTREAM_SECONDS = 30
_LONGEST_HANG_SECONDS = 60


class Fault(Enum):
    NONE = "none"
    HANGS = "takes requests and does not answer"
    DROPS_HALF = "does what it is asked, and answers half of the time"
    STUCK_HEAD = "shows the head of when it began, for ever"
    INVENTED_HEAD = "shows a head that is a thousand blocks further"
    OTHER_CHAIN = "says it serves another chain"
    NONSENSE = "answers with what is no JSON"
    TAKES_NOTHING = "answers questions, and takes no transaction"
    OLD_STATE = "shows the newest blocks, and what contracts held when it began"
    FORKED = "shows other blocks than the network's from where it began"
    OTHER_CODE = "says that contracts have other code"


class FaultyRpc:
    """``url``: where to ask instead of the node. Without a fault it passes everything on."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session = requests.Session()
        self._session.trust_env = False
        self._fault = Fault.NONE
        self._released = threading.Event()
        self._random = Random(20)  # the same each time; by turns would fail the same call of each act
        self._lock = threading.Lock()
        self._kept_head: Any = None
        self._began = 0  # the head when the fault did
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = proxy.answer(asked)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                return  # who asked has gone

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @contextmanager
    def faulty(self, fault: Fault, *, since: int | None = None) -> Iterator[None]:
        """``since``: the block where it began; the newest one by default."""
        self._released.clear()
        self._kept_head = None
        self._began = self._height() if since is None else since
        self._fault = fault
        try:
            yield
        finally:
            self._fault = Fault.NONE
            self._released.set()

    def answer(self, asked: bytes) -> bytes | None:
        """Return what to answer, None to end the connection without an answer."""
        fault = self._fault
        if fault is Fault.HANGS:
            self._released.wait(_LONGEST_HANG_SECONDS)
            return None
        if fault is Fault.NONSENSE:
            return b"<html>bad gateway</html>"
        if fault is Fault.TAKES_NOTHING and b"eth_sendRawTransaction" in asked:
            return None
        if fault is Fault.OLD_STATE:
            asked = self._of_the_past(json.loads(asked))
        try:
            answered = self._session.post(
                self._upstream,
                data=asked,
                headers={"Content-Type": "application/json"},
                timeout=_UPSTREAM_SECONDS,
            ).content
        except requests.RequestException:
            return None
        if fault is Fault.DROPS_HALF:
            with self._lock:
                if self._random.random() < 0.5:
                    return None
        if fault in (Fault.NONE, Fault.DROPS_HALF, Fault.TAKES_NOTHING, Fault.OLD_STATE):
            return answered
        return self._altered(fault, json.loads(asked), json.loads(answered))

    def _altered(self, fault: Fault, asked: Any, answered: Any) -> bytes:
        pairs = list(zip(asked, answered, strict=True)) if isinstance(asked, list) else [(asked, answered)]
        for request, answer in pairs:
            if fault is Fault.OTHER_CHAIN and request["method"] == "eth_chainId":
                answer["result"] = "0x539"
            if fault is Fault.OTHER_CODE and request["method"] == "eth_getCode":
                answer["result"] = answer["result"][:-2] + "00"
            if fault is Fault.FORKED and request["method"] == "eth_getBlockByNumber" and answer["result"]:
                answer["result"] = self._forked(answer["result"])
            if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "latest":
                if fault is Fault.STUCK_HEAD:
                    with self._lock:
                        self._kept_head = self._kept_head or answer["result"]
                        answer["result"] = self._kept_head
                if fault is Fault.INVENTED_HEAD:
                    invented = hex(int(answer["result"]["number"], 16) + 1000)
                    answer["result"] = {**answer["result"], "number": invented, "hash": "0x" + "ab" * 32}
        return json.dumps(answered).encode()

    def _forked(self, block: dict[str, Any]) -> dict[str, Any]:
        """The block as another branch would have it."""
        apart = int(block["number"], 16) - self._began
        altered = dict(block)
        if apart > 0:
            altered["hash"] = "0xff" + block["hash"][4:]
        if apart > 1:
            altered["parentHash"] = "0xff" + block["parentHash"][4:]
        return altered

    def _of_the_past(self, asked: Any) -> bytes:
        for request in asked if isinstance(asked, list) else [asked]:
            if request["method"] == "eth_call" and str(request["params"][1]).startswith("0x"):
                request["params"][1] = hex(min(int(request["params"][1], 16), self._began))
        return json.dumps(asked).encode()

    def _height(self) -> int:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        told = self._session.post(self._upstream, json=asked, timeout=_UPSTREAM_SECONDS).json()
        return int(told["result"], 16)

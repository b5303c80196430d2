"""A log elsewhere, read over HTTP as C2SP tlog-tiles has it, and given cosignatures as our API takes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx

from backend.audit.errors import LogUnreachable
from backend.audit.merkle import HASH_BYTES
from backend.audit.tile_paths import Tile
from backend.audit.tiles import TILE_WIDTH

OUR_PREFIX: Final = "/v1/log"  # where a service of ours has its log
_SECONDS: Final = 20.0
_MAX_NOTE_BYTES: Final = 1_000_000


class LogOverHttp:
    """Implements ``backend.audit.witness.LogSource``. No redirect is followed; ``close`` it."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        """``url`` is the log's prefix; of a bare host it is that of a service of ours."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise LogUnreachable(f"{url} is no http(s) address")
        prefix = url.rstrip("/") + (OUR_PREFIX if parts.path in {"", "/"} else "")
        self._http = httpx.Client(base_url=prefix + "/", timeout=_SECONDS, transport=transport)

    def close(self) -> None:
        self._http.close()

    def checkpoint(self) -> str:
        try:
            return self._get("checkpoint", _MAX_NOTE_BYTES).decode()
        except UnicodeDecodeError as error:
            raise LogUnreachable("the checkpoint is no text") from error

    def tile(self, tile: Tile) -> bytes:
        return self._get(tile.path(), TILE_WIDTH * HASH_BYTES)

    def key_statements(self) -> Sequence[str]:
        try:
            return [str(key["statement"]) for key in json.loads(self._get("keys", _MAX_NOTE_BYTES))]
        except (ValueError, TypeError, KeyError) as error:
            raise LogUnreachable("the log's keys are malformed") from error

    def send(self, cosigned: str) -> None:
        try:
            answer = self._http.post("cosignatures", json={"checkpoint": cosigned})
        except httpx.HTTPError as error:
            raise LogUnreachable(f"cosignatures: {type(error).__name__}") from error
        if not answer.is_success:
            raise LogUnreachable(f"the log did not take the cosignature: {answer.status_code}")

    def _get(self, path: str, most: int) -> bytes:
        """Return a body of at most so many bytes."""
        body = b""
        try:
            with self._http.stream("GET", path, headers={"Accept": "text/plain, */*;q=0.1"}) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise LogUnreachable(f"{path}: {answer.status_code}")
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise LogUnreachable(f"{path}: longer than {most} bytes")
        except httpx.HTTPError as error:
            raise LogUnreachable(f"{path}: {type(error).__name__}") from error
        return body

"""Bodies of any size, taken piece by piece into a spool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from backend.errors import InvalidInput, TooLarge
from backend.records.spool import Scratch, Spool

STALL_SECONDS: Final = 60.0
_PIECE_BYTES: Final = 1 << 20


class UploadCut(InvalidInput):
    """The client went away, or sent nothing for a minute, before the body was complete."""

    code = "upload_cut"
    remedy = "Nothing was stored. Send the whole document again, with the same Idempotency-Key."


class Uploads:
    def __init__(self, *, scratch: Scratch, limit_bytes: int, stall_seconds: float = STALL_SECONDS) -> None:
        self._scratch = scratch
        self._limit_bytes = limit_bytes
        self._stall_seconds = stall_seconds

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[Spool]:
        """Give the complete body; whatever happens, nothing of it stays when the block ends.

        Raises TooLarge and StorageFull, before the first byte is asked for where the length is declared, and
        UploadCut.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdigit():
            if int(declared) > self._limit_bytes:
                raise TooLarge
            self._scratch.require_room(int(declared))
        with Spool(self._scratch, limit_bytes=self._limit_bytes) as spool:
            waiting: list[bytes] = []
            size = 0
            async for piece in self._pieces(request):
                waiting.append(piece)
                size += len(piece)
                if size >= _PIECE_BYTES:  # hashing, encrypting and the disk are not for the event loop
                    await run_in_threadpool(spool.add, b"".join(waiting))
                    waiting, size = [], 0
            await run_in_threadpool(_end, spool, b"".join(waiting))
            yield spool

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout(self._stall_seconds):
                    piece = await anext(stream)
            except StopAsyncIteration:
                return
            except (TimeoutError, ClientDisconnect) as failure:
                raise UploadCut from failure
            if piece:
                yield piece


def _end(spool: Spool, last: bytes) -> None:
    if last:
        spool.add(last)
    spool.finish()

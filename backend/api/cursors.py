"""Cursors for paging, bound to the caller and the listing they were given for.

A cursor holds a position, never a permission: each page is authorised again. The MAC stops a caller from
using a cursor of somebody else or from making one up.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from backend.errors import InvalidInput

_MAC_BYTES = 16


class CursorRefused(InvalidInput):
    code = "cursor_refused"
    remedy = "Start again without a cursor; a cursor works only for the caller and the listing that got it."


class Cursors:
    """Makes and reads cursors under one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, position: str, *, caller: str, listing: str) -> str:
        body = position.encode()
        return base64.urlsafe_b64encode(self._mac(body, caller, listing) + body).decode().rstrip("=")

    def read(self, cursor: str, *, caller: str, listing: str) -> str:
        """Return the position; raise CursorRefused for what this caller was not given for this listing."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(body, caller, listing)):
                raise CursorRefused
            return body.decode()
        except (binascii.Error, ValueError) as failure:
            raise CursorRefused from failure

    def _mac(self, body: bytes, caller: str, listing: str) -> bytes:
        message = b"\0".join((caller.encode(), listing.encode(), body))
        return hmac.digest(self._key, message, hashlib.sha256)[:_MAC_BYTES]

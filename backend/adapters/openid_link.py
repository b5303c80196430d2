"""An identity provider over HTTP: its documents, and codes exchanged for tokens."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus

import httpx

from backend.identity.openid.errors import OpenIdCodeRefused, OpenIdProviderUnavailable

CALL_SECONDS: Final = 5.0  # to connect, and between two pieces of an answer
TOTAL_SECONDS: Final = 10.0  # of one call, all of it
MAX_BYTES: Final = 512 * 1024
AT_ONCE: Final = 8  # calls, so that a provider that hangs leaves threads to everybody else
_WAIT_SECONDS: Final = 2.0


class HttpProviderLink:
    """Implements ``backend.identity.openid.ports.ProviderLink``; ``close`` it.

    ``client_secret``: None for a public client, which PKCE alone protects.
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str | None,
        tls: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._client_id = client_id
        self._secret = client_secret
        self._total_seconds = total_seconds
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._http = httpx.Client(
            timeout=CALL_SECONDS,
            follow_redirects=False,
            verify=tls or ssl.create_default_context(),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # a small answer could unpack to a large one
                "User-Agent": "assent",
            },
        )

    def close(self) -> None:
        self._http.close()

    def document(self, url: str) -> Mapping[str, Any]:
        status, body = self._call("GET", url)
        if status != httpx.codes.OK or body is None:
            raise OpenIdProviderUnavailable
        return body

    def redeem(self, endpoint: str, *, code: str, verifier: str, redirect_uri: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        proof = None
        if self._secret is None:
            form["client_id"] = self._client_id
        else:
            # Each is encoded as in a form before they are joined: RFC 6749, 2.3.1.
            proof = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(self._secret))
        status, body = self._call("POST", endpoint, data=form, auth=proof)
        if status in (400, 401, 403):
            raise OpenIdCodeRefused
        token = None if body is None else body.get("id_token")
        if status != httpx.codes.OK or not isinstance(token, str):
            raise OpenIdProviderUnavailable
        return token

    def _call(self, method: str, url: str, **options: Any) -> tuple[int, Mapping[str, Any] | None]:
        """Return the status and, where the body is a JSON object, the body."""
        if not self._slots.acquire(timeout=_WAIT_SECONDS):
            raise OpenIdProviderUnavailable
        try:
            return self._bounded(method, url, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            raise OpenIdProviderUnavailable from failure
        finally:
            self._slots.release()

    def _bounded(self, method: str, url: str, **options: Any) -> tuple[int, Mapping[str, Any] | None]:
        deadline = time.monotonic() + self._total_seconds
        body = b""
        with self._http.stream(method, url, **options) as answer:
            for piece in answer.iter_raw():
                body += piece
                if len(body) > MAX_BYTES or time.monotonic() > deadline:
                    raise OpenIdProviderUnavailable
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        return answer.status_code, found if isinstance(found, dict) else None

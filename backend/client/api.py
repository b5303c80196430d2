"""The routes of the service that deal in sealed content, over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from backend.client.end_to_end import Chain, Prepared, prepare
from backend.client.keys import PrivateKey
from backend.client.opening import OpenedSegment, open_segment
from backend.errors import AssentError
from backend.records.delivery import MEDIA_TYPE

_TIMEOUT_SECONDS = 60.0


class RequestRefused(AssentError):
    """The service answered with an error; ``problem`` is its problem document (RFC 9457)."""

    code = "request_refused"
    remedy = "See 'code' and 'detail' of the problem: they say what to do."

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem.get('code', status)}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem

    @classmethod
    def of(cls, answer: httpx.Response) -> RequestRefused:
        """Read the problem out of an answer that is none of success."""
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        return cls(answer.status_code, problem if isinstance(problem, dict) else {})


class AssentClient:
    """One signed-in caller. ``token`` is an access token; httpx errors pass."""

    def __init__(self, base_url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_SECONDS,
            transport=transport,
        )

    def read_segment(
        self, record: str, segment: str, key: PrivateKey, *, purpose: str, version: int | None = None
    ) -> OpenedSegment:
        """Read one segment sealed to ``key``. Raises RequestRefused, and as ``open_segment``."""
        query: dict[str, str | int] = {"purpose": purpose}
        if version is not None:
            query["version"] = version
        answer = checked(
            self._http.get(
                f"/v1/records/{record}/segments/{segment}", params=query, headers={"Accept": MEDIA_TYPE}
            )
        )
        return open_segment((answer.content,), key)

    def store_end_to_end(
        self,
        document: bytes,
        media_type: str,
        key: PrivateKey,
        *,
        subject: str,
        record: str,
        categories: Sequence[str],
        chain: Chain,
        sensitivities: Sequence[str] = (),
        version: int = 1,
    ) -> dict[str, Any]:
        """Encrypt a document here and store it. The same call again stores nothing twice where the same
        ``Prepared`` is sent: keep it for a retry, or choose a new record id."""
        labels = {"categories": list(categories), "sensitivities": list(sensitivities)}
        draft = self.draft(subject=subject, record=record, version=version, **labels)
        return self.send(prepare(document, media_type, draft, key, chain=chain), draft, media_type, **labels)

    def draft(
        self,
        *,
        subject: str,
        record: str,
        categories: Sequence[str],
        sensitivities: Sequence[str],
        version: int = 1,
    ) -> dict[str, Any]:
        """Ask for what the next encryption needs."""
        body = {
            "subject": subject,
            "record_id": record,
            "version": version,
            "categories": list(categories),
            "sensitivities": list(sensitivities),
        }
        found: dict[str, Any] = checked(self._http.post("/v1/end-to-end/drafts", json=body)).json()
        return found

    def send(
        self,
        prepared: Prepared,
        draft: Mapping[str, Any],
        media_type: str,
        *,
        categories: Sequence[str],
        sensitivities: Sequence[str],
    ) -> dict[str, Any]:
        """Store what was prepared; safe to repeat."""
        headers = {
            "Content-Type": media_type,
            "Assent-Wrapped-Key": base64.b64encode(prepared.wrapped_dek).decode(),
        }
        if prepared.slot is not None:
            headers["Assent-Key-Slot"] = base64.b64encode(prepared.slot).decode()
        found: dict[str, Any] = checked(
            self._http.put(
                f"/v1/end-to-end/records/{draft['record_id']}",
                params={
                    "subject": draft["subject"],
                    "version": draft["version"],
                    "epoch": prepared.epoch,
                    "categories": list(categories),
                    "sensitivities": list(sensitivities),
                },
                headers=headers,
                content=prepared.ciphertext,
            )
        ).json()
        return found

    def share(self, draft: Mapping[str, Any], slot: bytes) -> None:
        """Hand in a slot that seals a key to an organisation (``share_key``)."""
        body = {
            "subject": draft["subject"],
            "kind": draft["kind"],
            "epoch": draft["epoch"],
            "slot": base64.b64encode(slot).decode(),
        }
        checked(self._http.post("/v1/end-to-end/slots", json=body))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> AssentClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked(answer: httpx.Response) -> httpx.Response:
    """Return an answer of success. Raises RequestRefused for any other."""
    if not answer.is_success:
        raise RequestRefused.of(answer)
    return answer

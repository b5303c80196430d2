"""The people and systems of the story. They know the API and their own keys, nothing else."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

AWAY: Final = frozenset({502, 503, 504})  # whoever could answer is away for now
_PAUSE_SECONDS: Final = 0.1


class Refused(Exception):
    """An answer that is not 2xx, with the problem's code."""

    def __init__(self, response: httpx.Response) -> None:
        try:
            problem = response.json()
        except ValueError:
            problem = {}
        self.status = response.status_code
        self.code = problem.get("code", "")
        self.detail = problem.get("detail", response.text[:200])
        super().__init__(f"{self.status} {self.code}: {self.detail}")


class Persistent(httpx.Client):
    """Sends what was not answered again, unchanged, as docs/integrate.md says. Any thread may use it."""

    def __init__(self, patience_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._patience_seconds = patience_seconds

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        request.read()
        deadline = time.monotonic() + self._patience_seconds
        while True:
            late = time.monotonic() > deadline
            try:
                answer = super().send(request, **options)
            except httpx.TransportError:
                if late:
                    raise
            else:
                if late or answer.status_code not in AWAY:
                    return answer
            time.sleep(_PAUSE_SECONDS)


@dataclass(slots=True)
class Api:
    """HTTP with a bearer token."""

    http: httpx.Client
    token: str | None = None

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        response = self.http.request(method, path, headers=headers, **options)
        if not response.is_success:
            raise Refused(response)
        return response

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, params=params).json()

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        return self.call("POST", path, json=body, params=params).json()


@dataclass(slots=True)
class Wallet:
    """A browser wallet: an account that signs what the API asks it to sign."""

    api: Api
    account: Any = field(default_factory=Account.create)
    subject: str = ""

    @property
    def address(self) -> str:
        return str(self.account.address)

    def sign_typed(self, typed_data: dict[str, Any]) -> str:
        signed = self.account.sign_message(encode_typed_data(full_message=typed_data))
        return "0x" + bytes(signed.signature).hex()

    def sign_in(self) -> None:
        """Sign in with EIP-4361."""
        challenge = self.api.post("/v1/auth/wallet/challenge", {"account": self.address})
        signed = self.account.sign_message(encode_defunct(text=challenge["message"]))
        tokens = self.api.post(
            "/v1/auth/wallet",
            {"message": challenge["message"], "signature": "0x" + bytes(signed.signature).hex()},
        )
        self.api.token = tokens["access_token"]

    def claim(self, code: str) -> str:
        """Claim an enrolment code and return the subject it opened."""
        draft = self.api.post("/v1/enrolments/claims/draft", {"code": code, "account": self.address})
        claimed = self.api.post(
            "/v1/enrolments/claims",
            {
                "code": code,
                "account": self.address,
                "message": draft["typed_data"]["message"],
                "signature": self.sign_typed(draft["typed_data"]),
            },
        )
        self.subject = claimed["subject"]
        return self.subject

    def answer(self, request_id: str, answer: str, **narrowing: Any) -> dict[str, Any]:
        """Grant or refuse a request; return the recorded consent with its draft."""
        draft = self.api.post(f"/v1/consent-requests/{request_id}/draft", {"answer": answer, **narrowing})
        return self.submit("/v1/consents", draft)

    def consent(self, **wish: Any) -> dict[str, Any]:
        """Sign a permit or deny of the patient's own wish."""
        return self.submit(
            "/v1/consents", self.api.post("/v1/consents/draft", {"subject": self.subject, **wish})
        )

    def submit(
        self, path: str, draft: dict[str, Any], *, via: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        """Sign a draft and send it back."""
        signature = self.sign_typed(draft["typed_data"])
        recorded: dict[str, Any] = self.api.post(
            path, {"message": draft["message"], "via": list(via), "signature": signature}
        )
        return recorded

    def revoke(self, consent_id: str) -> dict[str, Any]:
        draft = self.api.post("/v1/revocations/draft", {"consent_id": consent_id})
        # Without a token: whoever holds the signature may hand it in.
        stop: dict[str, Any] = Api(self.api.http).post(
            "/v1/revocations", {"consent_id": consent_id, "signature": self.sign_typed(draft["typed_data"])}
        )
        return stop


@dataclass(slots=True)
class Provider:
    """A provider's system with client credentials."""

    api: Api
    client_id: str
    client_secret: str
    member_id: str

    def sign_in(self) -> None:
        response = self.api.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(self.client_id, self.client_secret),
        )
        if not response.is_success:
            raise Refused(response)
        self.api.token = response.json()["access_token"]

    def find(self, identifier: str) -> str:
        return str(self.api.post("/v1/patients/search", {"identifier": identifier})["patient_ref"])

    def ask(self, patient_ref: str, **wish: Any) -> dict[str, Any]:
        asked: dict[str, Any] = self.api.post("/v1/consent-requests", {"patient_ref": patient_ref, **wish})
        return asked

    def read(self, record_id: str, purpose: str = "TREAT") -> dict[str, bytes]:
        """Read what may be seen of a record: name of segment to content."""
        record = self.api.get(f"/v1/records/{record_id}", purpose=purpose)
        return {part["name"]: base64.b64decode(part["content"]) for part in record["segments"]}

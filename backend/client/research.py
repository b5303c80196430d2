"""Research from Python: find variables, propose a study, run it, take the answers into a data frame.

    with Researcher("http://localhost:8000", client_id, secret) as lab:
        quote = lab.quote(draft)            # patients, price, epsilon, expected errors: nothing is spent
        study = lab.propose(draft)
        study.wait_until_approved()
        result = study.run()
        result["ages"].to_polars()          # levels, values, error_95

``draft`` is the body of ``POST /v1/studies`` (docs/catalogue.md); times may be ``datetime``. polars or pandas
is needed only for the methods named after it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final

import httpx

from backend.client.api import checked
from backend.client.keys import PrivateKey
from backend.client.results import Dataset, FhirExport, Json, RunResult
from backend.errors import AssentError
from backend.research.datasets import sealed
from backend.research.exports import package as records

_TIMEOUT_SECONDS: Final = 60.0
_LOOK_EVERY_SECONDS: Final = 0.5
_EARLY_SECONDS: Final = 30  # a token is renewed so long before it ends
_DECIDED: Final = ("approved", "refused", "closed", "suspended", "revoked")

Progress = Callable[[str, int], None]  # phase and percent


class StudyNotApproved(AssentError):
    """The ethics board has not permitted the study, or not in the time one would wait."""

    code = "study_not_approved"
    remedy = "Read 'state' and 'reason' of the study; a refused one is proposed anew."


class RunFailed(AssentError):
    """A run ended without a result. ``problem`` is its code."""

    code = "run_failed"
    remedy = "See the run's 'code'. What was charged for it stays; the same run again costs nothing more."


class Researcher:
    """A researcher's system, signed in as an OAuth2 client (RFC 6749 section 4.4). httpx errors pass."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=_TIMEOUT_SECONDS, transport=transport)
        self._login = (client_id, client_secret)
        self._token, self._token_ends = "", 0.0
        self._clock = clock
        self._sleep = sleep

    def catalogue(self) -> Json:
        """Return what is on offer: ``offers`` (variables, with protected counts) and ``views``."""
        return self._one("GET", "/v1/catalogue")

    def sample(self, draft: Mapping[str, Any], *, rows: int = 1000, seed: int = 1) -> bytes:
        """Return invented rows (CSV) of the draft's variables, made from their domains alone: to write an
        analysis with before anything is approved."""
        body = {"variables": _plain(draft)["variables"], "rows": rows, "seed": seed, "format": "csv"}
        return self._send("POST", "/v1/catalogue/samples", body).content

    def quote(self, draft: Mapping[str, Any]) -> Json:
        """Return what a draft would get and cost, without proposing it: a range of patients, DUO verdicts,
        price, epsilon, the error of each answer."""
        return self._one("POST", "/v1/catalogue/quotes", _plain(draft))

    def propose(self, draft: Mapping[str, Any]) -> Study:
        """Propose a study. Safe to repeat only with the same object: a second call is a second study."""
        return Study(self, self._one("POST", "/v1/studies", _plain(draft)))

    def studies(self) -> list[Study]:
        return [Study(self, each) for each in self._list("GET", "/v1/studies")]

    def study(self, study_id: str) -> Study:
        """Raises RequestRefused (404) for one that is none of your studies."""
        return Study(self, self._one("GET", f"/v1/studies/{study_id}"))

    def budget(self) -> Json:
        """Return the custodian's promise to its patients, and what of its budget is spent."""
        return self._one("GET", "/v1/privacy-budget")

    def receipts(self) -> Json:
        """Return what your organisation spent and still may, with a receipt for each charge."""
        return self._one("GET", "/v1/privacy-budget/own")

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Researcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bytes(self, path: str) -> bytes:
        return self._send("GET", path, None).content

    def _one(self, method: str, path: str, body: Json | None = None) -> Json:
        found: Json = self._send(method, path, body).json()
        return found

    def _list(self, method: str, path: str) -> list[Json]:
        found: list[Json] = self._send(method, path, None).json()
        return found

    def _send(self, method: str, path: str, body: Json | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._signed_in()}"}
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(16)  # a retry of httpx makes nothing twice
        return checked(self._http.request(method, path, json=body, headers=headers))

    def _signed_in(self) -> str:
        if self._clock() >= self._token_ends:
            asked = self._http.post(
                "/oauth2/token", data={"grant_type": "client_credentials"}, auth=self._login
            )
            answer = checked(asked).json()
            self._token = answer["access_token"]
            self._token_ends = self._clock() + max(0, answer["expires_in"] - _EARLY_SECONDS)
        return self._token


class Study:
    """A study of the researcher's. ``body`` is the service's own view of it."""

    def __init__(self, lab: Researcher, body: Json) -> None:
        self._lab = lab
        self.body = body

    @property
    def study_id(self) -> str:
        return str(self.body["study_id"])

    @property
    def state(self) -> str:
        return str(self.body["state"])

    def refresh(self) -> Study:
        self.body = self._lab.study(self.study_id).body
        return self

    def wait_until_approved(self, *, seconds: float = 3600) -> Study:
        """Return once the ethics board has permitted it. Raises StudyNotApproved: refused, or not in time."""
        deadline = self._lab._clock() + seconds
        while self.state not in _DECIDED and self._lab._clock() < deadline:
            self._lab._sleep(_LOOK_EVERY_SECONDS)
            self.refresh()
        if self.state != "approved":
            raise StudyNotApproved(f"the study is {self.state}: {self.body.get('reason', '')}")
        return self

    def run(self, *, seconds: float = 3600, progress: Progress | None = None) -> RunResult:
        """Run it over those who consent now, and wait for the result. Over unchanged consents it is free.

        ``progress`` is called with phase and percent. Raises RunFailed, also when the time is up (the run
        goes on: call again).
        """
        answer = self._lab._one("POST", f"/v1/studies/{self.study_id}/runs")
        deadline = self._lab._clock() + seconds
        while "answers" not in answer:  # not ended yet: a view of the run instead of its result
            if answer.get("result") is not None:
                return RunResult(answer["result"])
            if answer["state"] in ("failed", "stopped") or self._lab._clock() >= deadline:
                raise RunFailed(f"the run is {answer['state']}: {answer['code']}")
            if progress is not None:
                progress(answer["phase"], answer["percent"])
            self._lab._sleep(_LOOK_EVERY_SECONDS)
            answer = self._lab._one("GET", f"/v1/studies/{self.study_id}/runs/{answer['run_id']}")
        return RunResult(answer)

    def runs(self) -> list[Json]:
        """Return the study's runs, newest first, without their results."""
        return self._lab._list("GET", f"/v1/studies/{self.study_id}/runs")

    def dataset(self, key: PrivateKey, *, run: str | None = None) -> Dataset:
        """Fetch and open the dataset of a run (default: the newest that is done), sealed to ``key``.

        Raises RequestRefused (``dataset_outdated``: a consent changed, run again), and as
        ``datasets.sealed.open_release`` and ``datasets.package.read``. polars is needed.
        """
        from backend.research.datasets import package  # noqa: PLC0415 - it brings polars

        found = package.read(self._opened("dataset", key, run))
        return Dataset(found.table, found.about, found.methods)

    def fhir(self, key: PrivateKey, *, run: str | None = None) -> FhirExport:
        """Fetch and open the de-identified records of single patients that the newest run made and sealed
        to ``key``.

        Raises RequestRefused (``dataset_outdated``: a consent changed, run again), and as
        ``datasets.sealed.open_release`` and ``exports.package.read``.
        """
        found = records.read(self._opened("fhir", key, run))
        return FhirExport(found.about, found.methods, found.counts, found.lines)

    def _opened(self, what: str, key: PrivateKey, run: str | None) -> bytes:
        if run is None:
            run = next((each["run_id"] for each in self.runs() if each["state"] == "done"), None)
        if run is None:
            raise RunFailed("no run of this study is done")
        delivery = self._lab._bytes(f"/v1/studies/{self.study_id}/runs/{run}/{what}")
        opened = sealed.open_release((delivery,), key.opener)
        if opened.header.study.hex() != self.study_id.removeprefix("0x"):
            raise RunFailed("what came is another study's")
        return b"".join(opened.document.data)


def _plain(draft: Mapping[str, Any]) -> Json:
    return {name: _plain_value(value) for name, value in draft.items()}


def _plain_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Mapping():
            return _plain(value)
        case str():
            return value
        case Sequence():
            return [_plain_value(each) for each in value]
        case _:
            return value

"""Talks to the service that is running on a data directory, as the operator whose password lies there."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from backend.maintenance.errors import OperatorFileMissing, ServiceRefused, ServiceUnreachable
from backend.samples import OPERATOR_FILE
from backend.serving import RUN_FILE

_TIMEOUT_SECONDS = 60.0


class RunningService:
    """A signed-in operator. Raises OperatorFileMissing, ServiceUnreachable and ServiceRefused."""

    def __init__(self, data_directory: Path) -> None:
        try:
            url = json.loads((data_directory / RUN_FILE).read_text())["url"]
        except (OSError, ValueError, KeyError) as failure:
            raise ServiceUnreachable from failure
        try:
            operator = json.loads((data_directory / OPERATOR_FILE).read_text())
        except (OSError, ValueError) as failure:
            raise OperatorFileMissing from failure
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS)
        try:
            token = self.post("/v1/auth/staff", operator)["access_token"]
        except BaseException:
            self._http.close()
            raise
        self._http.headers["Authorization"] = f"Bearer {token}"

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask("POST", path, body)
        return answer

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer, empty where the route answers without a body."""
        answer: dict[str, Any] = self._ask("PUT", path, body)
        return answer

    def get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask("GET", path, None)
        return answer

    def list(self, path: str) -> builtins.list[dict[str, Any]]:
        answer: builtins.list[dict[str, Any]] = self._ask("GET", path, None)
        return answer

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            response = self._http.request(method, path, json=None if body is None else dict(body))
            answer = response.json() if response.content else {}
        except (httpx.HTTPError, ValueError) as failure:
            raise ServiceUnreachable from failure
        if not response.is_success:
            raise ServiceRefused(f"{answer.get('code', response.status_code)}: {answer.get('detail', '')}")
        return answer

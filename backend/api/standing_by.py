"""What a process answers while another one has the data: that it lives, and that it waits for its turn."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPMethod
from typing import Final

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.api import health, problems
from backend.api.middleware import Edge
from backend.errors import Unavailable


class StandingBy(Unavailable):
    """This process waits for its turn: it opened no store and did nothing of what was asked."""

    code = "standing_by"
    remedy = "Send it again shortly, by the proxy: another process of the service answers, or this one will."


_ABOUT_ITSELF: Final = ("/health/", "/metrics")


class Turn:
    """Chooses for each request, as it begins, who answers: ``serving`` while it ``may``, else ``waiting``."""

    def __init__(self, waiting: ASGIApp) -> None:
        self._waiting = waiting
        self._serving: ASGIApp | None = None
        self._may: Callable[[], bool] = lambda: False

    def begin(self, serving: ASGIApp, *, may: Callable[[], bool]) -> None:
        """``may``: whether no other process can have taken over meanwhile; asked each time, so quick."""
        self._serving, self._may = serving, may

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serving = self._serving
        if serving is None or not (self._may() or scope.get("path", "").startswith(_ABOUT_ITSELF)):
            serving = self._waiting
        await serving(scope, receive, send)


def create_standby_app(*, max_body_bytes: int, max_attachment_bytes: int) -> ASGIApp:
    """Return the application of a process that waits. It touches no service."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    problems.install(app)
    app.add_api_route("/health/live", health.live)
    app.add_api_route("/health/ready", _not_ready)
    app.add_api_route("/metrics", _metrics)
    app.add_api_route("/{path:path}", _refuse, methods=[method.value for method in HTTPMethod])
    return Edge(app, max_body_bytes=max_body_bytes, max_attachment_bytes=max_attachment_bytes)


def _not_ready(response: Response) -> health.Ready:
    response.status_code = 503
    response.headers["Retry-After"] = str(problems.RETRY_AFTER_SECONDS)
    return health.Ready(ready=False, parts={"service": StandingBy.code})


def _metrics() -> Response:
    """The process's own: how things stand, the one that serves tells."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _refuse() -> Response:
    raise StandingBy

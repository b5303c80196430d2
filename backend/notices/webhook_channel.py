"""Messages to the systems of organisations: signed, to the endpoint that the client has at the moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.notices import signing
from backend.notices.endpoints import Endpoints
from backend.notices.ports import NoticeStore, Sender
from backend.notices.types import Delivery, Failure, Fault
from backend.types import SubjectId, UnixSeconds


class WebhookChannel:
    """Implements ``backend.notices.ports.Channel``."""

    name: Final = "webhooks"
    lease_seconds: Final = 20

    def __init__(
        self, *, endpoints: Endpoints, sender: Sender, notices: NoticeStore, clock: Callable[[], int]
    ) -> None:
        self._endpoints = endpoints
        self._sender = sender
        self._notices = notices
        self._clock = clock

    def owner(self, receiver: str) -> SubjectId | None:  # noqa: ARG002 - clients' messages are the custodian's
        return None

    def send(self, delivery: Delivery, body: bytes) -> Failure | None:
        endpoint = self._endpoints.live(delivery.receiver)
        if endpoint is None:
            return Failure("no_endpoint", Fault.RECEIVER, for_good=True)
        secrets = self._endpoints.secrets_of(endpoint)
        headers = signing.headers(delivery.message_id, self._clock(), body, secrets)
        failure = self._sender.send(endpoint.url, headers, body)
        if failure is not None:
            return Failure(failure)
        if delivery.notice_id is not None:
            self._notices.set_delivered(delivery.notice_id, UnixSeconds(self._clock()))
        return None

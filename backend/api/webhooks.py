"""Webhooks of clients, and what became of the messages to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from backend.api.idempotent import Key, attempt
from backend.api.schemas import Body, Hex16, moment
from backend.api.security import Caller, agent_of, needs
from backend.identity.errors import ScopeMissing
from backend.identity.roles import Scope
from backend.identity.types import PrincipalKind
from backend.notices.addresses import MAX_URL_CHARACTERS
from backend.notices.types import ALL_TOPICS, Delivery, DeliveryState, Endpoint, Topic

router = APIRouter(prefix="/v1", tags=["webhooks"])
Operator = Annotated[Caller, Depends(needs(Scope.ACCOUNT_MANAGE))]
MessageId = Annotated[str, StringConstraints(pattern=r"^msg_[0-9a-f]{32}$")]


async def _own_or_operator(request: Request, caller: Annotated[Caller, Depends(needs())]) -> Caller:
    """The client of the path itself, or an operator. Raises ScopeMissing."""
    principal = caller.principal
    own = principal.kind is PrincipalKind.CLIENT and principal.id == request.path_params["client"]
    if not own and Scope.ACCOUNT_MANAGE not in principal.scopes:
        raise ScopeMissing
    return caller


OwnOrOperator = Annotated[Caller, Depends(_own_or_operator)]


class WebhookBody(Body):
    url: str = Field(max_length=MAX_URL_CHARACTERS, description="https, on the public internet")
    topics: Annotated[list[Topic], Field(min_length=1, max_length=len(Topic))] | None = Field(
        default=None, description="what to send; default: everything that concerns the client's organisation"
    )


class WebhookView(BaseModel):
    client_id: str
    url: str
    topics: list[Topic]
    set_at: datetime | None
    previous_secret_until: datetime | None = Field(description="until then it signs beside the new one")


class NewWebhookView(WebhookView):
    """``secret`` verifies the messages. It is shown this once, and to a retry with the Idempotency-Key."""

    secret: str


class DeliveryView(BaseModel):
    """Without the message: its receiver has it."""

    message_id: str
    client_id: str
    topic: Topic
    state: DeliveryState
    attempts: int
    failure: str = Field(description="of the last try: a word such as timeout, connect, tls, status_500")
    created_at: datetime | None
    next_try_at: datetime | None


@router.put("/clients/{client}/webhook", response_model=NewWebhookView)
def set_webhook(
    client: Hex16, body: WebhookBody, caller: OwnOrOperator, idempotency_key: Key = None
) -> NewWebhookView:
    """Set where a client's messages go, with a new secret; the one before signs too for a day."""
    services, principal = caller
    with attempt(caller, f"clients/{client}/webhook", idempotency_key, body) as act:
        endpoint, secret = services.webhooks.set(
            client,
            body.url,
            ALL_TOPICS if body.topics is None else frozenset(body.topics),
            by=agent_of(principal),
            attempt=act,
        )
    view = _webhook(endpoint, now=services.clock())
    return NewWebhookView(**view.model_dump(), secret=secret)


@router.get("/clients/{client}/webhook", response_model=WebhookView)
def get_webhook(client: Hex16, caller: OwnOrOperator) -> WebhookView:
    """Where a client's messages go."""
    services = caller.services
    return _webhook(services.webhooks.get(client), now=services.clock())


@router.delete("/clients/{client}/webhook", status_code=204)
def remove_webhook(client: Hex16, caller: OwnOrOperator) -> None:
    """Send nothing more, also not what waits."""
    services, principal = caller
    services.webhooks.remove(client, by=agent_of(principal))


@router.get("/webhook-deliveries", response_model=list[DeliveryView])
def list_deliveries(
    caller: Operator,
    state: DeliveryState | None = None,
    client: Hex16 | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DeliveryView]:
    """What became of messages, newest first; ``dead`` are those given up."""
    found = caller.services.deliveries.listed(state, receiver=client, limit=limit)
    return [delivery_view(delivery) for delivery in found]


@router.post("/webhook-deliveries/{message}/retry", response_model=DeliveryView)
def retry_delivery(message: MessageId, caller: Operator) -> DeliveryView:
    """Try a message that was given up, or waits, at once."""
    return delivery_view(caller.services.deliveries.again(message))


def delivery_view(delivery: Delivery) -> DeliveryView:
    waits = delivery.state is DeliveryState.WAITING
    return DeliveryView(
        message_id=delivery.message_id,
        client_id=delivery.receiver,
        topic=Topic(delivery.topic),
        state=delivery.state,
        attempts=delivery.attempts,
        failure=delivery.failure,
        created_at=moment(delivery.created_at),
        next_try_at=moment(delivery.due_at) if waits else None,
    )


def _webhook(endpoint: Endpoint, *, now: int) -> WebhookView:
    overlapping = endpoint.previous_salt is not None and now < endpoint.previous_until
    return WebhookView(
        client_id=endpoint.client_id,
        url=endpoint.url,
        topics=sorted(endpoint.topics),
        set_at=moment(endpoint.set_at),
        previous_secret_until=moment(endpoint.previous_until) if overlapping else None,
    )

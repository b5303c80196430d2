from __future__ import annotations

from backend.errors import InvalidInput, NotFound


class WebhookRefused(InvalidInput):
    """Messages are never sent to this address: not https, or in a network that was not opened for them."""

    code = "webhook_refused"
    remedy = (
        "Give an https address on the public internet. For one inside, the operator opens its network with "
        "ASSENT_WEBHOOK_PRIVATE_NETWORKS."
    )


class WebhookUnknown(NotFound):
    code = "webhook_unknown"
    remedy = "This client has no webhook. PUT /v1/clients/{client}/webhook sets one."


class DeliveryUnknown(NotFound):
    code = "delivery_unknown"
    remedy = "GET /v1/webhook-deliveries lists them. Those that are over are forgotten after 30 days."

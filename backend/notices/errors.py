from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound, OperatorError
from backend.identity.errors import TooManyAttempts


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


class MailNotConfigured(Conflict):
    """This custodian sends no mail: no server is set that would take it."""

    code = "mail_not_configured"
    remedy = "The operator sets ASSENT_SMTP_URL and ASSENT_MAIL_FROM. Until then, sign in to see what is new."


class MailAddressRefused(InvalidInput):
    """Not the address of a mailbox on the internet in the plain form: local part, @, a domain with a dot."""

    code = "mail_address_refused"
    remedy = (
        "Give an address such as name@example.org, in ASCII and without quotes. A domain with other letters "
        "is written in its form xn--..., other letters before the @ are not supported."
    )


class ContactUnknown(NotFound):
    code = "contact_unknown"
    remedy = "No address is kept. PUT /v1/contact gives one."


class ContactCodeMalformed(InvalidInput):
    """Wrong length, a letter that no code has, or a checksum that does not hold: most likely mistyped."""

    code = "contact_code_malformed"
    remedy = "Check the code in the mail for typing errors: five groups of four."


class ContactCodeRefused(InvalidInput):
    """Not the code of the last mail, used already, or too many wrong attempts at it."""

    code = "contact_code_refused"
    remedy = "Take the code of the newest mail, or have another one sent: PUT /v1/contact."


class ContactCodeExpired(Conflict):
    code = "contact_code_expired"
    remedy = "Have another code sent: PUT /v1/contact."


class ContactCodesLimited(TooManyAttempts):
    """So many codes were sent today, for this patient or to this address, that no more are."""

    code = "contact_codes_limited"
    remedy = "Look for the mails that were sent, also among the unwanted ones. Tomorrow others can be sent."


class MailNotSent(OperatorError):
    """The mail server did not take a mail that the operator wanted to send."""

    code = "mail_not_sent"
    remedy = (
        "docs/operations.md explains the word under 'E-mail'. Check ASSENT_SMTP_URL and what belongs to it."
    )

"""One tree of errors. Every class that is raised has a stable ``code``; ``docs/errors.md`` explains each.

The families below say what kind of failure it is; packages subclass them in their own ``errors.py``. HTTP
status is chosen from the family in ``backend.api`` and nowhere else.
"""

from __future__ import annotations

from typing import ClassVar


class AssentError(Exception):
    """Base of every error the project raises on purpose.

    ``code`` is stable and machine-readable. ``remedy`` tells the caller what to do next. ``detail`` (the
    message) must never hold personal data, key material or anything that tells what exists.
    """

    code: ClassVar[str] = "internal"
    remedy: ClassVar[str] = "Report this with the time and the request id."

    def __init__(self, detail: str = "", *, field: str | None = None) -> None:
        super().__init__(detail or self.remedy)
        self.detail = detail or self.remedy
        self.field = field  # the input field at fault, as a dotted path, where there is one


class InvalidInput(AssentError):
    """The caller sent something that can never be accepted as it is."""

    code = "invalid_input"
    remedy = "Correct the named field and send it again."


class TooLarge(InvalidInput):
    code = "too_large"
    remedy = "Send a smaller body, or split it."


class NotAuthenticated(AssentError):
    code = "not_authenticated"
    remedy = "Sign in and send the access token as 'Authorization: Bearer'."


class NotPermitted(AssentError):
    """A decision said no. Never used for a failure to find out."""

    code = "not_permitted"
    remedy = "Ask the patient for consent: POST /v1/consent-requests."


class NotFound(AssentError):
    code = "not_found"
    remedy = "Check the id. Something you may not see looks like something that does not exist."


class Conflict(AssentError):
    code = "conflict"
    remedy = "Read the current state and decide again."


class Unavailable(AssentError):
    """A part we depend on did not answer. Says nothing about permission."""

    code = "unavailable"
    remedy = "Try again shortly; GET /health/ready tells which part is down."


class LedgerUnavailable(Unavailable):
    """The view of the chain is stale, unreachable or in error (invariant 1): no permission, no refusal."""

    code = "ledger_unavailable"
    remedy = "The chain cannot be read now. Nothing was decided; try again shortly."


class IntegrityError(AssentError):
    """A store returned bytes that are not what was stored. Nothing of them is released."""

    code = "integrity"
    remedy = "Tell the operator: 'assent fsck' names the damaged object."


class OperatorError(AssentError):
    """The program cannot start or go on as it is configured; the operator must act."""

    code = "operator"
    remedy = "See docs/errors.md."

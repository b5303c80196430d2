"""One decision vector: a question, and the answer that a person worked out for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from backend.consent.decision_types import DecisionInput
from backend.consent.terms import Delegation
from backend.types import ConsentId

NOT_DELEGATED: Final[Mapping[ConsentId, tuple[Delegation, ...]]] = {}
PERMIT = ("permit", "permitted")
NONE = ("no_consent", "no_permit")
DENY = ("deny", "denied")


class Case(NamedTuple):
    """``expect`` is answer and reason of the decision, then reasons of single consents in order of id.

    ``via`` gives the delegations under which a document was signed, by the id of the document.
    """

    topic: str
    name: str
    request: DecisionInput
    expect: tuple[str, ...]
    via: Mapping[ConsentId, tuple[Delegation, ...]] = NOT_DELEGATED

"""Short ways to write what happens in a ``Story``. Times are seconds after ``world.START``."""

from __future__ import annotations

from typing import Any, Final

from backend.adapters.ledger.headers import delegation_header, grant_header
from backend.consent.recovery_terms import EndForCause
from backend.consent.terms import (
    UNBOUNDED,
    DelegatedDelegation,
    DelegatedGrant,
    Delegation,
    Grant,
    Kind,
    Power,
    Revoke,
)
from backend.consent.typed_data import consent_id
from backend.types import ConsentId, UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.commands import consent_signature, registry
from scripts.vectors.deployment import Step, returned
from scripts.vectors.story import Story

NEVER: Final = int(UNBOUNDED)  # an end that is none
ALL_POWERS: Final = int(Power.GRANT | Power.REVOKE | Power.READ | Power.DELEGATE)


def grant(begins: int, ends: int, kind: Kind = Kind.PERMIT, **changes: Any) -> Grant:
    end = UNBOUNDED if ends == NEVER else UnixSeconds(w.START + ends)
    dates = {"not_before": UnixSeconds(w.START + begins), "not_after": end, "submit_by": UNBOUNDED}
    return w.grant(kind, **{**dates, **changes})


def delegation(begins: int, ends: int, kind: Kind = Kind.DELEGATION, **changes: Any) -> Delegation:
    dates = {"not_before": w.START + begins, "not_after": w.START + ends, "submit_by": UNBOUNDED}
    return w.delegation(kind, **{"powers": ALL_POWERS, "depth": 2, **dates, **changes})


def revoke(consent: ConsentId, signer: str = "patient") -> Step:
    return registry("revoke", consent, consent_signature(signer, Revoke(consent)))


def given_under(story: Story, grant: Grant, label: str, signer: str) -> Step:
    """Return the recording of a grant that a delegate signed under the delegation of this name."""
    signature = consent_signature(signer, DelegatedGrant(grant, story.id(label)))
    answer = returned("ConsentRegistry", "grantByDelegate", consent_id(grant))
    return registry("grantByDelegate", grant_header(grant), story.chain(label), signature, answer=answer)


def passed_on(story: Story, child: Delegation, label: str, signer: str) -> Step:
    signature = consent_signature(signer, DelegatedDelegation(child, story.id(label)))
    answer = returned("ConsentRegistry", "subdelegate", consent_id(child))
    return registry("subdelegate", delegation_header(child), story.chain(label), signature, answer=answer)


def for_cause(story: Story, label: str) -> Step:
    named = story.id(label)
    return registry("endForCause", named, consent_signature("patient", EndForCause(named)))

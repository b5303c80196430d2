"""Whether a grant stays within the request it answers, and within the delegations it was given under.

The contract sees no masks and checks dates, kind and depth only; the service and the offline verifier check
the rest here. Rules need no look of their own: ``validation`` keeps them inside their consent's masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.consent.errors import WiderThanParent, WiderThanRequest
from backend.consent.terms import (
    BEGINNING,
    UNBOUNDED,
    UNLIMITED_USES,
    Delegation,
    Grant,
    Kind,
    Power,
)
from backend.consent.uses import limit_of
from backend.consent.witnessed import is_witnessed
from backend.errors import InvalidInput
from backend.types import MemberId, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for. Windows are half-open, in unix seconds."""

    subject: SubjectId
    grantee: MemberId
    purposes: int
    categories: int
    sensitivities: int
    actions: int
    data_from: UnixSeconds = BEGINNING
    data_to: UnixSeconds = UNBOUNDED
    not_before: UnixSeconds = BEGINNING
    not_after: UnixSeconds = UNBOUNDED
    erase_by: UnixSeconds = UNBOUNDED
    max_uses: int = UNLIMITED_USES
    uses_per_period: int = UNLIMITED_USES
    period_seconds: int = 0
    redelegation_depth: int = 0


def check_answers(grant: Grant, asked: Asked) -> None:
    """Raise WiderThanRequest, naming the member, when a permit gives more than was asked for.

    A deny or a refusal gives nothing, so only subject and grantee are compared.
    """
    terms = grant.terms
    _require(grant.subject == asked.subject, "subject", WiderThanRequest)
    if grant.kind == Kind.DENY:
        return
    _require(terms.grantee == asked.grantee, "terms.grantee", WiderThanRequest)
    if grant.kind != Kind.PERMIT:
        return
    for name, given, limit in (
        ("purposes", terms.purposes, asked.purposes),
        ("categories", terms.categories, asked.categories),
        ("sensitivities", terms.sensitivities, asked.sensitivities),
        ("actions", terms.actions, asked.actions),
    ):
        _require(not given & ~limit, f"terms.{name}", WiderThanRequest)
    _require(asked.data_from <= terms.data_from, "terms.dataFrom", WiderThanRequest)
    _require(terms.data_to <= asked.data_to, "terms.dataTo", WiderThanRequest)
    _require(asked.not_before <= grant.not_before, "notBefore", WiderThanRequest)
    _require(grant.not_after <= asked.not_after, "notAfter", WiderThanRequest)
    _require(terms.erase_by <= asked.erase_by, "terms.eraseBy", WiderThanRequest)
    _require(terms.max_uses <= asked.max_uses, "terms.maxUses", WiderThanRequest)
    most = limit_of(terms).most_in(asked.period_seconds)
    _require(most <= asked.uses_per_period, "terms.usesPerPeriod", WiderThanRequest)
    _require(
        terms.redelegation_depth <= asked.redelegation_depth, "terms.redelegationDepth", WiderThanRequest
    )


def check_given_under(grant: Grant, chain: Sequence[Delegation]) -> None:
    """Raise WiderThanParent when a grant signed by a delegate goes beyond any delegation of its chain.

    ``chain`` runs from the delegate's own delegation to the one without parent.
    """
    _chain(chain, Power.GRANT)
    terms = grant.terms
    # Zero in a deny stands for everything, which a delegate may deny only if it may handle everything.
    masks = [terms.purposes, terms.categories, terms.sensitivities]
    if grant.kind != Kind.PERMIT:
        masks = [mask or -1 for mask in masks]
    for parent in chain:
        _require(grant.subject == parent.subject, "subject", WiderThanParent)
        _masks(masks, parent)
        _require(grant.not_after <= parent.not_after, "notAfter", WiderThanParent)
        if is_witnessed(parent):  # so that a paper's permit, like its delegation, has twelve months at most
            _require(parent.not_before <= grant.not_before, "notBefore", WiderThanParent)


def check_child(child: Delegation, chain: Sequence[Delegation]) -> None:
    """Raise WiderThanParent when a delegation goes beyond any delegation of the chain above it."""
    _chain(chain, Power.DELEGATE)
    _require(child.kind == Kind.DELEGATION, "kind", WiderThanParent)
    for parent in chain:
        _require(child.subject == parent.subject, "subject", WiderThanParent)
        _require(not child.powers & ~parent.powers, "powers", WiderThanParent)
        _masks([child.terms.purposes, child.terms.categories, child.terms.sensitivities], parent)
        _require(child.not_after <= parent.not_after, "notAfter", WiderThanParent)
    for distance, parent in enumerate(chain, start=1):
        _require(child.depth + distance <= parent.depth, "depth", WiderThanParent)


def _chain(chain: Sequence[Delegation], power: Power) -> None:
    _require(bool(chain), "delegation", WiderThanParent)
    # The first delegation is the one used; those above it had to allow passing powers on.
    needed = [power, *[Power.DELEGATE] * (len(chain) - 1)]
    for parent, need in zip(chain, needed, strict=True):
        _require(bool(parent.powers & need), "delegation", WiderThanParent)


def _masks(masks: Sequence[int], parent: Delegation) -> None:
    limits = (parent.terms.purposes, parent.terms.categories, parent.terms.sensitivities)
    for name, mask, limit in zip(("purposes", "categories", "sensitivities"), masks, limits, strict=True):
        _require(not mask & ~limit, f"terms.{name}", WiderThanParent)


def _require(holds: bool, field: str, error: type[InvalidInput]) -> None:
    if not holds:
        raise error(field=field)

"""Drafts: the exact messages a wallet is asked to sign, made from a request or from the patient's own wish.

A draft changes nothing and is kept nowhere. Its salt is random, so that equal consents have unrelated ids.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Final

from backend.consent.contradiction import check_consistent
from backend.consent.notices import NoticeChoice
from backend.consent.requests import ConsentRequest
from backend.consent.summary import with_summary
from backend.consent.tables import Tables
from backend.consent.terms import (
    ABSENT,
    EVERYONE,
    UNBOUNDED,
    UNLIMITED_USES,
    ZERO32,
    BreakGlass,
    ConsentTerms,
    Delegation,
    DelegationTerms,
    Effect,
    Grant,
    Kind,
    ResearchTerms,
    Rule,
)
from backend.types import Address, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

SUBMIT_WITHIN_SECONDS: Final = 3600
BEGINNING: Final = UnixSeconds(0)  # the start of a window that has none


@dataclass(frozen=True, slots=True)
class Wish:
    """What the patient wants to allow or deny. In a deny, zero masks mean 'everything'."""

    kind: Kind
    grantee: MemberId = EVERYONE
    purposes: int = 0
    categories: int = 0
    sensitivities: int = 0
    actions: int = 0
    data_from: UnixSeconds = BEGINNING
    data_to: UnixSeconds = UNBOUNDED
    not_before: UnixSeconds = BEGINNING
    not_after: UnixSeconds = UNBOUNDED
    erase_by: UnixSeconds = UNBOUNDED
    max_uses: int = UNLIMITED_USES
    uses_per_period: int = UNLIMITED_USES
    period_seconds: int = 0
    break_glass: BreakGlass = BreakGlass.FORBID  # what the patient did not allow is not allowed
    break_glass_categories: int = 0
    redelegation_depth: int = 0
    rules: tuple[Rule, ...] = ()
    research: ResearchTerms = ResearchTerms()  # noqa: RUF009 - frozen
    supersedes: ConsentId = ABSENT


@dataclass(frozen=True, slots=True)
class DelegationWish:
    """Powers to give to an account, for a time and within masks."""

    delegate: Address
    powers: int
    purposes: int
    categories: int
    sensitivities: int
    not_after: UnixSeconds
    relationship: str
    not_before: UnixSeconds = BEGINNING
    kind: Kind = Kind.DELEGATION
    depth: int = 0
    parent: ConsentId = ABSENT
    evidence: Bytes32 = ZERO32


def wish_of(request: ConsentRequest) -> Wish:
    """Return the permit that gives exactly what was asked; narrow it with ``dataclasses.replace``."""
    asked = request.asked
    return Wish(
        kind=Kind.PERMIT,
        grantee=asked.grantee,
        purposes=asked.purposes,
        categories=asked.categories,
        sensitivities=asked.sensitivities,
        actions=asked.actions,
        data_from=asked.data_from,
        data_to=asked.data_to,
        not_before=asked.not_before,
        not_after=asked.not_after,
        erase_by=asked.erase_by,
        max_uses=asked.max_uses,
        uses_per_period=asked.uses_per_period,
        period_seconds=asked.period_seconds,
        redelegation_depth=asked.redelegation_depth,
    )


def refusal_of(request: ConsentRequest) -> Wish:
    """Return the refusal of a request: it says no to what was asked and nothing about anything else."""
    return replace(wish_of(request), kind=Kind.REFUSAL)


class Drafter:
    """Makes messages to sign, with one version of the tables.

    ``notice`` names the notice that was shown; without one it is the newest in the language. Both methods
    raise NoticeNotPublished and NoticeInAnotherLanguage, ``grant`` RulesContradict too.
    """

    def __init__(self, *, tables: Tables, notices: NoticeChoice) -> None:
        self._tables = tables
        self._notices = notices

    def grant(
        self,
        wish: Wish,
        *,
        subject: SubjectId,
        epoch: int,
        now: UnixSeconds,
        language: str,
        request: Bytes32 = ZERO32,
        notice: Bytes32 | None = None,
    ) -> Grant:
        """Return the grant to sign. Raises UnknownCode and UnknownBit for what has no words."""
        check_consistent(wish.rules, wish.kind)
        permit = wish.kind == Kind.PERMIT
        terms = ConsentTerms(
            decision=Effect.PERMIT if permit else Effect.DENY,
            grantee=wish.grantee,
            purposes=wish.purposes,
            categories=wish.categories,
            sensitivities=wish.sensitivities,
            actions=wish.actions,
            data_from=wish.data_from,
            data_to=wish.data_to,
            erase_by=wish.erase_by,
            max_uses=wish.max_uses,
            uses_per_period=wish.uses_per_period,
            period_seconds=wish.period_seconds,
            break_glass=wish.break_glass,
            break_glass_categories=wish.break_glass_categories,
            redelegation_depth=wish.redelegation_depth,
            rules=wish.rules,
            research=wish.research,
            notice=self._notices.choose(notice, language),
            language=language,
            summary="",
            salt=_salt(),
        )
        grant = Grant(
            subject=subject,
            terms=terms,
            not_before=wish.not_before,
            not_after=wish.not_after,
            kind=wish.kind,
            epoch=epoch,
            request=request,
            supersedes=wish.supersedes,
            submit_by=UnixSeconds(now + SUBMIT_WITHIN_SECONDS),
        )
        return with_summary(grant, self._tables)

    def delegation(
        self,
        wish: DelegationWish,
        *,
        subject: SubjectId,
        epoch: int,
        now: UnixSeconds,
        language: str,
        notice: Bytes32 | None = None,
    ) -> Delegation:
        """Return the delegation or guardianship to sign."""
        delegation = Delegation(
            subject=subject,
            delegate=wish.delegate,
            powers=wish.powers,
            not_before=wish.not_before,
            not_after=wish.not_after,
            kind=wish.kind,
            depth=wish.depth,
            epoch=epoch,
            parent=wish.parent,
            terms=DelegationTerms(
                purposes=wish.purposes,
                categories=wish.categories,
                sensitivities=wish.sensitivities,
                relationship=wish.relationship,
                evidence=wish.evidence,
                notice=self._notices.choose(notice, language),
                language=language,
                summary="",
                salt=_salt(),
            ),
            submit_by=UnixSeconds(now + SUBMIT_WITHIN_SECONDS),
        )
        return with_summary(delegation, self._tables)


def _salt() -> Bytes32:
    return Bytes32(secrets.token_bytes(32))

"""Issues tokens bound to consents, and tells servers outside whether one is good now.

A token permits nothing by itself: a read with it decides again, and so does each introspection. What is
answered is in the audit log first, under the guard that fails when the patient stopped it meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Action, Agent, AgentKind, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.areas import Area, permitted_areas
from backend.consent.deciding import DecisionService, Question
from backend.consent.decision_types import DecisionInput, Requester, Segment
from backend.consent.errors import ConsentRequired, RestrictionArrived
from backend.consent.tables import Tables
from backend.errors import Unavailable
from backend.identity.access_tokens import Narrowing
from backend.identity.bound_claims import extensions
from backend.identity.principal import Asking
from backend.identity.roles import Scope
from backend.identity.services import MAY_INTROSPECT, Identity
from backend.identity.types import AccessToken, Bound, Client, Grant, TokenPair
from backend.interop.consent_tokens.residual import MAX_CHARACTERS_IN_A_TOKEN, rules_of
from backend.types import ConsentId, SubjectId

LIFE_SECONDS: Final = 300
ATTEMPTS: Final = 3
_ANY_DATA: Final = Segment(categories=1, sensitivities=0)
_INACTIVE: Final = {"active": False}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for. ``resource``: the server outside that the token is for (RFC 8707)."""

    subject: SubjectId
    purpose: str  # HL7 v3 PurposeOfUse
    scope: str | None = None
    resource: str | None = None


class ConsentTokens:
    def __init__(
        self,
        *,
        decisions: DecisionService,
        identity: Identity,
        audit: AuditLog,
        tables: Tables,
        clock: Callable[[], int],
    ) -> None:
        self._decisions = decisions
        self._identity = identity
        self._audit = audit
        self._tables = tables
        self._clock = clock

    def issue(self, client: Client, wish: Wish) -> TokenPair:
        """Return a token for what the client may have of the patient's data for the purpose.

        Raises UnknownCode, ScopeInvalid, TooManyAttempts; ConsentRequired whatever the reason is, also for a
        patient that does not exist; Unavailable when it cannot be found out.
        """
        self._tables.purposes.mask([wish.purpose], field="purpose_of_use")
        clients = self._identity.clients
        grant = clients.grant_to_read(client, scope=wish.scope)
        agent = Agent(AgentKind.CLIENT, client.client_id)
        areas = self._decide(codes.TOKEN_ISSUED, agent, grant, wish.subject, wish.purpose)
        if not areas:
            raise ConsentRequired
        narrowing = Narrowing(
            Bound(wish.subject, wish.purpose, _consents(areas)),
            rules_of(areas, self._tables, max_characters=MAX_CHARACTERS_IN_A_TOKEN),
            seconds=max(0, min(LIFE_SECONDS, min(area.ends_at for area in areas) - self._clock())),
            resource=wish.resource,
        )
        return clients.start_bound(client, grant, narrowing)

    def introspect(self, token: str, *, by: Asking, agent: Agent) -> dict[str, Any]:
        """Answer as RFC 7662. A token bound to consents is active while one of them still permits something;
        the answer has what they permit now. Why one is not active is not told.

        Raises Unavailable when it cannot be found out: that is no answer, and nothing to remember.
        """
        access = self._identity.tokens.active(token)
        if access is None or access.bound is None:
            return self._identity.introspect(token, by=by)
        may = Scope.TOKEN_INTROSPECT in by.scopes or not by.roles.isdisjoint(MAY_INTROSPECT)
        if not may and access.grant.principal != by.name:
            return _INACTIVE
        return self._described(access, access.bound, agent)

    def _described(self, access: AccessToken, bound: Bound, agent: Agent) -> dict[str, Any]:
        grant = access.grant
        areas = self._decide(
            codes.TOKEN_INTROSPECTED, agent, grant, bound.subject, bound.purpose, only=bound.consents
        )
        if not areas:
            return _INACTIVE
        rules = rules_of(areas, self._tables)
        claims = extensions(grant, replace(bound, consents=_consents(areas)), rules)
        return self._identity.tokens.described(access) | {"client_id": grant.id, "extensions": claims}

    def _decide(
        self,
        code: str,
        agent: Agent,
        grant: Grant,
        subject: SubjectId,
        purpose: str,
        *,
        only: frozenset[ConsentId] | None = None,
    ) -> Sequence[Area]:
        """Return what is permitted now, with an entry in the log that came before any stop."""
        question = Question(
            subject=subject,
            requester=Requester(actor=grant.member_id, organisations=grant.organisations),
            purpose=self._tables.purposes.mask([purpose]),
            action=self._tables.actions.mask([Action.ACCESS.value]),
        )
        event = AuditEvent(
            type=code,
            outcome=Outcome.UNAVAILABLE,
            occurred_at_ms=self._clock() * 1000,
            actor=agent,
            organisation=grant.member_id,
            subject=subject,
            purpose=purpose,
            action=Action.ACCESS,
        )
        for attempt in range(ATTEMPTS):
            try:
                request = self._decisions.gather(question, _ANY_DATA)
                areas = permitted_areas(request, only=only)
            except Unavailable as failure:
                self._audit.append(replace(event, reasons=(failure.code,)))
                raise
            try:
                self._audit.append(
                    _with(event, request, areas),
                    guard=self._decisions.guard(request, subject) if areas else None,
                )
            except RestrictionArrived:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return areas
        return ()


def _with(event: AuditEvent, request: DecisionInput, areas: Collection[Area]) -> AuditEvent:
    view = request.view
    return replace(
        event,
        outcome=Outcome.PERMITTED if areas else Outcome.DENIED,
        consents=tuple(sorted(_consents(areas))),
        reasons=() if areas else (ConsentRequired.code,),
        final_block=None if view is None else view.final_number,
        head_block=None if view is None else view.head_number,
        queue_position=request.queue_position,
        detail={"tables": bytes.fromhex(request.tables)},
    )


def _consents(areas: Collection[Area]) -> frozenset[ConsentId]:
    return frozenset(area.consent for area in areas)

"""Identity's events as audit entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.identity.roles import Role
from backend.identity.types import PrincipalKind
from backend.types import Address, SubjectId

_AGENTS = {
    PrincipalKind.WALLET: AgentKind.ACCOUNT,
    PrincipalKind.STAFF: AgentKind.STAFF,
    PrincipalKind.CLIENT: AgentKind.CLIENT,
}
_SERVICE = Agent.service("identity")


class AuditTrail:
    """Implements ``backend.identity.ports.IdentityAudit``."""

    def __init__(self, *, log: AuditLog, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock

    def signed_in(self, *, kind: PrincipalKind, principal_id: str, family_id: str) -> None:
        self._write(codes.SIGNED_IN, _agent(kind, principal_id), detail={"family": family_id})

    def sign_in_refused(self, *, kind: PrincipalKind, principal_id: str, code: str) -> None:
        self._write(codes.SIGN_IN_FAILED, _agent(kind, principal_id), outcome=Outcome.DENIED, reasons=(code,))

    def signed_out(self, *, principal: str, family_id: str) -> None:
        self._write(codes.SIGNED_OUT, _of(principal), detail={"family": family_id})

    def refresh_token_reused(self, *, principal: str, family_id: str) -> None:
        self._write(
            codes.REFRESH_REUSED, _of(principal), outcome=Outcome.DENIED, detail={"family": family_id}
        )

    def sessions_ended(self, *, principal: str, by: str, count: int) -> None:
        self._write(codes.SIGNED_OUT, _by(by), detail={"principal": principal, "families": count})

    def staff_changed(self, *, staff_id: str, by: str, change: str, roles: frozenset[Role]) -> None:
        detail = {"staff": staff_id, "change": change, "roles": "+".join(sorted(roles))}
        self._write(codes.ACCOUNT_CHANGED, _by(by), detail=detail)

    def client_changed(self, *, client_id: str, by: str, change: str) -> None:
        self._write(codes.ACCOUNT_CHANGED, _by(by), detail={"client": client_id, "change": change})

    def signing_key_rotated(self, *, key_id: str, by: str, compromised: bool) -> None:
        self._write(codes.KEY_ROTATED, _by(by), detail={"key": key_id, "compromised": compromised})

    def enrolment_code_issued(self, *, subject_id: SubjectId, by: str, evidence: bytes) -> None:
        self._write(codes.ENROLMENT_CODE_ISSUED, _by(by), subject=subject_id, detail={"evidence": evidence})

    def enrolment_claimed(self, *, subject_id: SubjectId, account: Address) -> None:
        self._write(codes.ENROLMENT_CLAIMED, Agent.account(account), subject=subject_id)

    def enrolment_refused(self, *, account: Address, code: str) -> None:
        self._write(codes.ENROLMENT_CLAIMED, Agent.account(account), outcome=Outcome.DENIED, reasons=(code,))

    def _write(
        self,
        code: str,
        actor: Agent,
        *,
        outcome: Outcome = Outcome.CHANGED,
        subject: SubjectId | None = None,
        reasons: tuple[str, ...] = (),
        detail: Mapping[str, DetailValue] | None = None,
    ) -> None:
        self._log.append(
            AuditEvent(
                type=code,
                outcome=outcome,
                occurred_at_ms=self._clock() * 1000,
                actor=actor,
                subject=subject,
                reasons=reasons,
                detail=detail or {},
            )
        )


def _agent(kind: PrincipalKind, principal_id: str) -> Agent:
    return Agent(_AGENTS[kind], principal_id.lower()) if principal_id else Agent(AgentKind.ANONYMOUS, "")


def _of(principal: str) -> Agent:
    kind, _, identifier = principal.partition(":")
    return _agent(PrincipalKind(kind), identifier)


def _by(actor: str) -> Agent:
    """``by`` is a staff id, a principal, or a part of the service."""
    if ":" in actor:
        return _of(actor)
    return Agent(AgentKind.STAFF, actor) if actor else _SERVICE

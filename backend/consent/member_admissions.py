"""Admitting and reinstating members. Both widen, so they wait out the registry's delay.

An act of the outbox announces the change where the contract demands it, and carries it out when its time has
come, through restarts. A stop that is asked for meanwhile calls it off.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from backend.audit.entry import Agent, Outcome
from backend.audit.log import AuditLog
from backend.consent.ledger_types import NOBODY, MemberStanding, Receipt
from backend.consent.member_entries import RECEIVED, MemberEntries
from backend.consent.member_order import (
    ADMISSION,
    ANNOUNCED,
    CARRIED_OUT,
    REINSTATEMENT,
    MemberNotAdmitted,
    MemberOrder,
    MemberRemoved,
    MemberUnknown,
)
from backend.consent.member_registry import (
    CUSTODIAN_ROLES,
    Credential,
    Hindrance,
    MemberNames,
    MemberRegistry,
    Widening,
)
from backend.errors import Conflict, InvalidInput, Unavailable
from backend.idempotency import Attempt
from backend.identity.roles import CHAIN_BIT_OF_ROLE, Role
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.types import Address, MemberId, UnixSeconds

_LOG = logging.getLogger("assent.members")
_DAY_SECONDS: Final = 24 * 3600


class RolesNotOnChain(InvalidInput):
    code = "roles_not_on_chain"
    remedy = "Name a role that an organisation can have: " + ", ".join(
        role.value for role in CHAIN_BIT_OF_ROLE
    )


class AccountHeld(Conflict):
    """The account belongs to another member."""

    code = "account_held"
    remedy = "Use an account that no other member has."


class MemberDiffers(Conflict):
    """The id is a member's already, with another account, other roles, or no longer in standing."""

    code = "member_differs"
    remedy = (
        "Compare id and account with what 'assent ledger join' shows there, and with your list of members."
    )


class ChangeWaits(Unavailable):
    """The delay of an announced admission or reinstatement has not passed."""

    code = "member_change_waits"
    remedy = "Nothing to do: it takes effect by itself when the registry's delay has passed."


class ChangeCalledOff(Conflict):
    """The member was suspended or removed while its admission or reinstatement waited."""

    code = "member_change_called_off"
    remedy = "If it is still wanted, ask for it again."


class AnnouncementWithdrawn(Conflict):
    """Somebody who may do so took the announcement back on the chain itself."""

    code = "announcement_withdrawn"
    remedy = "Find out who withdrew it on the chain, and why, before you ask for it again."


class MemberAdmissions:
    """Build the steps once, with the constructor, before acts are driven.

    ``delay_seconds``: the delay this deployment was made with. The contract, not this number, decides.
    """

    def __init__(
        self,
        *,
        registry: MemberRegistry,
        names: MemberNames,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        delay_seconds: int,
        clock: Callable[[], int],
    ) -> None:
        self._registry = registry
        self._names = names
        self._order = MemberOrder(outbox)
        self._outbox = outbox
        self._driver = driver
        self._entries = MemberEntries(audit=audit, clock=clock)
        self._delay_seconds = delay_seconds
        for kind in (ADMISSION, REINSTATEMENT):
            outbox.register(
                kind,
                {
                    "received": self._log,
                    "logged": self._announce,
                    ANNOUNCED: self._carry_out,
                    CARRIED_OUT: self._log_effect,
                },
            )

    def admit(
        self,
        name: str,
        *,
        roles: frozenset[Role],
        account: Address | None,
        days: int,
        attempt: Attempt,
        by: Agent,
    ) -> MemberId:
        """Admit an organisation under a random id, the same for each try of an attempt; or announce it.

        Raises RolesNotOnChain, AccountHeld, and LedgerUnavailable before anything was begun.
        """
        member = MemberId(attempt.draw("member id"))
        if attempt.finished:
            return member
        bits = sum(CHAIN_BIT_OF_ROLE.get(role, 0) for role in roles)
        if not bits:
            raise RolesNotOnChain(field="roles")
        if self._registry.holder(account or NOBODY) not in (None, member):
            raise AccountHeld(field="account")
        self._names.put(member, name)
        # Counted from the first try, so that a later one asks the chain for exactly the same; and from the
        # end of the delay, so that a short credential is not over before it begins.
        expiry = attempt.begun_at + self._delay_seconds + days * _DAY_SECONDS
        credential = Credential(bits, UnixSeconds(expiry), account or NOBODY)
        self._begin(Widening(member, credential), member.hex(), stops=0, by=by)
        return member

    def admit_custodian(
        self, name: str, *, member: MemberId, account: Address, days: int, begun_at: int, by: Agent
    ) -> None:
        """Admit an organisation that runs a service of its own, under the id that its service drew; or
        announce that. The same again changes nothing.

        ``begun_at``: unix seconds that ``days`` are counted from, after the delay. Raises MemberDiffers,
        AccountHeld, and LedgerUnavailable before anything was begun.
        """
        found = self._registry.member(member)
        wanted = (CUSTODIAN_ROLES, account.lower())
        if found.standing != MemberStanding.UNKNOWN:
            there = (found.roles, found.account.lower())
            if found.standing != MemberStanding.ACTIVE or there != wanted:
                raise MemberDiffers(field="member_id")
            return
        if self._registry.holder(account) not in (None, member):
            raise AccountHeld(field="account")
        for act in self._order.widenings_under_way(member):
            credential = _widening(act).credential
            if credential is None or (credential.roles, credential.account.lower()) != wanted:
                raise MemberDiffers(field="member_id")
            return
        self._names.put(member, name)
        expiry = UnixSeconds(begun_at + self._delay_seconds + days * _DAY_SECONDS)
        act_id = member.hex()
        while (earlier := self._outbox.find(ADMISSION, act_id)) is not None and earlier.is_over:
            act_id += "/again"
        widening = Widening(member, Credential(CUSTODIAN_ROLES, expiry, account))
        self._begin(widening, act_id, stops=self._order.next_stop(member), by=by)

    def reinstate(self, member: MemberId, *, by: Agent) -> None:
        """End a suspension, or announce that. The same again, and of an active member, changes nothing.

        Raises MemberUnknown, MemberNotAdmitted, MemberRemoved, LedgerUnavailable.
        """
        # Before the chain: a stop that ends between the two would leave a member that looks unstopped.
        stopping = self._order.stops_under_way(member)
        found = self._registry.member(member)
        if found.standing == MemberStanding.UNKNOWN:
            waits = self._order.widenings_under_way(member)
            raise MemberNotAdmitted(field="member") if waits else MemberUnknown(field="member")
        if MemberStanding.REMOVED in (found.standing, *(act.data["wanted"] for act in stopping)):
            raise MemberRemoved(field="member")
        if found.standing == MemberStanding.ACTIVE and not stopping:
            return
        for stop in stopping:
            with suppress(Unavailable):  # else the reinstatement waits for it
                self._outbox.drive(stop)
        stops = self._order.next_stop(member)
        act_id = f"{member.hex()}/{stops}"
        while (earlier := self._outbox.find(REINSTATEMENT, act_id)) is not None and earlier.is_over:
            act_id += "/again"
        self._begin(Widening(member), act_id, stops=stops, by=by)

    def _begin(self, widening: Widening, act_id: str, *, stops: int, by: Agent) -> None:
        credential = widening.credential
        data = {
            "digest": hashlib.sha256(repr(widening).encode()).digest(),
            "member": bytes(widening.member),
            "credential": None
            if credential is None
            else [credential.roles, credential.expiry, credential.account],
            "stops": stops,
            "by": [by.kind.value, by.id],
            "effective_from": None,
        }
        kind = REINSTATEMENT if credential is None else ADMISSION
        act = self._outbox.begin(kind, act_id, state="received", data=data)
        try:
            act = self._outbox.drive(act, until=ANNOUNCED)
            if act.state != ANNOUNCED:
                self._outbox.drive(act)
        except Unavailable:
            self._driver.hand_over(act)  # it is durable, and goes on by itself

    def _log(self, act: Act) -> Advance:
        self._entries.append(act, RECEIVED, Outcome.CHANGED, {"change": act.kind})
        return Advance("logged", {})

    def _announce(self, act: Act) -> Advance:
        outcome = self._try(act)
        if isinstance(outcome, Hindrance):
            return self._announced(act)
        return _carried_out(outcome)

    def _carry_out(self, act: Act) -> Advance:
        outcome = self._try(act)
        if outcome is Hindrance.NOT_DUE:
            raise ChangeWaits
        if outcome is Hindrance.NOT_ANNOUNCED:
            # It was announced, so somebody took it back. To announce it again would undo what they did.
            raise self._refused(act, AnnouncementWithdrawn())
        if outcome is Hindrance.LAPSED:
            return self._announced(act)
        return _carried_out(outcome)

    def _announced(self, act: Act) -> Advance:
        return Advance(ANNOUNCED, {"effective_from": self._registry.announce(_widening(act))})

    def _try(self, act: Act) -> Receipt | Hindrance | None:
        """Carry the change out if that is possible now; None where it was before."""
        widening, stops = _widening(act), act.data["stops"]
        if self._order.stop(widening.member, stops) is not None:
            # Else what was announced could be carried out later without a delay.
            self._registry.withdraw(widening)
            raise self._refused(act, ChangeCalledOff())
        if self._order.stops_under_way(widening.member, before=stops):
            raise ChangeWaits
        try:
            if widening.credential is None:
                match self._registry.member(widening.member).standing:
                    case MemberStanding.ACTIVE:
                        return None
                    case MemberStanding.REMOVED:
                        raise MemberRemoved
                    case _:
                        pass
            return self._registry.widen(widening)
        except Conflict as refusal:
            raise self._refused(act, refusal) from refusal

    def _refused(self, act: Act, refusal: Conflict) -> Conflict:
        _LOG.warning(
            "the change of a member came to nothing",
            extra={"code": refusal.code, "reason": refusal.detail, "act": act.act_id, "kind": act.kind},
        )
        self._entries.append(act, "refused", Outcome.DENIED, {"change": act.kind}, reasons=(refusal.code,))
        return refusal

    def _log_effect(self, act: Act) -> Advance:
        done = "admitted" if act.kind == ADMISSION else "reinstated"
        self._entries.append(act, "effect", Outcome.CHANGED, {"change": done})
        return Advance(DONE, {})


def _carried_out(receipt: Receipt | None) -> Advance:
    return Advance(CARRIED_OUT, {} if receipt is None else {"block": receipt.block_number})


def _widening(act: Act) -> Widening:
    credential = act.data["credential"]
    if credential is None:
        return Widening(MemberId(act.data["member"]))
    roles, expiry, account = credential
    return Widening(MemberId(act.data["member"]), Credential(roles, UnixSeconds(expiry), Address(account)))

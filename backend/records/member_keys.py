"""Organisations' encryption keys: the registry of participants names the hash, the index has the bytes.

To set or replace a hash amends the member's entry, which waits out the registry's delay as an admission does.
An act of the outbox announces it where the contract demands that, and carries it out when its time has come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import Any, Final

from backend.audit.entry import Agent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.member_admissions import AnnouncementWithdrawn, ChangeWaits
from backend.consent.member_entries import RECEIVED, MemberEntries
from backend.consent.member_order import ANNOUNCED, CARRIED_OUT, MemberUnknown
from backend.consent.member_registry import Hindrance
from backend.errors import Conflict, Unavailable
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.records.key_errors import MemberChangedMeanwhile, MemberKeyDiffers
from backend.records.ports import KeyHolder, MemberCredential, MemberKeyRegistry, PublicKeyStore
from backend.records.sealing import RecipientKey
from backend.types import Address, Bytes32, MemberId, UnixSeconds

AMENDMENT: Final = "member_key"
_NONE: Final = Bytes32(bytes(32))


@dataclass(frozen=True, slots=True)
class MemberKeyState:
    """``key_hash``: what the registry names at the head. ``effective_from``: when a new key that waits may
    take its place; None where none waits or it is not announced yet."""

    key_hash: Bytes32 | None
    is_pending: bool
    effective_from: UnixSeconds | None


class MemberKeys:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        registry: MemberKeyRegistry,
        store: PublicKeyStore,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        clock: Callable[[], int],
    ) -> None:
        self._registry = registry
        self._store = store
        self._outbox = outbox
        self._driver = driver
        self._entries = MemberEntries(audit=audit, clock=clock)
        outbox.register(
            AMENDMENT,
            {
                "received": self._log,
                "logged": self._announce,
                ANNOUNCED: self._carry_out,
                CARRIED_OUT: self._log_effect,
            },
        )

    def state(self, member: MemberId) -> MemberKeyState:
        """Raise MemberUnknown, LedgerUnavailable."""
        found = self._credential(member)
        waiting = [act for act in self._outbox.unfinished(AMENDMENT) if act.data["member"] == member]
        return MemberKeyState(
            key_hash=None if found.key_hash == _NONE else found.key_hash,
            is_pending=bool(waiting),
            effective_from=waiting[-1].data["effective_from"] if waiting else None,
        )

    def set(self, member: MemberId, key: RecipientKey, *, replacing: bool, by: Agent) -> MemberKeyState:
        """Keep a member's public key, and have the registry name it. The same again changes nothing.

        ``replacing``: whether the caller may put it in the place of another. Raise MemberUnknown,
        MemberKeyDiffers; LedgerUnavailable before anything was begun.
        """
        found = self._credential(member)
        if found.key_hash not in (_NONE, key.id) and not replacing:
            raise MemberKeyDiffers(field="public_key")
        self._store.put(KeyHolder(member), key.id, key.encoded)
        if found.key_hash != key.id:
            self._begin(member, found, Bytes32(key.id), by)
        return self.state(member)

    def _begin(self, member: MemberId, found: MemberCredential, key_hash: Bytes32, by: Agent) -> None:
        act_id = f"{member.hex()}/{hashlib.sha256(repr((found, key_hash)).encode()).hexdigest()[:32]}"
        while (earlier := self._outbox.find(AMENDMENT, act_id)) is not None and earlier.is_over:
            act_id += "/again"
        data = {
            "digest": key_hash,
            "member": bytes(member),
            "credential": list(astuple(found)),  # as it must still be when the change is carried out
            "key_hash": key_hash,
            "by": [by.kind.value, by.id],
            "effective_from": None,
        }
        act = self._outbox.begin(AMENDMENT, act_id, state="received", data=data)
        try:
            act = self._outbox.drive(act, until=ANNOUNCED)
            if act.state != ANNOUNCED:
                self._outbox.drive(act)
        except Unavailable:
            pass
        if not act.is_over:
            self._driver.hand_over(act)  # it is durable, and goes on by itself

    def _log(self, act: Act) -> Advance:
        self._append(act, RECEIVED, Outcome.CHANGED, "encryption_key_asked")
        return Advance("logged", {})

    def _announce(self, act: Act) -> Advance:
        return self._announced(act) if self._try(act) else Advance(CARRIED_OUT, {})

    def _carry_out(self, act: Act) -> Advance:
        match self._try(act):
            case Hindrance.NOT_DUE:
                raise ChangeWaits
            case Hindrance.NOT_ANNOUNCED:
                # It was announced, so somebody took it back. To announce it again would undo what they did.
                raise self._refused(act, AnnouncementWithdrawn())
            case Hindrance.LAPSED:
                return self._announced(act)
            case None:
                return Advance(CARRIED_OUT, {})

    def _announced(self, act: Act) -> Advance:
        member, _, wanted = _change(act)
        return Advance(ANNOUNCED, {"effective_from": self._registry.announce(member, wanted)})

    def _try(self, act: Act) -> Hindrance | None:
        """Carry it out if that is possible now; None where it was before."""
        member, before, wanted = _change(act)
        found = self._registry.credential(member)
        if found == wanted:
            return None
        if found != before:
            # An amendment replaces the whole entry: it would give back a role that was taken away meanwhile.
            self._registry.withdraw(member, wanted)
            raise self._refused(act, MemberChangedMeanwhile())
        try:
            return self._registry.amend(member, wanted)
        except Conflict as refusal:
            raise self._refused(act, refusal) from refusal

    def _refused(self, act: Act, refusal: Conflict) -> Conflict:
        self._append(act, "refused", Outcome.DENIED, "encryption_key", reasons=(refusal.code,))
        return refusal

    def _log_effect(self, act: Act) -> Advance:
        self._append(act, "effect", Outcome.CHANGED, "encryption_key")
        return Advance(DONE, {})

    def _credential(self, member: MemberId) -> MemberCredential:
        found = self._registry.credential(member)
        if found is None:
            raise MemberUnknown(field="member")
        return found

    def _append(
        self, act: Act, step: str, outcome: Outcome, change: str, *, reasons: tuple[str, ...] = ()
    ) -> None:
        detail: dict[str, DetailValue] = {"change": change, "key": bytes(act.data["key_hash"])}
        self._entries.append(act, step, outcome, detail, reasons=reasons)


def _change(act: Act) -> tuple[MemberId, MemberCredential, MemberCredential]:
    """Return the member, its entry as the act found it, and the one it is to get."""
    account, roles, expiry, credential_hash, key_hash = act.data["credential"]
    before = MemberCredential(
        Address(account), roles, UnixSeconds(expiry), Bytes32(credential_hash), Bytes32(key_hash)
    )
    member: Any = act.data["member"]
    return MemberId(member), before, replace(before, key_hash=Bytes32(act.data["key_hash"]))

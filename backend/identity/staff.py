"""Accounts of people who work with the custodian: made by operators and used with a password, or made for
whoever an identity provider vouches for.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from backend.errors import InvalidInput
from backend.idempotency import Attempt, IdempotencyKeyReused
from backend.identity.errors import (
    AccountChanged,
    AccountTaken,
    LastOperator,
    SignInFailed,
    SignInLocked,
    StaffUnknown,
    UsernameInvalid,
    UsernameTaken,
)
from backend.identity.openid.errors import ManagedByProvider
from backend.identity.passwords import Passwords
from backend.identity.ports import AttemptCounter, IdentityAudit, StaffStore
from backend.identity.roles import STAFF_ROLES, Role
from backend.identity.seal import Sealer
from backend.identity.standing import Standing
from backend.identity.tokens import FAMILY_SECONDS, Tokens
from backend.identity.types import PrincipalKind, StaffAccount, TokenPair
from backend.types import Address, MemberId, UnixSeconds

MAX_FAILURES: Final = 5
LOCK_SECONDS: Final = 15 * 60
BY_PROVIDER: Final = "sso"  # after the at-sign in names of accounts that an identity provider vouches for
_USERNAME: Final = re.compile(r"[a-z0-9._@-]{3,64}")


class StaffAccounts:
    def __init__(
        self,
        *,
        store: StaffStore,
        attempts: AttemptCounter,
        passwords: Passwords,
        standing: Standing,
        tokens: Tokens,
        sealer: Sealer,
        audit: IdentityAudit,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._attempts = attempts
        self._passwords = passwords
        self._standing = standing
        self._tokens = tokens
        self._sealer = sealer
        self._audit = audit
        self._clock = clock
        self._taking_away = threading.Lock()

    def create(
        self,
        username: str,
        password: str,
        *,
        roles: frozenset[Role],
        member_id: MemberId | None = None,
        organisations: tuple[MemberId, ...] = (),
        account: Address | None = None,
        by: str,
        attempt: Attempt | None = None,
    ) -> StaffAccount:
        """Make an account. ``by``: who makes it, a principal's name or an operator's program.

        A retry of the attempt returns the account as it is now. Raises UsernameInvalid, UsernameTaken,
        PasswordUnacceptable, InvalidInput for a role staff cannot have, IdempotencyKeyReused.
        """
        attempt = attempt or Attempt.only(now=self._clock())
        name = username.strip().lower()
        if not _USERNAME.fullmatch(name):
            raise UsernameInvalid(field="username")
        _require_staff_roles(roles)
        self._passwords.require_acceptable(password, username=name)
        made = self._sealer.seal(
            StaffAccount(
                staff_id=attempt.draw("staff id", 16).hex(),
                username=name,
                password=self._passwords.hash(password),
                roles=roles,
                member_id=member_id,
                organisations=organisations,
                account=account,
                disabled=False,
                created_at=UnixSeconds(self._clock()),
                revision=1,
            )
        )
        if not self._store.insert(made):
            made = self._made_before(made.staff_id, password)
        if not attempt.finished:
            self._audit.staff_changed(staff_id=made.staff_id, by=by, change="created", roles=roles)
        return made

    def sign_in(self, username: str, password: str) -> TokenPair:
        """Check name and password. Raises SignInLocked or SignInFailed, alike for names nobody has."""
        name = username.strip().lower()
        return self._start(self._proved(name, password), seconds=FAMILY_SECONDS)

    def of_provider(
        self, staff_id: str, *, called: str, roles: frozenset[Role], member_id: MemberId
    ) -> StaffAccount:
        """Return the account of somebody whom an identity provider vouches for, as the provider has them now.

        It is made when they first come; ``called``: what the provider calls them, for operators to know them
        by. A change ends their sessions. Raises AccountChanged.
        """
        known = self.find(staff_id)
        if known is None:
            return self._make_of_provider(staff_id, called, roles, member_id)
        if (known.roles, known.member_id) == (roles, member_id):
            return known
        return self._change(replace(known, roles=roles, member_id=member_id), by="", change="roles")

    def start_of_provider(self, account: StaffAccount, *, seconds: int) -> TokenPair:
        """Begin a session of at most ``seconds``. Raises SignInFailed when the account changed meanwhile."""
        return self._start(account, seconds=seconds)

    def end_sessions(self, staff_id: str) -> None:
        """End all sessions of an account, if there is one: its provider ended them."""
        self._tokens.end_all(_principal(staff_id), by="")

    def change_password(self, staff_id: str, *, old: str, new: str) -> None:
        """Set a new password after the old one was proved. Ends all sessions of the account.

        Raises ManagedByProvider, as do the next two.
        """
        self._require_own(staff_id)
        current = self._proved(self.get(staff_id).username, old)
        self._set_password(current, new, by=_principal(staff_id), change="password")

    def reset_password(self, staff_id: str, new: str, *, by: str) -> None:
        """Set a new password for somebody who forgot it, and lift a lock. Ends all sessions."""
        self._require_own(staff_id)
        account = self.get(staff_id)
        self._set_password(account, new, by=by, change="password_reset")
        self._attempts.clear(_attempt_key(account.username))

    def set_roles(self, staff_id: str, roles: frozenset[Role], *, by: str) -> StaffAccount:
        """Replace the roles. Sessions end: their tokens carry the old ones. Raises LastOperator."""
        _require_staff_roles(roles)
        self._require_own(staff_id)
        with self._taking_away:
            if Role.OPERATOR not in roles:
                self._require_other_operator(staff_id)
            return self._change(replace(self.get(staff_id), roles=roles), by=by, change="roles")

    def link(self, staff_id: str, account: Address) -> StaffAccount:
        """Set the wallet with which this person signs, once it was proved to be theirs. Sessions end: their
        tokens name the old one. Raises AccountTaken where another person signs with it."""
        if any(other.account == account for other in self.all() if other.staff_id != staff_id):
            raise AccountTaken(field="message")
        changed = replace(self.get(staff_id), account=account)
        return self._change(changed, by=_principal(staff_id), change="account")

    def disable(self, staff_id: str, *, by: str) -> StaffAccount:
        """Close the account and end its sessions. Raises LastOperator."""
        with self._taking_away:
            self._require_other_operator(staff_id)
            return self._change(replace(self.get(staff_id), disabled=True), by=by, change="disabled")

    def enable(self, staff_id: str, *, by: str) -> StaffAccount:
        return self._change(replace(self.get(staff_id), disabled=False), by=by, change="enabled")

    def get(self, staff_id: str) -> StaffAccount:
        """Raises StaffUnknown."""
        account = self.find(staff_id)
        if account is None:
            raise StaffUnknown
        return account

    def find(self, staff_id: str) -> StaffAccount | None:
        """Return the account, or None for one that does not exist."""
        account = self._store.get(staff_id)
        return None if account is None else self._sealer.check(account)

    def all(self) -> Sequence[StaffAccount]:
        return [self._sealer.check(account) for account in self._store.all()]

    def _start(self, account: StaffAccount, *, seconds: int) -> TokenPair:
        pair = self._tokens.start(self._standing.of_staff(account), seconds=seconds)
        current = self._store.get(account.staff_id)
        if current is None or current.revision != account.revision:
            # Disabled or changed while it signed in, perhaps before this family could be ended with the rest.
            self._tokens.end_all(_principal(account.staff_id), by="")
            raise SignInFailed
        return pair

    def _make_of_provider(
        self, staff_id: str, called: str, roles: frozenset[Role], member_id: MemberId
    ) -> StaffAccount:
        wanted = re.sub(r"[^a-z0-9._-]", "", called.split("@", maxsplit=1)[0].lower())[:32] or "person"
        # The name is for people to read. It links to nobody: ids alone say who is who.
        for username in (f"{wanted}@{BY_PROVIDER}", f"{wanted}.{staff_id[:16]}@{BY_PROVIDER}"):
            made = self._sealer.seal(
                StaffAccount(
                    staff_id=staff_id,
                    username=username,
                    password="",
                    roles=roles,
                    member_id=member_id,
                    organisations=(),
                    account=None,
                    disabled=False,
                    created_at=UnixSeconds(self._clock()),
                    revision=1,
                )
            )
            if self._store.insert(made):
                self._audit.staff_changed(staff_id=staff_id, by="", change="created", roles=roles)
                return made
        return self.get(staff_id)  # made by another sign-in at the same moment

    def _require_own(self, staff_id: str) -> None:
        if self.get(staff_id).by_provider:
            raise ManagedByProvider

    def _made_before(self, staff_id: str, password: str) -> StaffAccount:
        """Return the account that an earlier try of the same attempt made."""
        known = self._store.get(staff_id)
        if known is None:
            raise UsernameTaken(field="username")
        self._sealer.check(known)
        # The request's fingerprint leaves the password out, so it is compared here. Not after a change: the
        # answer would tell whoever made the account whether a guess at the person's own password is right.
        if known.revision == 1 and not self._passwords.matches(password, known.password):
            raise IdempotencyKeyReused(field="Idempotency-Key")
        return known

    def _require_other_operator(self, staff_id: str) -> None:
        # Two processes could each take one of the last two away at the same moment. That is not for ever:
        # 'assent users add NAME --role operator' works on a stopped service without any account. Operators of
        # an identity provider are not counted: it may be away, or take the role from them.
        operators = {
            account.staff_id
            for account in self.all()
            if Role.OPERATOR in account.roles and not account.disabled and not account.by_provider
        }
        if operators == {staff_id}:
            raise LastOperator

    def _proved(self, name: str, password: str) -> StaffAccount:
        # Counted before the check: of many guesses at once no more than five are looked at.
        key = _attempt_key(name)
        if not self._attempts.reserve(
            key, now=UnixSeconds(self._clock()), limit=MAX_FAILURES, lock_seconds=LOCK_SECONDS
        ):
            self._refused("", SignInLocked.code)
            raise SignInLocked
        account = self._store.by_username(name) if _USERNAME.fullmatch(name) else None
        if account is not None:
            self._sealer.check(account)
        proved = self._passwords.matches(password, None if account is None else account.password or None)
        if account is None or not proved or account.disabled:
            self._refused("" if account is None else account.staff_id, SignInFailed.code)
            raise SignInFailed
        self._attempts.clear(key)
        if self._passwords.is_outdated(account.password):
            renewed = replace(account, password=self._passwords.hash(password), revision=account.revision + 1)
            self._store.replace(self._sealer.seal(renewed))  # losing the race leaves the old cost: harmless
            return renewed
        return account

    def _set_password(self, account: StaffAccount, new: str, *, by: str, change: str) -> None:
        self._passwords.require_acceptable(new, username=account.username)
        self._change(replace(account, password=self._passwords.hash(new)), by=by, change=change)

    def _change(self, changed: StaffAccount, *, by: str, change: str) -> StaffAccount:
        sealed = self._sealer.seal(replace(changed, revision=changed.revision + 1))
        if not self._store.replace(sealed):
            raise AccountChanged
        self._tokens.end_all(_principal(sealed.staff_id), by=by)
        self._audit.staff_changed(staff_id=sealed.staff_id, by=by, change=change, roles=sealed.roles)
        return sealed

    def _refused(self, staff_id: str, code: str) -> None:
        self._audit.sign_in_refused(kind=PrincipalKind.STAFF, principal_id=staff_id, code=code)


def _principal(staff_id: str) -> str:
    return f"{PrincipalKind.STAFF}:{staff_id}"


def _attempt_key(username: str) -> str:
    # Hashed, because people type passwords into the wrong field; the store keys it.
    return "staff:" + hashlib.sha256(username.encode(errors="replace")).hexdigest()


def _require_staff_roles(roles: frozenset[Role]) -> None:
    if not roles or not roles <= STAFF_ROLES:
        raise InvalidInput("A staff account needs roles, and only those that people can have.", field="roles")

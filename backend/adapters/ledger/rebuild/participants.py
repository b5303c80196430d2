"""``ParticipantRegistry`` from its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed
from backend.adapters.ledger.rebuild.words import Entry, pack, word
from backend.consent.ledger_types import NOBODY, MemberStanding


@dataclass(slots=True)
class Member:
    """As ``IParticipantRegistry.Member``; ``account`` is lower-case hex."""

    account: str
    roles: int
    expiry: int
    standing: int
    credential_hash: bytes
    key_hash: bytes


class Participants(Replayed):
    """Members, whose accounts are whose, and what ``hasRole`` reads."""

    CONTRACT = "ParticipantRegistry"

    def __init__(self) -> None:
        self.authority = str(NOBODY)
        self.members: dict[bytes, Member] = {}
        self.member_of: dict[str, bytes] = {}
        self.active_roles: dict[str, int] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "AuthorityUpdated": self._authority_updated,
            "MemberAdmitted": self._admitted,
            "MemberAmended": self._amended,
            "MemberRolesReduced": self._roles_reduced,
            "MemberSuspended": lambda given, _: self._stand(given, MemberStanding.SUSPENDED),
            "MemberReinstated": lambda given, _: self._stand(given, MemberStanding.ACTIVE),
            "MemberRemoved": lambda given, _: self._stand(given, MemberStanding.REMOVED),
        }

    def has_role(self, account: str, role: int, time: int) -> bool:
        """Return what ``hasRole`` says at a time."""
        active = self.active_roles.get(account, 0)
        return bool(active & role) and time < active >> 16

    def storage(self) -> Iterator[Entry]:
        # The flag beside the authority is set within a call and cleared before its end.
        yield Entry("_authority", (), int(self.authority, 16))
        for member, found in self.members.items():
            packed = pack(
                (int(found.account, 16), 160), (found.roles, 16), (found.expiry, 40), (found.standing, 8)
            )
            yield Entry("_members", (member, 0), packed)
            yield Entry("_members", (member, 1), int.from_bytes(found.credential_hash))
            yield Entry("_members", (member, 2), int.from_bytes(found.key_hash))
        for account, member in self.member_of.items():
            yield Entry("_memberOf", (word(account),), int.from_bytes(member))
        for account, roles in self.active_roles.items():
            yield Entry("_activeRoles", (word(account),), roles)

    def _authority_updated(self, given: Arguments, _: Moment) -> None:
        self.authority = given["authority"]

    def _admitted(self, given: Arguments, _: Moment) -> None:
        self._write(given, MemberStanding.ACTIVE)

    def _amended(self, given: Arguments, _: Moment) -> None:
        old = self.members[given["member"]]
        if old.account not in (NOBODY, given["account"]):
            self.member_of[old.account] = bytes(32)
            self.active_roles[old.account] = 0
        self._write(given, old.standing)

    def _write(self, given: Arguments, standing: int) -> None:
        self.members[given["member"]] = Member(
            given["account"],
            given["roles"],
            given["credentialExpiry"],
            standing,
            given["credentialHash"],
            given["keyHash"],
        )
        self._note(given["member"])

    def _roles_reduced(self, given: Arguments, _: Moment) -> None:
        self.members[given["member"]].roles = given["roles"]
        self._note(given["member"])

    def _stand(self, given: Arguments, standing: int) -> None:
        self.members[given["member"]].standing = standing
        self._note(given["member"])

    def _note(self, member: bytes) -> None:
        found = self.members[member]
        if found.account == NOBODY:
            return
        self.member_of[found.account] = member
        is_active = found.standing == MemberStanding.ACTIVE
        self.active_roles[found.account] = pack((found.roles, 16), (found.expiry, 40)) if is_active else 0

"""OpenZeppelin's ``AccessManager`` (5.3) from its events: who may admit, and what is announced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, pack, word

_UINT32 = 2**32 - 1


@dataclass(slots=True)
class Target:
    """A contract whose functions are managed. ``admin_delay`` is packed as ``Time.Delay``."""

    roles: dict[bytes, int] = field(default_factory=dict)  # selector to role
    admin_delay: int = 0
    closed: bool = False


@dataclass(slots=True)
class Role:
    """``members``: account to (since, packed delay); since 0 where it was taken away."""

    members: dict[str, tuple[int, int]] = field(default_factory=dict)
    admin: int = 0
    guardian: int = 0
    grant_delay: int = 0


@dataclass(slots=True)
class Operation:
    """A call that was announced. ``due`` 0: carried out or called off."""

    due: int
    nonce: int
    caller: str
    target: str
    data: bytes


class Access(Replayed):
    CONTRACT = "AccessManager"

    def __init__(self) -> None:
        self.targets: dict[str, Target] = defaultdict(Target)
        self.roles: dict[int, Role] = defaultdict(Role)
        self.operations: dict[bytes, Operation] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "OperationScheduled": self._scheduled,
            "OperationExecuted": self._over,
            "OperationCanceled": self._over,
            "RoleLabel": nothing,
            "RoleGranted": self._granted,
            "RoleRevoked": self._revoked,
            "RoleAdminChanged": self._admin_changed,
            "RoleGuardianChanged": self._guardian_changed,
            "RoleGrantDelayChanged": self._grant_delay_changed,
            "TargetFunctionRoleUpdated": self._function_role_updated,
            "TargetAdminDelayUpdated": self._admin_delay_updated,
            "TargetClosed": self._closed,
        }

    def storage(self) -> Iterator[Entry]:
        for target, found in self.targets.items():
            for selector, role in found.roles.items():
                yield Entry("_targets", (word(target), 0, selector.ljust(32, b"\0")), role)
            yield Entry("_targets", (word(target), 1), pack((found.admin_delay, 112), (found.closed, 8)))
        for number, each in self.roles.items():
            for account, (since, delay) in each.members.items():
                yield Entry("_roles", (word(number), 0, word(account)), pack((since, 48), (delay, 112)))
            packed = pack((each.admin, 64), (each.guardian, 64), (each.grant_delay, 112))
            yield Entry("_roles", (word(number), 1), packed)
        for identity, operation in self.operations.items():
            yield Entry("_schedules", (identity,), pack((operation.due, 48), (operation.nonce, 32)))

    def _scheduled(self, given: Arguments, _: Moment) -> None:
        self.operations[given["operationId"]] = Operation(
            given["schedule"], given["nonce"], given["caller"], given["target"], given["data"]
        )

    def _over(self, given: Arguments, _: Moment) -> None:
        self.operations[given["operationId"]].due = 0

    def _granted(self, given: Arguments, moment: Moment) -> None:
        members = self.roles[given["roleId"]].members
        if given["newMember"]:
            members[given["account"]] = (given["since"], given["delay"])
        else:
            since, delay = members[given["account"]]
            members[given["account"]] = (since, _updated(delay, given["delay"], given["since"], moment))

    def _revoked(self, given: Arguments, _: Moment) -> None:
        self.roles[given["roleId"]].members[given["account"]] = (0, 0)

    def _admin_changed(self, given: Arguments, _: Moment) -> None:
        self.roles[given["roleId"]].admin = given["admin"]

    def _guardian_changed(self, given: Arguments, _: Moment) -> None:
        self.roles[given["roleId"]].guardian = given["guardian"]

    def _grant_delay_changed(self, given: Arguments, moment: Moment) -> None:
        role = self.roles[given["roleId"]]
        role.grant_delay = _updated(role.grant_delay, given["delay"], given["since"], moment)

    def _function_role_updated(self, given: Arguments, _: Moment) -> None:
        self.targets[given["target"]].roles[given["selector"]] = given["roleId"]

    def _admin_delay_updated(self, given: Arguments, moment: Moment) -> None:
        target = self.targets[given["target"]]
        target.admin_delay = _updated(target.admin_delay, given["delay"], given["since"], moment)

    def _closed(self, given: Arguments, _: Moment) -> None:
        self.targets[given["target"]].closed = given["closed"]


def _updated(delay: int, after: int, effect: int, moment: Moment) -> int:
    """Return ``Time.Delay.withUpdate``: after 32, before 32, effect 48, from the low end up."""
    is_due = delay >> 64 <= moment.time
    before = delay & _UINT32 if is_due else delay >> 32 & _UINT32
    return pack((after, 32), (before, 32), (effect, 48))

"""Attempts at the register of participants and its AccessManager."""

from __future__ import annotations

from typing import Any

import eth_abi
from eth_utils.crypto import keccak

from backend.adapters.ledger.abi import artifact
from backend.types import Address
from tests.support.access.attempt import Attempt, Maker, attempt, tries
from tests.support.access.documents import ALWAYS, word
from tests.support.access.known import sealed
from tests.support.access.world import ADMISSION, SUSPENSION, AccessWorld, Sign

_ADMITTED = word("member to be")


def operation_id(caller: Address, target: Address, data: bytes) -> bytes:
    """Return the AccessManager's name of a scheduled call."""
    return keccak(eth_abi.encode(["address", "address", "bytes"], [caller, target, data]))


def _admission(w: AccessWorld, member: bytes = _ADMITTED) -> tuple[Any, ...]:
    return (member, w.account("newcomer"), 1, ALWAYS, sealed("credential"), word("public keys"))


@tries("ParticipantRegistry.admit")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(*_admission(w))


@tries("ParticipantRegistry.admit/unscheduled")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    arguments = _admission(w, word("another member to be"))
    data = w.data("ParticipantRegistry", "admit", *arguments)
    return attempt(*arguments, operation=_operation(w, who, "ParticipantRegistry", data))


@tries("ParticipantRegistry.amend")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(*_admission(w, w.member("provider")))


@tries("ParticipantRegistry.reinstate")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.member("suspended"))


@tries("ParticipantRegistry.reduceRoles")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.member("provider"), 2)


@tries("ParticipantRegistry.suspend")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.member("provider"))


@tries("ParticipantRegistry.remove")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.member("provider"))


@tries("ParticipantRegistry.setAuthority")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.contracts["Token"])  # only a contract may be one


# --- the AccessManager


def _operation(w: AccessWorld, who: str, of: str, data: bytes) -> bytes:
    return operation_id(w.account(who, of), w.contracts[of], data)


def _admit(w: AccessWorld) -> bytes:
    return w.data("ParticipantRegistry", "admit", *_admission(w))


def _on_participants(function: str, w: AccessWorld, data: bytes, *more: Any) -> Attempt:
    target = w.contracts["ParticipantRegistry"]
    first = (w.account("operator"),) if function == "cancel" else ()
    return Attempt((*first, target, data, *more), {"selector": data[:4]}, operation=(target, data))


@tries("AccessManager.schedule")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    data = w.data("ParticipantRegistry", "admit", *_admission(w, word("third member to be")))
    return _on_participants("schedule", w, data, 0)


@tries("AccessManager.execute")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _on_participants("execute", w, _admit(w))


@tries("AccessManager.execute/at once")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _on_participants("execute", w, w.data("ParticipantRegistry", "suspend", w.member("provider")))


@tries("AccessManager.cancel")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _on_participants("cancel", w, _admit(w))  # the operator scheduled it


@tries("AccessManager.consumeScheduledOp")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.account("operator"), _admit(w))


@tries("AccessManager.multicall")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    inner = w.data("AccessManager", "labelRole", ADMISSION, "admission of members")
    return Attempt(([inner],), operation=(w.contracts["AccessManager"], inner))


@tries("AccessManager.grantRole/unscheduled")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    arguments = (SUSPENSION, w.account("bystander"), 0)
    data = w.data("AccessManager", "grantRole", *arguments)
    return attempt(*arguments, operation=_operation(w, who, "AccessManager", data))


@tries("AccessManager.renounceRole")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(SUSPENSION, w.account("suspender"))


def _fixed(*arguments: Any) -> Maker:
    """Return the maker of an attempt that is the same for everybody; a string names a column."""

    def make(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        return attempt(*(w.account(each[1:]) if _is_account(each) else each for each in arguments))

    return make


def _is_account(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("@")


_SUSPEND = artifact("ParticipantRegistry").functions["suspend"].selector
tries("AccessManager.labelRole")(_fixed(ADMISSION, "admission"))
tries("AccessManager.grantRole")(_fixed(SUSPENSION, "@newcomer", 0))
tries("AccessManager.revokeRole")(_fixed(SUSPENSION, "@suspender"))
tries("AccessManager.setRoleAdmin")(_fixed(SUSPENSION, ADMISSION))
tries("AccessManager.setRoleGuardian")(_fixed(ADMISSION, SUSPENSION))
tries("AccessManager.setGrantDelay")(_fixed(ADMISSION, 60))
tries("AccessManager.setTargetAdminDelay")(_fixed("@participants", 60))
tries("AccessManager.setTargetClosed")(_fixed("@participants", True))
tries("AccessManager.setTargetFunctionRole")(_fixed("@participants", [_SUSPEND], ADMISSION))
tries("AccessManager.updateAuthority")(_fixed("@participants", "@token"))

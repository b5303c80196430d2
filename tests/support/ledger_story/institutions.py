"""Members and those who admit them."""

from __future__ import annotations

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.calls import Sender
from backend.types import MemberId
from tests.support.ledger_story.base import (
    AUDITOR,
    CUSTODIAN,
    DAY,
    ETHICS,
    FOREVER,
    HOUR,
    NOBODY,
    NOTHING,
    PROVIDER,
    RESEARCHER,
    RESPONDER,
    Story,
)
from tests.support.ledger_world import BOARD, CLINIC, person

WITNESS, DOCTOR, MEDIC, PASSING, SILENT = (MemberId(bytes([number]) * 32) for number in range(0x31, 0x36))


def institutions(story: Story) -> None:
    """Members come, change their account, lose roles, are suspended, come back, and go."""
    for member, account, roles in (
        (CLINIC, story.clinic.account, CUSTODIAN | PROVIDER),
        (BOARD, story.board.account, ETHICS),
        (WITNESS, story.witness.account, AUDITOR),
        (DOCTOR, story.doctor.account, RESPONDER),
        (MEDIC, story.medic.account, RESPONDER),
        (PASSING, person().account, PROVIDER | RESEARCHER),
        (SILENT, NOBODY, PROVIDER),
    ):
        story.admit(member, account, roles)
    story.admit(PASSING, person().account, PROVIDER | RESEARCHER, amend=True)
    story.admit(SILENT, person().account, PROVIDER, amend=True)
    for function, *rest in (("reduceRoles", RESEARCHER), ("suspend",), ("reinstate",), ("remove",)):
        story.send("ParticipantRegistry", function, PASSING, *rest, sender=Sender.OPERATOR)
    story.ids |= {"member": DOCTOR, "removed member": PASSING}


def managers(story: Story) -> None:
    """Roles and delays of the AccessManager, and admissions that are announced, carried out or called off."""
    deployment = story.world.deployment
    registry, records = deployment.address("ParticipantRegistry"), deployment.address("RecordRegistry")
    helper = story.world.relayer.address(Sender.CUSTODIAN)
    for function, *values in (
        ("grantRole", 1, helper, HOUR),
        ("grantRole", 1, helper, 60),
        ("labelRole", 7, "helpers"),
        ("setRoleAdmin", 7, 1),
        ("setRoleGuardian", 7, 2),
        ("setGrantDelay", 7, DAY),
        ("setGrantDelay", 7, 60),
        ("grantRole", 9, helper, 0),
        ("revokeRole", 9, helper),
        ("setTargetFunctionRole", records, [b"\x01\x02\x03\x04"], 7),
        ("setTargetAdminDelay", records, HOUR),
        ("setTargetClosed", helper, True),
        ("setTargetClosed", helper, False),
        ("setTargetClosed", records, True),
    ):
        story.send("AccessManager", function, *values, sender=Sender.OPERATOR)
    story.jump(2 * HOUR)  # the shorter delay of the helper's calls is in effect
    admission = artifact("ParticipantRegistry").functions["admit"]
    for name in ("carried out", "called off", "announced"):
        member = story.ids[f"member {name}"] = name.encode().ljust(32)
        data = admission.encode((member, person().account, PROVIDER, FOREVER, NOTHING, NOTHING))
        story.send("AccessManager", "schedule", registry, data, 0, sender=Sender.CUSTODIAN)
        story.ids[f"operation {name}"] = _operation(story, helper, registry, data)
        story.jump(HOUR)
        if name == "carried out":
            story.send("AccessManager", "execute", registry, data, sender=Sender.CUSTODIAN)
        elif name == "called off":
            story.send("AccessManager", "cancel", helper, registry, data, sender=Sender.CUSTODIAN)


def _operation(story: Story, caller: str, target: str, data: bytes) -> bytes:
    function = artifact("AccessManager").functions["hashOperation"]
    to = story.world.deployment.address("AccessManager")
    call = {"to": to, "data": "0x" + function.encode((caller, target, data)).hex()}
    return bytes.fromhex(story.chain.rpc().call("eth_call", call, "latest")[2:])

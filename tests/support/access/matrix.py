"""Who may call what. One row a function, or several where more than one person must act: ``function/part``.

A cell is a row, a column (``columns``) and a way:

sender   the column sends, with an empty signature where there is one
signed   the column signs, a bystander relays
both     the column signs and sends
carried  the column sends what the rightful signer signed
forged   the column signs and sends what names the rightful signer

Everything else about the call is in order, so a cell that may succeeds, and one that may not gets the error
that the row names: ``refused``, or what ``others`` says of this column. Error arguments are numbers, columns
(their accounts), ``actor`` (the column's own account) or values that the attempt names.

Three rules need no entries of their own. Who may by signature and not as sender gets SignatureInvalid(actor)
without it. A carried signature counts, whoever carries it. A forged one never does: SignatureInvalid, of the
rightful signer.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tests.support.access.columns import EVERYBODY

NOBODY: frozenset[str] = frozenset()


class Way(StrEnum):
    SENDER = "sender"
    SIGNED = "signed"
    BOTH = "both"
    CARRIED = "carried"
    FORGED = "forged"

    @property
    def names_the_rightful(self) -> bool:
        return self in (Way.CARRIED, Way.FORGED)


@dataclass(frozen=True)
class Row:
    """``signed`` None: the function takes no signature of this part.

    ``relay``: who sends what is signed, if that matters. ``rejection``: the event by which a batch tells of
    an item left out, where others revert. ``scheduled``: who may has scheduled the call with the
    AccessManager, and its delay is over. ``silent``: it emits nothing, so that it went through is all there
    is to see.
    """

    refused: str = ""
    sender: Set[str] = frozenset()
    signed: Set[str] | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    relay: str = ""
    rejection: str = ""
    scheduled: bool = False
    silent: bool = False

    def ways(self) -> tuple[Way, ...]:
        if self.signed is None:
            return (Way.SENDER,)
        if self.relay:
            return (Way.SIGNED,)
        return tuple(Way) if self.signed else (Way.SENDER, Way.SIGNED, Way.BOTH)

    def rightful(self) -> str:
        """Return one who may by signature, for the ways that need one."""
        return min(self.signed or ())

    def refusal(self, column: str, way: Way) -> str | None:
        """Return the error that this cell gets, None where it may."""
        signed = self.signed or frozenset()
        may = {
            Way.SENDER: self.sender,
            Way.SIGNED: signed,
            Way.BOTH: self.sender | signed,
            Way.CARRIED: EVERYBODY,
            Way.FORGED: {self.rightful()} if way is Way.FORGED else NOBODY,
        }[way]
        if column in may:
            return None
        if way is Way.SENDER and column in signed:
            return "SignatureInvalid(actor)"
        if way is Way.FORGED:
            return f"SignatureInvalid({self.rightful()})"
        return self.others.get(column, self.refused)


def _each(columns: str, error: str) -> dict[str, str]:
    return dict.fromkeys(columns.split(), error)


def _lacking(power: int, columns: str) -> dict[str, str]:
    """These have a delegation of their own, without this power."""
    return _each(columns, f"PowerMissing({power}, held)")


CONTROLLER = frozenset({"controller"})
GUARDIAN = frozenset({"guardian"})
CUSTODIANS = frozenset({"custodian", "other_custodian"})
OPENER = frozenset({"custodian"})
BOARD = frozenset({"board_member"})
RESPONDERS = frozenset({"responder", "second_responder"})
ADMITTERS = frozenset({"operator", "admitter"})
SUSPENDERS = frozenset({"operator", "suspender"})
ADMINISTRATORS = frozenset({"operator", "administrator"})

_BY_CONTROLLER = Row(signed=CONTROLLER, refused="SignatureInvalid(controller)")
_BY_CONTROLLER_EITHER_WAY = Row(sender=CONTROLLER, signed=CONTROLLER, refused="SignatureInvalid(controller)")
_CONTROLLER_SENDS = Row(sender=CONTROLLER, refused="NotController(adult, actor)")
_BY_SUCCESSOR = Row(signed=frozenset({"successor"}), refused="SignatureInvalid(successor)")
_ENDED = {"former_delegate": "DelegationNotLive(own)"}

CONSENTS: dict[str, Row] = {
    "ConsentRegistry.openSubject": Row(sender=CUSTODIANS, refused="NotCustodian(actor)"),
    "ConsentRegistry.openSubject/controller": replace(_BY_SUCCESSOR, relay="custodian"),
    "ConsentRegistry.openSubjectUnderGuardian": Row(sender=CUSTODIANS, refused="NotCustodian(actor)"),
    "ConsentRegistry.openSubjectUnderGuardian/guardian": Row(
        signed=GUARDIAN, refused="SignatureInvalid(guardian)", relay="custodian"
    ),
    "ConsentRegistry.addGuardian": Row(
        sender=OPENER,
        refused="NotCustodian(actor)",
        others={"other_custodian": "NotOpeningCustodian(child, actor)"},
    ),
    "ConsentRegistry.addGuardian/guardian": Row(
        signed=GUARDIAN, refused="SignatureInvalid(guardian)", relay="custodian"
    ),
    "ConsentRegistry.addGuardian/to a patient with a wallet": Row(
        sender=NOBODY,
        refused="NotCustodian(actor)",
        others=_each("custodian other_custodian", "SubjectHasController(adult)"),
    ),
    "ConsentRegistry.grant": _BY_CONTROLLER,
    "ConsentRegistry.grantDirect": _CONTROLLER_SENDS,
    "ConsentRegistry.grantBatch": Row(
        signed=CONTROLLER, refused="SignatureInvalid(controller)", rejection="GrantRejected"
    ),
    "ConsentRegistry.grantByDelegate": Row(
        signed=frozenset({"grantor", "proxy", "subdelegate", "guardian"}),
        refused="SignatureInvalid(grantor)",
        others=_lacking(1, "revoker reader delegator reading_guardian") | _ENDED,
    ),
    "ConsentRegistry.grantByDelegate/superseding": Row(
        signed=frozenset({"proxy", "guardian"}),
        refused="SignatureInvalid(proxy)",
        others=_lacking(3, "grantor subdelegate revoker reader delegator reading_guardian") | _ENDED,
    ),
    "ConsentRegistry.revoke": _BY_CONTROLLER,
    "ConsentRegistry.revokeDirect": _CONTROLLER_SENDS,
    "ConsentRegistry.revokeBatch": Row(
        signed=CONTROLLER, refused="SignatureInvalid(controller)", rejection="RevocationRejected"
    ),
    "ConsentRegistry.revokeByDelegate": Row(
        signed=frozenset({"revoker", "proxy", "guardian"}),
        refused="SignatureInvalid(revoker)",
        others=_lacking(2, "grantor subdelegate reader delegator reading_guardian") | _ENDED,
    ),
    "ConsentRegistry.revokeByDelegate/a deny": Row(
        signed=frozenset({"proxy", "guardian"}),
        refused="SignatureInvalid(proxy)",
        others=_lacking(3, "revoker grantor subdelegate reader delegator reading_guardian") | _ENDED,
    ),
    "ConsentRegistry.revokeByDelegate/a delegation": Row(
        signed=GUARDIAN,
        refused="SignatureInvalid(guardian)",
        others=_lacking(2, "grantor subdelegate reader delegator reading_guardian")
        | _each("revoker proxy", "KindNotAllowed(3)")
        | _ENDED,
    ),
    "ConsentRegistry.revokeAhead": _BY_CONTROLLER,
    "ConsentRegistry.revokeAheadByDelegate": Row(
        signed=frozenset({"revoker", "proxy", "guardian"}),
        refused="SignatureInvalid(revoker)",
        others=_lacking(2, "grantor subdelegate reader delegator reading_guardian") | _ENDED,
    ),
    "ConsentRegistry.revokeDelegationAhead": _BY_CONTROLLER,
    "ConsentRegistry.revokeAll": _BY_CONTROLLER,
    "ConsentRegistry.revokeAllDirect": _CONTROLLER_SENDS,
    "ConsentRegistry.revokeAllByGuardian": Row(
        signed=GUARDIAN,
        refused="SignatureInvalid(guardian)",
        others=_lacking(2, "grantor subdelegate reader delegator reading_guardian")
        | _each("revoker proxy", "KindNotAllowed(3)")
        | _ENDED,
    ),
    "ConsentRegistry.delegate": _BY_CONTROLLER,
    "ConsentRegistry.delegateDirect": _CONTROLLER_SENDS,
    "ConsentRegistry.subdelegate": Row(
        signed=frozenset({"delegator", "proxy", "guardian"}),
        refused="SignatureInvalid(delegator)",
        others=_lacking(8, "grantor subdelegate revoker reader reading_guardian") | _ENDED,
    ),
    "ConsentRegistry.endDelegation": Row(
        signed=frozenset({"subdelegate"}), refused="SignatureInvalid(subdelegate)"
    ),
    "ConsentRegistry.endDelegation/from above": Row(
        signed=frozenset({"proxy"}), refused="SignatureInvalid(proxy)"
    ),
    "ConsentRegistry.endGuardianship": Row(sender=OPENER, refused="NotOpeningCustodian(child, actor)"),
    "ConsentRegistry.endGuardianship/by a suspended opener": Row(
        sender=frozenset({"suspended"}), refused="NotOpeningCustodian(second_child, actor)"
    ),
    "ConsentRegistry.endForCause": _BY_CONTROLLER_EITHER_WAY,
    "ConsentRegistry.endForCause/a child's guardianship": Row(
        sender=OPENER, refused="NotOpeningCustodian(child, actor)"
    ),
    "ConsentRegistry.endForCauseByGuardian": Row(
        signed=GUARDIAN,
        refused="SignatureInvalid(guardian)",
        others=_lacking(2, "grantor subdelegate reader delegator reading_guardian")
        | _each("revoker proxy", "KindNotAllowed(3)")
        | _ENDED,
    ),
    "ConsentRegistry.stepRecovery": Row(sender=frozenset({"recovery"}), refused="NotRecovery(actor)"),
}

RECOVERY: dict[str, Row] = {
    "Recovery.setRecoveryPolicy": _BY_CONTROLLER_EITHER_WAY,
    "Recovery.proposeRecovery": Row(
        signed=GUARDIAN,
        refused="SignatureInvalid(guardian)",
        others=_each(
            "grantor subdelegate revoker reader delegator proxy former_delegate reading_guardian",
            "NotGuardian(own)",
        ),
    ),
    "Recovery.proposeRecovery/acceptance": _BY_SUCCESSOR,
    "Recovery.proposeRecovery/desk": Row(signed=OPENER, refused="NotOpeningCustodian(adult, actor)"),
    "Recovery.vetoRecovery": _BY_CONTROLLER_EITHER_WAY,
    "Recovery.vetoRecoveryByGuardian": Row(
        signed=GUARDIAN,
        refused="SignatureInvalid(guardian)",
        others={"reading_guardian": "PowerMissing(2, 4)"},
    ),
    "Recovery.vetoRecoveryByGuardian/of a patient with a wallet": Row(
        signed=NOBODY, refused="SubjectHasController(disputed)"
    ),
    "Recovery.completeRecovery": Row(sender=EVERYBODY),
}

_UNAUTHORIZED = "AccessManagedUnauthorized(actor)"
_NOT_SCHEDULED = "AccessManagerNotScheduled(operation)"
_NO_ADMINISTRATOR = "AccessManagerUnauthorizedAccount(actor, 0)"
_ADMITTED = Row(sender=ADMITTERS, refused=_UNAUTHORIZED, scheduled=True)
_AT_ONCE = Row(sender=SUSPENDERS, refused=_UNAUTHORIZED)
_ADMINISTERED = Row(sender=ADMINISTRATORS, refused=_NO_ADMINISTRATOR, scheduled=True)

MEMBERSHIP: dict[str, Row] = {
    "ParticipantRegistry.admit": _ADMITTED,
    "ParticipantRegistry.admit/unscheduled": Row(
        refused=_UNAUTHORIZED, others=_each("operator admitter", _NOT_SCHEDULED)
    ),
    "ParticipantRegistry.amend": _ADMITTED,
    "ParticipantRegistry.reinstate": _ADMITTED,
    "ParticipantRegistry.reduceRoles": _AT_ONCE,
    "ParticipantRegistry.suspend": _AT_ONCE,
    "ParticipantRegistry.remove": _AT_ONCE,
    "ParticipantRegistry.setAuthority": Row(sender=frozenset({"manager"}), refused=_UNAUTHORIZED),
    "AccessManager.schedule": Row(
        sender=ADMITTERS, refused="AccessManagerUnauthorizedCall(actor, participants, selector)"
    ),
    "AccessManager.execute": Row(
        sender=ADMITTERS,
        refused="AccessManagerUnauthorizedCall(actor, participants, selector)",
        scheduled=True,
    ),
    "AccessManager.execute/at once": Row(
        sender=SUSPENDERS, refused="AccessManagerUnauthorizedCall(actor, participants, selector)"
    ),
    "AccessManager.cancel": Row(
        sender=ADMINISTRATORS,
        refused="AccessManagerUnauthorizedCancel(actor, operator, participants, selector)",
    ),
    # Only from inside a managed contract's own check, which the rows of admit and the like go through.
    "AccessManager.consumeScheduledOp": Row(
        refused="Reverted()", others={"participants": "AccessManagerUnauthorizedConsume(actor)"}
    ),
    "AccessManager.multicall": _ADMINISTERED,
    "AccessManager.labelRole": _ADMINISTERED,
    "AccessManager.grantRole": _ADMINISTERED,
    "AccessManager.grantRole/unscheduled": Row(
        refused=_NO_ADMINISTRATOR, others=_each("operator administrator", _NOT_SCHEDULED)
    ),
    "AccessManager.revokeRole": _ADMINISTERED,
    "AccessManager.renounceRole": Row(
        sender=frozenset({"suspender"}), refused="AccessManagerBadConfirmation()"
    ),
    "AccessManager.setRoleAdmin": _ADMINISTERED,
    "AccessManager.setRoleGuardian": _ADMINISTERED,
    "AccessManager.setGrantDelay": _ADMINISTERED,
    "AccessManager.setTargetAdminDelay": _ADMINISTERED,
    "AccessManager.setTargetClosed": _ADMINISTERED,
    "AccessManager.setTargetFunctionRole": _ADMINISTERED,
    "AccessManager.updateAuthority": _ADMINISTERED,
}

REGISTERS: dict[str, Row] = {
    "RecordRegistry.commit": Row(sender=CUSTODIANS, refused="NotCustodian(actor)"),
    "RecordRegistry.commitBatch": Row(sender=CUSTODIANS, refused="NotCustodian(actor)"),
    "RecordRegistry.withdraw": Row(sender=OPENER, refused="CommitmentUnknown(commitment)"),
    "RecordRegistry.withdraw/by a suspended custodian": Row(
        sender=frozenset({"suspended"}), refused="CommitmentUnknown(commitment)"
    ),
    "RecordRegistry.transferCustody/giving": Row(
        sender=OPENER, signed=OPENER, refused="SignatureInvalid(custodian)"
    ),
    "RecordRegistry.transferCustody/taking": Row(
        sender=frozenset({"other_custodian"}),
        signed=frozenset({"other_custodian"}),
        refused="NotCustodian(actor)",
        others={"custodian": "CustodianSame(actor)"},
    ),
    # Whoever makes a pair: it gives no power to anybody.
    "WitnessPairs.open": Row(sender=EVERYBODY, silent=True),
    "AuditAnchor.anchor": Row(sender=CUSTODIANS, refused="NotCustodian(actor)"),
    "AuditAnchor.cosign": Row(
        sender=frozenset({"auditor"}), signed=frozenset({"auditor"}), refused="NotWitness(actor)"
    ),
    "AuditAnchor.reportFork": Row(signed=OPENER, refused="NotCustodianOfLog(actor, log_keeper)"),
    "AuditAnchor.reportForkOfAnchored": Row(signed=OPENER, refused="NotCustodianOfLog(actor, log_keeper)"),
}

EMERGENCIES: dict[str, Row] = {
    "EmergencyAccess.openEmergency": Row(sender=RESPONDERS, signed=RESPONDERS, refused="NotResponder(actor)"),
    "EmergencyAccess.openEmergency/countersigning": Row(
        sender=frozenset({"second_responder"}),
        signed=frozenset({"second_responder"}),
        refused="NotResponder(actor)",
        others={"responder": "CountersignerNotAnother(member)"},
    ),
    "EmergencyAccess.openEmergencyLate": Row(
        sender=RESPONDERS, signed=RESPONDERS, refused="NotResponder(actor)"
    ),
    "EmergencyAccess.openEmergencyLate/countersigning": Row(
        sender=frozenset({"second_responder"}),
        signed=frozenset({"second_responder"}),
        refused="NotResponder(actor)",
        others={"responder": "CountersignerNotAnother(member)"},
    ),
    "EmergencyAccess.closeEmergency": Row(
        sender=frozenset({"responder", "controller"}),
        signed=frozenset({"responder", "controller"}),
        refused="MayNotClose(opening, actor)",
    ),
    "EmergencyAccess.reviewEmergency": Row(
        sender=CUSTODIANS | BOARD, signed=CUSTODIANS | BOARD, refused="NotReviewer(actor)"
    ),
    "EmergencyAccess.setEmergencyPolicy": _BY_CONTROLLER_EITHER_WAY,
    "EmergencyAccess.setEmergencyPolicyByGuardian": Row(
        sender=GUARDIAN,
        signed=GUARDIAN,
        refused="SignatureInvalid(guardian)",
        others={"reading_guardian": "GuardianshipNotLive(child, actor)"},
    ),
    "EmergencyAccess.setEmergencyPolicyByGuardian/to forbid": Row(
        signed=NOBODY, refused="GuardianMayNotForbid(child)"
    ),
}

KEYS: dict[str, Row] = {
    "KeyRegistry.bindKey": _BY_CONTROLLER_EITHER_WAY,
    # Of a child nobody binds a key: it has no controller, and its guardians are none.
    "KeyRegistry.bindKey/of a child": Row(signed=NOBODY, refused="SignatureInvalid(nobody)"),
    "KeyRegistry.withdrawKey": _BY_CONTROLLER_EITHER_WAY,
}

_BOARD_DECIDES = Row(sender=BOARD, signed=BOARD, refused="NotEthicsBoard(actor)")
_BOARD_ALONE = Row(signed=NOBODY, refused="ApprovalsTooFew(1, 2)")

MARKET: dict[str, Row] = {
    "ResearchMarket.permitStudy": _BOARD_DECIDES,
    "ResearchMarket.permitStudy/alone": _BOARD_ALONE,
    "ResearchMarket.refuseStudy": _BOARD_DECIDES,
    "ResearchMarket.refuseStudy/alone": _BOARD_ALONE,
    "ResearchMarket.suspendStudy": _BOARD_DECIDES,
    "ResearchMarket.resumeStudy": _BOARD_DECIDES,
    "ResearchMarket.resumeStudy/alone": _BOARD_ALONE,
    "ResearchMarket.revokeStudy": _BOARD_DECIDES,
    "ResearchMarket.revokeStudy/alone": _BOARD_ALONE,
    "ResearchMarket.nameDonation": _BOARD_DECIDES,
    "ResearchMarket.nameDonation/alone": _BOARD_ALONE,
    "ResearchMarket.fund": Row(sender=frozenset({"researcher", "funder"}), refused="NotResearcher(actor)"),
    "ResearchMarket.fund/for somebody else": Row(sender=frozenset({"funder"}), refused="NotFunder(actor)"),
    "ResearchMarket.release": Row(sender=OPENER, refused="NotEscrowCustodian(actor, keeper)"),
    "ResearchMarket.refund": Row(sender=EVERYBODY),
    "ResearchMarket.refund/to another account": Row(sender=frozenset({"funder"}), refused="NotFunder(actor)"),
    "ResearchMarket.commitResult": Row(sender=CUSTODIANS, refused="NotCustodian(actor)"),
    "ResearchMarket.proposePayout": Row(sender=OPENER, refused="NotEscrowCustodian(actor, keeper)"),
    "ResearchMarket.objectToPayout": Row(
        sender=BOARD | {"funder"}, signed=BOARD | {"funder"}, refused="NotObjector(actor)"
    ),
    "ResearchMarket.settlePayout": _BOARD_DECIDES,
    "ResearchMarket.settlePayout/alone": _BOARD_ALONE,
    "ResearchMarket.settlePayout/to uphold": _BOARD_DECIDES,
    "ResearchMarket.closePayout": Row(sender=EVERYBODY),
    "ResearchMarket.claim": Row(sender=EVERYBODY),
    "ResearchMarket.claimBatch": Row(sender=EVERYBODY, rejection="ClaimRejected"),
    "TestToken.issue": Row(sender=frozenset({"operator"}), refused="NotIssuer(actor)"),
    # What any ERC-20 lets anyone do with its own.
    "TestToken.approve": Row(sender=EVERYBODY),
    "TestToken.transfer": Row(sender=EVERYBODY),
    "TestToken.transferFrom": Row(sender=EVERYBODY),
}

MATRIX = CONSENTS | RECOVERY | MEMBERSHIP | REGISTERS | EMERGENCIES | KEYS | MARKET


def function_of(row: str) -> str:
    """Return ``Contract.function`` of a row's name."""
    return row.split("/", maxsplit=1)[0]

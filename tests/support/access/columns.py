"""The columns of the access matrix: everybody who could try to call something, each with one thing only.

``ROLES`` names, for each role, power and standing that the contracts know, the columns that have it; a test
reads the contracts' sources and fails when one of them is not there. Roles of members are in the order
of their bits.
"""

from __future__ import annotations

# Those around a patient. All delegations are of the patient ADULT, who was recovered once; the guardians are
# also those of CHILD, who has no controller.
PATIENT_SIDE = (
    "controller",
    "former_controller",  # before the recovery
    "successor",  # named as controller in a command that waits for its signature, and in nothing recorded
    "other_controller",  # of another subject
    "grantor",  # delegate with the power to grant
    "revoker",  # ... to revoke
    "reader",  # ... to read
    "delegator",  # ... to delegate
    "proxy",  # ... with all four
    "subdelegate",  # under proxy, with the power to grant
    "former_delegate",  # had all four powers; its delegation was revoked
    "guardian",  # with all four powers; named by the recovery policy
    "reading_guardian",  # with the power to read; not named by the policy
)
MEMBERS = (
    "custodian",  # opened ADULT and CHILD, holds their escrow, keeps a log
    "other_custodian",
    "provider",
    "researcher",
    "funder",  # a researcher who paid
    "board_member",  # one of the threshold of two; the other, the chair, always agrees
    "auditor",
    "responder",
    "second_responder",
    "gateway",
    "relayer",
    "member_operator",  # has the role; admitting members is the AccessManager's, not this
    "roleless",  # in standing, with all roles taken away
    "suspended",  # had all roles
    "removed",  # had all roles
    "expired",  # has all roles, and a credential that ended
)
MANAGERS = (
    "operator",  # as a deployment makes it: admission and administration after a delay, suspension at once
    "admitter",  # only the first
    "administrator",  # only the second
    "suspender",  # only the third
)
CONTRACTS = (
    "itself",
    "participants",
    "recovery",
    "manager",
)  # a contract as sender, signing with no key of its own
EVERYBODY = frozenset((*PATIENT_SIDE, *MEMBERS, *MANAGERS, *CONTRACTS, "stranger"))

ROLES: dict[str, tuple[str, ...]] = {
    "Roles.CUSTODIAN": ("custodian", "other_custodian"),
    "Roles.PROVIDER": ("provider",),
    "Roles.RESEARCHER": ("researcher", "funder"),
    "Roles.ETHICS_BOARD": ("board_member",),
    "Roles.AUDITOR": ("auditor",),
    "Roles.RESPONDER": ("responder", "second_responder"),
    "Roles.DEVICE_GATEWAY": ("gateway",),
    "Roles.RELAYER": ("relayer",),
    "Roles.OPERATOR": ("member_operator",),
    "Powers.GRANT": ("grantor",),
    "Powers.REVOKE": ("revoker",),
    "Powers.READ": ("reader",),
    "Powers.DELEGATE": ("delegator",),
    "Kinds.DELEGATION": ("proxy", "subdelegate", "former_delegate"),
    "Kinds.GUARDIANSHIP": ("guardian", "reading_guardian"),
    "Standing.Active": ("roleless",),
    "Standing.Suspended": ("suspended",),
    "Standing.Removed": ("removed",),
    "Standing.Unknown": ("stranger",),
    "ParticipantRegistry.ADMISSION": ("admitter",),
    "ParticipantRegistry.SUSPENSION": ("suspender",),
    "AccessManager.ADMIN_ROLE": ("administrator",),
}
ALL_ROLES = 511

"""All that the contracts take and tell in the open, and why it may be: whatever is new must say so here.

Purposes, categories, sensitivities, actions, grantees, names, reasons and texts are in none of these fields;
they are behind the hashes. That no value carries one all the same, ``tests/integration/test_chain_scan.py``
sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.access.node import abi, deployed_contracts

OPEN: dict[str, str] = {
    "dates, which the contracts enforce": """
        uint40 notBefore, uint40 notAfter, uint40 submitBy, uint40 credentialExpiry, uint40 revokedAt,
        uint40 endedAt, uint40 openedAt, uint40 expiresAt, uint40 recordedAt, uint40 closedAt,
        uint40 reviewedAt, uint40 setAt, uint40 committedAt, uint40 withdrawnAt, uint40 cosignedAt,
        uint40 reportedAt, uint40 refusedAt, uint40 opensAt, uint40 closesAt, uint40 nextFrom,
        uint40 boundAt, uint40 guardiansAsOf, uint40 proposedAt, uint48 when, uint48 schedule,
        uint48 since""",
    "lengths of time, in seconds": """
        uint32 duration, uint32 admissionDelay, uint40 recoveryDelay, uint32 objectionSeconds,
        uint32 settlementSeconds, uint32 claimSeconds, uint32 graceSeconds, uint32 delay,
        uint32 newDelay, uint32 executionDelay""",
    "kind, powers and depth of a consent or delegation, on which chains of delegations are checked": """
        uint8 kind, uint16 powers, uint8 depth""",
    "a packed slot of dates, kind, epoch and subject": "uint256 slot",
    "pseudonyms of a patient and of members": """
        uint96 subject, bytes32 member, bytes32 custodian, bytes32 witness, bytes32 reviewer,
        bytes32 countersigner""",
    "counters that bind a signature to a state": """
        uint32 epoch, uint32 round, uint32 policyRound, uint32 attempt, uint32 nonce,
        uint32 sequence""",
    "accounts, which are pseudonyms": """
        address controller, address delegate, address desk, address custodian, address account,
        address witness, address signer, address from, address to, address responder,
        address countersigner, address closer, address reviewer, address member, address[] members,
        address boardMember, address objector, address funder, address operator, address caller,
        address callerConfirmation, address first, address second, address issuer, address owner,
        address spender""",
    "contracts": """
        address token, address target, address participants, address registry, address consents,
        address authority, address newAuthority, address initialAdmin""",
    "hashes over salted documents": """
        bytes32 id, bytes32[] ids, bytes32 termsHash, bytes32 request, bytes32 supersedes,
        bytes32 parent, bytes32 delegation, bytes32[] guardianships, bytes32 policy,
        bytes32 nextPolicy, bytes32 credentialHash, bytes32 commitment, bytes32[] commitments,
        bytes32 transfer, bytes32 opening, bytes32 reason, bytes32 finding, bytes32 study,
        bytes32 rules, bytes32 result, bytes32 escrow, bytes32 round, bytes32 operationId""",
    "hashes of public things: keys, the name of a log": "bytes32 keyHash, bytes32 origin, bytes32 logId",
    "Merkle trees over salted leaves, and proofs in them": """
        bytes32 root, bytes32 otherRoot, bytes32 prefixRoot, bytes32[] consistencyProof,
        bytes32[] proof, bytes32[][] proofs, uint64 size, uint64 otherSize, uint256 index,
        uint256 position""",
    "the salt of a payment, a list of guardians or a pair of witnesses, given away with what it hid": """
        bytes32 salt""",
    "signatures": """
        bytes signature, bytes[] signatures, bytes acceptance, bytes deskSignature,
        bytes fromSignature, bytes toSignature, bytes countersignature""",
    "standing policy of emergencies, which openings are checked against": "uint8 policy",
    "roles of members and of the AccessManager": """
        uint16 roles, uint16 rolesTakenAway, uint64 roleId, uint64 admin, uint64 guardian,
        uint8 boardThreshold, uint8 threshold""",
    "money, of the market and not of a patient": """
        uint256 amount, uint256 received, uint128 total, uint256 total, uint256 unclaimed, uint256 value""",
    "yes or no": "bool proposed, bool isVetoSpent, bool late, bool stands, bool closed, bool newMember",
    "calls to these same contracts, scheduled or bundled": """
        bytes data, bytes[] data, bytes4 selector, bytes4[] selectors""",
    "an encoded error of these same contracts": "bytes reason",
    "the operator's own name for a role of the AccessManager: the only string there is": "string label",
}


def _fields(parts: list[dict[str, Any]]) -> Iterator[str]:
    for part in parts:
        if part["type"].startswith("tuple"):
            yield from _fields(part["components"])
        else:
            yield f"{part['type']} {part['name']}"


def test_every_open_field_has_a_reason() -> None:
    listed = {" ".join(field.split()) for fields in OPEN.values() for field in fields.split(",")}
    found = set()
    for contract in deployed_contracts():
        for part in abi(contract):
            changing = part["type"] == "function" and part["stateMutability"] not in ("view", "pure")
            if changing or part["type"] in ("event", "constructor"):
                found |= set(_fields(part["inputs"]))
    assert not found - listed, f"why may the chain hold {sorted(found - listed)}? Say it in OPEN."
    assert not listed - found, f"no contract has {sorted(listed - found)} any more"

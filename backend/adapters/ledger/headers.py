"""Signed documents as the contract takes them: the header, with the hash of the terms in place of the
terms.
"""

from __future__ import annotations

from backend.consent.terms import Delegation, Grant
from backend.consent.typed_data import struct_hash

# In the order of the Solidity structs (contracts/interfaces/IConsentTypes.sol).
GrantTuple = tuple[int, bytes, int, int, int, int, bytes, bytes, int]
DelegationTuple = tuple[int, str, int, int, int, int, int, int, bytes, bytes, int]


def grant_header(grant: Grant) -> GrantTuple:
    return (
        grant.subject,
        struct_hash(grant.terms),
        grant.not_before,
        grant.not_after,
        int(grant.kind),
        grant.epoch,
        grant.request,
        grant.supersedes,
        grant.submit_by,
    )


def delegation_header(delegation: Delegation) -> DelegationTuple:
    return (
        delegation.subject,
        delegation.delegate,
        int(delegation.powers),
        delegation.not_before,
        delegation.not_after,
        int(delegation.kind),
        delegation.depth,
        delegation.epoch,
        delegation.parent,
        struct_hash(delegation.terms),
        delegation.submit_by,
    )

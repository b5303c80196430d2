"""The typed data (EIP-712) with which a member of the ethics board permits a study on the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.research.study import Study
from backend.types import Address, Bytes32, UnixSeconds, to_hex

NAME: Final = "Assent Research"
VERSION: Final = "1"
SUBMIT_WITHIN_SECONDS: Final = 7 * 24 * 3600
_DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_PERMIT = [
    {"name": "study", "type": "bytes32"},
    {"name": "rules", "type": "bytes32"},
    {"name": "notBefore", "type": "uint40"},
    {"name": "notAfter", "type": "uint40"},
    {"name": "submitBy", "type": "uint40"},
]


@dataclass(frozen=True, slots=True)
class PermitMessage:
    """PermitStudy. ``rules`` is the digest of the whole proposal, word for word."""

    study: Bytes32
    rules: Bytes32
    not_before: UnixSeconds
    not_after: UnixSeconds
    submit_by: UnixSeconds

    def typed_data(self, *, chain_id: int, contract: Address) -> dict[str, Any]:
        """Return what eth_signTypedData_v4 takes."""
        return {
            "types": {"EIP712Domain": _DOMAIN, "PermitStudy": _PERMIT},
            "primaryType": "PermitStudy",
            "domain": {
                "name": NAME,
                "version": VERSION,
                "chainId": chain_id,
                "verifyingContract": contract,
            },
            "message": {
                "study": to_hex(self.study),
                "rules": to_hex(self.rules),
                "notBefore": self.not_before,
                "notAfter": self.not_after,
                "submitBy": self.submit_by,
            },
        }


def permit_for(study: Study, *, submit_by: UnixSeconds) -> PermitMessage:
    """Return the permit of exactly this proposal for its period. ``submit_by`` comes with the signature."""
    proposal = study.proposal
    return PermitMessage(
        study=Bytes32(study.study_id),
        rules=Bytes32(proposal.digest),
        not_before=proposal.not_before,
        not_after=proposal.not_after,
        submit_by=submit_by,
    )

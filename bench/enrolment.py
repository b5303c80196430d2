"""Patients brought in without HTTP, and what they sign."""

from __future__ import annotations

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32

from backend.bootstrap import World
from backend.consent.member_terms import PermitStudy
from backend.consent.terms import Grant
from backend.consent.typed_data import Domain, digest
from backend.types import Address, SubjectId


def enrol(
    world: World, account: LocalAccount, record_number: str, name: str, birth_date: str | None
) -> SubjectId:
    """Issue a code, have the account claim it, and open the subject on the chain."""
    identity = world.services.identity
    issued = identity.enrolments.issue(
        record_number, name=name, birth_date=birth_date, checked_by="benchmark"
    )
    draft = identity.draft_claim(issued.code, Address(account.address))
    signature = account.sign_message(encode_typed_data(full_message=dict(draft))).signature
    claimed = identity.claim(
        issued.code, Address(account.address), message=draft["message"], signature=bytes(signature)
    )
    world.services.open_subject(claimed)
    return claimed.subject_id


def signed(account: LocalAccount, command: Grant | PermitStudy, domain: Domain) -> bytes:
    return bytes(account.unsafe_sign_hash(Hash32(digest(command, domain))).signature)

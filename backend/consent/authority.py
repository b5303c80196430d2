"""Whose signature is on a command, checked before anything is kept or relayed.

The contract checks all of it again; here a wrong signature gets an answer that helps, and costs no block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backend.consent.errors import SignatureInvalid, SignedForSucceeded
from backend.consent.ledger_types import NOBODY
from backend.consent.terms import (
    Command,
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Delegation,
    Document,
    Grant,
    Kind,
    Revoke,
)
from backend.consent.typed_data import Domain, Signable, consent_id, digest, recover
from backend.errors import InvalidInput
from backend.types import Address, ConsentId


class WalletCheck(Protocol):
    """The part of a relay that knows contract wallets."""

    def is_valid_signature(self, account: Address, digest: bytes, signature: bytes) -> bool: ...


class WrongSigner(InvalidInput):
    """A good signature of another account, or for another message, chain or contract."""

    code = "wrong_signer"
    remedy = (
        "Sign the typed data exactly as given, with the account that controls the subject or its delegate."
    )


def command_for(document: Document, via: Sequence[Delegation]) -> Command:
    """Return what is signed: the document itself, or the delegate's form that names its delegation."""
    if not via:
        return document
    delegation = consent_id(via[0])
    if isinstance(document, Grant):
        return DelegatedGrant(document, delegation)
    return DelegatedDelegation(document, delegation)


def revocation_for(consent: ConsentId, via: Sequence[Delegation]) -> Command:
    """Return what is signed to revoke: directly or as a delegate."""
    return DelegatedRevoke(consent, consent_id(via[0])) if via else Revoke(consent)


def expected_signer(document: Document | None, controller: Address, via: Sequence[Delegation]) -> Address:
    """Return the account whose signature is needed.

    A guardianship of somebody without an account, such as a child, is signed by the guardian who takes it on.
    """
    if controller == NOBODY and isinstance(document, Delegation) and document.kind == Kind.GUARDIANSHIP:
        return document.delegate
    return via[0].delegate if via else controller


def require_signed_by(
    command: Signable,
    signature: bytes,
    account: Address,
    *,
    domain: Domain,
    relay: WalletCheck,
    former: Sequence[Domain] = (),
) -> None:
    """Raise SignatureInvalid or WrongSigner unless the account, an EOA or a contract, signed the command;
    SignedForSucceeded where it did, for a contract that was succeeded (``former``).
    """
    failure = _failure(command, signature, account, domain, relay)
    if failure is None:
        return
    if any(_failure(command, signature, account, each, relay) is None for each in former):
        raise SignedForSucceeded(field="signature")
    raise failure


def is_signed_by(
    command: Signable, signature: bytes, account: Address, *, domain: Domain, relay: WalletCheck
) -> bool:
    """Return whether the account signed the command."""
    return _failure(command, signature, account, domain, relay) is None


def _failure(
    command: Signable, signature: bytes, account: Address, domain: Domain, relay: WalletCheck
) -> InvalidInput | None:
    message_digest = digest(command, domain)
    malformed: SignatureInvalid | None = None
    try:
        if recover(message_digest, signature).lower() == account.lower():
            return None
    except SignatureInvalid as refusal:
        malformed = refusal  # a contract wallet's signature may have any form
    if relay.is_valid_signature(account, message_digest, signature):
        return None
    return malformed or WrongSigner(field="signature")

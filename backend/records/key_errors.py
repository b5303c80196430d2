"""What can be wrong with an encryption key, or with binding one."""

from __future__ import annotations

from backend.errors import Conflict, IntegrityError, InvalidInput


class PublicKeyMalformed(InvalidInput):
    code = "public_key_malformed"
    remedy = "Send the 1216 bytes of an X-Wing public key (ML-KEM-768, then X25519) in base64url."


class PublicKeyDiffers(InvalidInput):
    """The signed hash is that of another key."""

    code = "public_key_differs"
    remedy = "Send the public key whose SHA-256 is the keyHash that was signed."


class KeyNumberNotNext(InvalidInput):
    """Another binding or withdrawal came in between, or the number is ahead of the chain's."""

    code = "key_number_not_next"
    remedy = "Take a new draft and sign it."


class KeyBindingTooLate(InvalidInput):
    code = "key_binding_too_late"
    remedy = "The last second of what was signed is over. Take a new draft and sign it."


class MemberKeyDiffers(Conflict):
    """The registry names another key for this member."""

    code = "member_key_differs"
    remedy = "Only an operator replaces a member's key. If it is the wrong one, ask the operator."


class MemberChangedMeanwhile(Conflict):
    """The member's entry in the registry changed while its new key waited, which would have undone that."""

    code = "member_changed_meanwhile"
    remedy = "Look at the member, and send the key again."


class RecipientKeyLost(IntegrityError):
    """The chain names a public key whose bytes the index does not have, or has changed."""

    code = "recipient_key_lost"
    remedy = "Nothing was sealed. Have the holder send the same public key again: PUT /v1/encryption-keys."

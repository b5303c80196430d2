"""EIP-4361 sign-in messages: made for a challenge, parsed strictly when they come back signed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from backend.identity.errors import SignInMessageMalformed
from backend.types import Address, UnixSeconds

MAX_MESSAGE_CHARACTERS: Final = 2048
_UTF8_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class SignInMessage:
    """The members of EIP-4361 that are judged. Fractions of a second are cut off."""

    scheme: str | None
    domain: str
    address: Address
    uri: str
    chain_id: int
    nonce: str
    issued_at: UnixSeconds
    expires_at: UnixSeconds | None
    not_before: UnixSeconds | None
    statement: str | None = None


def parse(text: str) -> SignInMessage:
    """Parse by the grammar of EIP-4361; raises SignInMessageMalformed.

    The parsed message, written out again, must be the text itself: what is judged is what was signed.
    """
    if len(text) > MAX_MESSAGE_CHARACTERS or len(text.encode(errors="replace")) > _UTF8_BYTES:
        raise SignInMessageMalformed("The message is too long.", field="message")
    try:
        parsed = _siwe_message().from_message(text)
        again = parsed.prepare_message()
        message = SignInMessage(
            scheme=parsed.scheme,
            domain=parsed.domain,
            address=Address(str(parsed.address)),
            uri=str(parsed.uri),
            chain_id=parsed.chain_id,
            nonce=parsed.nonce,
            issued_at=_seconds(str(parsed.issued_at)),
            expires_at=None if parsed.expiration_time is None else _seconds(str(parsed.expiration_time)),
            not_before=None if parsed.not_before is None else _seconds(str(parsed.not_before)),
            statement=parsed.statement,
        )
    except (ValueError, OverflowError, RecursionError) as refusal:
        raise SignInMessageMalformed(field="message") from refusal
    if again != text:
        raise SignInMessageMalformed(field="message")
    return message


def compose(
    *,
    scheme: str,
    domain: str,
    address: Address,
    statement: str,
    uri: str,
    chain_id: int,
    nonce: str,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
) -> str:
    """Return the text for ``personal_sign``."""
    text: str = _siwe_message()(
        scheme=scheme,
        domain=domain,
        address=address,
        statement=statement,
        uri=uri,
        version="1",
        chain_id=chain_id,
        nonce=nonce,
        issued_at=_text(issued_at),
        expiration_time=_text(expires_at),
    ).prepare_message()
    return text


@cache
def _siwe_message() -> Any:
    """The library's class. Loading it compiles a grammar, which is for who signs in, not for each start."""
    with warnings.catch_warnings():
        # The grammar that siwe carries repeats the core rules of RFC 5234; its parser warns about each.
        warnings.simplefilter("ignore")
        from siwe import SiweMessage  # noqa: PLC0415
    return SiweMessage


def _seconds(text: str) -> UnixSeconds:
    return UnixSeconds(int(datetime.fromisoformat(text.upper()).timestamp()))


def _text(moment: UnixSeconds) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

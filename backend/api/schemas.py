"""Values that several resources share, as they look in JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from eth_utils import is_checksum_address, to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from backend.consent.terms import UNBOUNDED
from backend.errors import InvalidInput
from backend.types import MAX_SUBJECT_ID, Address, Bytes32, RecordId, SubjectId, UnixSeconds

PLAIN_TEXT: Final = "text/plain"
Hex32 = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{64}$")]
Hex16 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
HexSubject = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{24}$")]
HexSignature = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-fA-F]{2}){1,4096}$")]
AccountText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,40}$")]
Codes = Annotated[list[Code], Field(max_length=64)]


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone, such as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as failure:  # in UTC it is in the year 0 or 10000
        raise ValueError("a time needs a year from 1 to 9999 in UTC") from failure


def _encodable(message: dict[str, Any]) -> dict[str, Any]:
    pending: list[object] = [message]  # not recursive: it may be nested deeply
    while pending:
        match pending.pop():
            case str() as text if not text.isascii() and any(
                "\ud800" <= letter <= "\udfff" for letter in text
            ):
                raise ValueError("a lone surrogate is no character")
            case dict() as members:
                pending += [*members, *members.values()]
            case list() as items:
                pending += items
    return message


Moment = Annotated[datetime, AfterValidator(_with_zone)]
Message = Annotated[dict[str, Any], AfterValidator(_encodable)]
"""The JSON of a signed message; what is in it, ``terms_json`` judges."""
BEGINNING: Final = UnixSeconds(0)


class Body(BaseModel):
    """Bodies refuse members nobody asked for: a misspelt one would silently widen or narrow."""

    model_config = ConfigDict(extra="forbid")


def seconds(moment: datetime | None, *, default: UnixSeconds = UNBOUNDED) -> UnixSeconds:
    """Return unix seconds; ``default`` where no time was given."""
    if moment is None:
        return default
    value = int(moment.timestamp())
    if value < 0:
        raise InvalidInput("Times before 1970 cannot be expressed; leave the member out.", field="time")
    return UnixSeconds(value)


def moment(value: int) -> datetime | None:
    """Return a time, or None for 'without end'."""
    return None if value >= UNBOUNDED else datetime.fromtimestamp(value, UTC)


def bytes32(text: str) -> Bytes32:
    return Bytes32(bytes.fromhex(text.removeprefix("0x")))


def subject_id(text: str) -> SubjectId:
    """Read a subject id; the schema has checked its form."""
    value = int(text, 16)
    if not 1 <= value <= MAX_SUBJECT_ID:
        raise InvalidInput("A subject id is not zero.", field="subject")
    return SubjectId(value)


def account(text: str, *, field: str) -> Address:
    """Read an account in EIP-55, lower or upper case; a wrong checksum is a typing error and refused."""
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and not is_checksum_address(text):
        raise InvalidInput("The checksum of the address is wrong.", field=field)
    return Address(to_checksum_address(text))


def record_id(text: str) -> RecordId:
    """Read a record id from a path. Anything else raises InvalidInput, before any store is asked."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 16 or text != value.hex():
        raise InvalidInput("A record id is 32 lower-case hex digits.", field="record_id")
    return RecordId(value)

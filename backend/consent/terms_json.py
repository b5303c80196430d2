"""Signed messages as JSON: members named as in the EIP-712 types, bytes and addresses as ``0x`` hex.

Integers of up to 53 bits are JSON numbers, wider types decimal strings, because JavaScript loses digits
beyond. Both forms are read. A missing or an unknown member is refused: what is not understood is not signed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from eth_utils.address import is_checksum_address, to_checksum_address

from backend.consent.errors import InvalidTerms
from backend.consent.schema import CLASSES, STRUCTS

T = TypeVar("T")

MAX_ITEMS: Final = 64  # of any list; validation is stricter
_HEX: Final = re.compile(r"0x[0-9a-fA-F]*\Z")
_DECIMAL: Final = re.compile(r"(0|[1-9][0-9]{0,77})\Z")
_SAFE_BITS: Final = 53


def to_json(value: Any) -> dict[str, Any]:
    """Return the JSON object of a dataclass of ``terms``."""
    return {
        member.name: _out(member.type, getattr(value, member.attribute))
        for member in STRUCTS[type(value).__name__]
    }


def from_json(cls: type[T], data: object, path: str = "") -> T:
    """Return the dataclass ``cls`` of a JSON object. Raise InvalidTerms naming the member at fault."""
    members = STRUCTS[cls.__name__]
    if not isinstance(data, Mapping):
        raise InvalidTerms("A JSON object is needed.", field=path.rstrip(".") or "message")
    names = {member.name for member in members}
    for name in data:
        if name not in names:
            raise InvalidTerms("There is no such member.", field=f"{path}{name!s:.40}" or "message")
    for member in members:
        if member.name not in data:
            raise InvalidTerms("The member is missing.", field=path + member.name)
    return cls(*(value_from_json(member.type, data[member.name], path + member.name) for member in members))


def value_from_json(kind: str, value: object, path: str) -> Any:
    """Return a value of an EIP-712 type. Raise InvalidTerms naming ``path`` for anything else."""
    if kind.endswith("[]"):
        if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
            raise InvalidTerms(f"A list of at most {MAX_ITEMS} items.", field=path)
        inner = kind.removesuffix("[]")
        return tuple(value_from_json(inner, item, f"{path}[{index}]") for index, item in enumerate(value))
    if kind in STRUCTS:
        return from_json(CLASSES[kind], value, path + ".")
    if kind.startswith("uint"):
        return _integer(value, int(kind.removeprefix("uint")), path)
    if kind == "bool":
        if not isinstance(value, bool):
            raise InvalidTerms("true or false.", field=path)
        return value
    if not isinstance(value, str):
        raise InvalidTerms("A string is needed.", field=path)
    if kind == "bytes32":
        if len(value) != 66 or not _HEX.match(value):
            raise InvalidTerms("32 bytes as 0x and 64 hex digits.", field=path)
        return bytes.fromhex(value[2:])
    return _address(value, path) if kind == "address" else value


def _out(kind: str, value: Any) -> Any:
    if kind.endswith("[]"):
        return [_out(kind.removesuffix("[]"), item) for item in value]
    if kind in STRUCTS:
        return to_json(value)
    if kind.startswith("uint"):
        return int(value) if int(kind.removeprefix("uint")) <= _SAFE_BITS else str(int(value))
    return "0x" + value.hex() if kind == "bytes32" else value


def _address(value: str, path: str) -> str:
    if len(value) != 42 or not _HEX.match(value):
        raise InvalidTerms("An address as 0x and 40 hex digits.", field=path)
    # Mixed case is a checksum (EIP-55): a wrong one is a typing error, not another spelling.
    if value[2:] not in (value[2:].lower(), value[2:].upper()) and not is_checksum_address(value):
        raise InvalidTerms("The checksum of the address is wrong.", field=path)
    return to_checksum_address(value)


def _integer(value: object, width: int, path: str) -> int:
    if isinstance(value, str) and _DECIMAL.match(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**width:
        raise InvalidTerms(f"An integer of {width} bits, as a number or decimal digits.", field=path)
    return value

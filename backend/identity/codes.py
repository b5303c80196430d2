"""Enrolment codes that a person can type: five groups of four, ``ABCD-EFGH-JKMN-PQRS-TVWX``.

Symbols are Crockford's base 32 (no I, L, O, U). The first 5 name the code, the next 13 are 65 secret bits and
the last 2 a checksum: the sum of value times position, modulo 1021. As 1021 is greater than any position
times any difference of values, every single wrong symbol and every exchange of two in the body is found.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from backend.identity.errors import EnrolmentCodeMalformed

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PREFIX_SYMBOLS: Final = 5
SECRET_SYMBOLS: Final = 13
_BODY: Final = PREFIX_SYMBOLS + SECRET_SYMBOLS
_CHECK_SYMBOLS: Final = 2
_MODULUS: Final = 1021
_GROUP: Final = 4
_MAX_TYPED: Final = 64
_READ_AS: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None, "\u2013": None})


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    prefix: str
    secret: str

    @classmethod
    def new(cls) -> Code:
        symbols = "".join(secrets.choice(ALPHABET) for _ in range(_BODY))
        return cls(symbols[:PREFIX_SYMBOLS], symbols[PREFIX_SYMBOLS:])

    @classmethod
    def parse(cls, typed: str) -> Code:
        """Read what a person typed: any case, with or without hyphens, I and L as 1, O as 0.

        Raises EnrolmentCodeMalformed.
        """
        if len(typed) > _MAX_TYPED:
            raise EnrolmentCodeMalformed(field="code")
        symbols = typed.upper().translate(_READ_AS)
        if len(symbols) != _BODY + _CHECK_SYMBOLS or any(symbol not in ALPHABET for symbol in symbols):
            raise EnrolmentCodeMalformed(field="code")
        if _check(symbols[:_BODY]) != symbols[_BODY:]:
            raise EnrolmentCodeMalformed(field="code")
        return cls(symbols[:PREFIX_SYMBOLS], symbols[PREFIX_SYMBOLS:_BODY])

    @property
    def text(self) -> str:
        """As it is shown to the person."""
        body = self.prefix + self.secret
        symbols = body + _check(body)
        return "-".join(symbols[start : start + _GROUP] for start in range(0, len(symbols), _GROUP))

    def __repr__(self) -> str:
        return f"Code({self.prefix}-...)"


def _check(body: str) -> str:
    total = sum(position * ALPHABET.index(symbol) for position, symbol in enumerate(body, start=1)) % _MODULUS
    return ALPHABET[total // 32] + ALPHABET[total % 32]

"""Which content codings a client accepts (RFC 9110, Accept-Encoding)."""

from __future__ import annotations

from typing import Final

_PIECES: Final = 20  # of one header that are looked at


def accepted(header: str | None, coding: str) -> bool:
    """Return whether ``coding`` is acceptable by name or by ``*``; a weight of zero is a refusal."""
    any_other = False
    for piece in (header or "").split(",")[:_PIECES]:
        name, _, weight = piece.partition(";")
        match name.strip().lower():
            case found if found == coding:
                return not _is_zero(weight)
            case "*":
                any_other = not _is_zero(weight)
    return any_other


def _is_zero(weight: str) -> bool:
    name, _, value = weight.strip().partition("=")
    return name.strip().lower() == "q" and not value.strip().strip("0.")

"""Whether a client has an answer already (RFC 9110, If-None-Match)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

IfNoneMatch = Annotated[str | None, Header(max_length=1024)]


def names(if_none_match: str | None, tag: str) -> bool:
    """Return whether the header names the quoted ``tag``, by weak comparison (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    candidates = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in candidates or tag in candidates

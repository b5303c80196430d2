"""Looks for text in raw files, also where a store has written it as hex or base64."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from backend.demo.privacy import SHORTEST

# Of base64, of which the files hold megabytes, so many characters do not stand anywhere by chance.
_TELLING: Final = 8
_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


def forms(text: str) -> set[bytes]:
    """How a store may have written the text: as it is, in UTF-16, in hex, and in base64."""
    plain = text.encode()
    found = {plain, text.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()}
    for lead in range(3):
        # Without the characters at both ends that depend on what lies beside it.
        encoded = base64.b64encode(bytes(lead) + plain)
        inner = encoded[(0, 2, 3)[lead] : -4 if (lead + len(plain)) % 3 else None]
        if len(inner) >= _TELLING:
            found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def found_in(files: Iterable[Path], needles: Iterable[str]) -> dict[str, set[str]]:
    """Return which needles stand in which files, by name of the file."""
    by_start: dict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
    for needle in needles:
        for form in forms(needle):
            by_start[form[:SHORTEST]].append((form, needle))
    hits: dict[str, set[str]] = defaultdict(set)
    for path in files:
        content = path.read_bytes()
        for at in range(len(content) - SHORTEST + 1):
            candidates = by_start.get(content[at : at + SHORTEST])
            if candidates is not None:
                for form, needle in candidates:
                    if content.startswith(form, at) and (
                        len(form) >= _TELLING or _stands_alone(content, at, at + len(form))
                    ):
                        hits[needle].add(path.name)
    return dict(hits)


def _stands_alone(content: bytes, start: int, end: int) -> bool:
    """Whether a short text is one, and no part of a longer run of characters such as base64."""
    beside = content[max(0, start - 1) : start] + content[end : end + 1]
    return not _BASE64 & set(beside)

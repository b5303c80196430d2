"""Looks for text in raw files, also where a store has written it as hex or base64."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from backend.demo.privacy import SHORTEST


def forms(text: str) -> set[bytes]:
    """How a store may have written the text: as it is, in UTF-16, in hex, and in base64."""
    plain = text.encode()
    found = {plain, text.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()}
    for lead in range(3):
        # Without the characters at both ends that depend on what lies beside it.
        encoded = base64.b64encode(bytes(lead) + plain)
        inner = encoded[(0, 2, 3)[lead] : -4 if (lead + len(plain)) % 3 else None]
        if len(inner) > SHORTEST:
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
                    if content.startswith(form, at):
                        hits[needle].add(path.name)
    return dict(hits)

"""Step 9: everything the chain holds in the open is searched for everything the bundles say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.adapters.ledger.dump import raw_dump, replica
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.process import find_anvil
from backend.demo.checks import Checks
from backend.stores import REPOSITORY
from backend.types import BlockNumber

SHORTEST = 5  # shorter strings occur in any random bytes


def check(data_directory: Path, checks: Checks, bundles: list[bytes]) -> None:
    """Search calldata, events and storage writes for each string, code and date of the bundles."""
    needles = {needle for bundle in bundles for needle in strings_of(json.loads(bundle))}
    chain = EmbeddedChain(directory=data_directory / "chain", binary=find_anvil(REPOSITORY))
    try:
        head = chain.view().head_number
        with replica(chain) as rpc:
            written = b"\n".join(item.everything() for item in raw_dump(rpc, BlockNumber(1), head))
    finally:
        chain.close()
    found = sorted(needle for needle in needles if holds(written, needle))
    checks.that(
        "no string, code or date of the bundles is in calldata, events or storage",
        held=bool(written) and not found,
        detail=f"{len(needles)} strings, {len(written)} bytes, found: {found[:3]}",
    )
    # The search itself must be able to find something.
    canary = next(iter(needles))
    checks.that("the search finds what is there", held=holds(written + canary.encode(), canary))


def holds(written: bytes, needle: str) -> bool:
    """Whether the bytes hold the text, as text or as its hex digits in text."""
    encoded = needle.encode()
    return encoded in written or encoded.hex().encode() in written


def strings_of(value: Any) -> Iterator[str]:
    """Yield every string and number of a JSON value that is long enough to mean something."""
    if isinstance(value, dict):
        for item in value.values():
            yield from strings_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_of(item)
    elif isinstance(value, str) and len(value) >= SHORTEST:
        yield value

"""Reading the log as one line of bundles, while small ones are merged into larger ones.

A merged bundle is written in the place of the first of its parts, and the others are removed behind it. So a
reader may meet parts that a merged bundle holds too: after a crash between the two writes, or when it reads
beside a merge. And it may miss parts: those that a merge took behind its back into a bundle it had passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate

from backend.audit.ports import AuditStore
from backend.audit.types import Bundle
from backend.types import LogIndex


def in_line(
    store: AuditStore,
    *,
    whole: bool,
    differing: Callable[[Bundle], None],
    left_over: Callable[[Bundle, Bundle], None] = lambda _part, _merged: None,
) -> Iterator[Bundle]:
    """Yield the log's bundles in order, each entry once, also those past the head; ``whole`` as in the port.

    ``left_over`` gets a part that still lies beside the merged bundle, and that bundle. ``differing`` gets a
    bundle that begins in the one before it and is not such a part: it is not yielded. Where entries are
    missing the line goes on behind them. Raises LogDamaged as the port does.
    """
    last: Bundle | None = None
    for bundle in store.bundles(whole=whole):
        while last is not None and bundle.first > last.end:
            moved = _moved(store, last.end, whole=whole)
            if moved is None:
                break
            yield rest_of(moved, last.end)
            last = moved
        if last is not None and bundle.first < last.end:
            if is_part(bundle, last):
                left_over(bundle, last)
            else:
                differing(bundle)
            continue
        last = bundle
        yield bundle
    while last is not None and (moved := _moved(store, last.end, whole=whole)) is not None:
        yield rest_of(moved, last.end)
        last = moved


def _moved(store: AuditStore, index: int, *, whole: bool) -> Bundle | None:
    """Return the bundle that holds an entry now and was passed before it did."""
    found = store.bundle_with(index, whole=whole)
    return found if found is not None and found.first < index else None


def rest_of(bundle: Bundle, index: int) -> Bundle:
    """Return what a bundle holds from an entry on. It has no parts: it is none that is stored."""
    start = index - bundle.first
    return replace(
        bundle,
        first=LogIndex(index),
        leaves=bundle.leaves[start:],
        bodies=bundle.bodies[start:],
        hashes=bundle.hashes[start:],
        acts=bundle.acts[start:],
        parts=(),
    )


def is_part(bundle: Bundle, merged: Bundle) -> bool:
    """Whether a bundle is one of those that ``merged`` was made of, and not its first: the same commits, the
    same leaves and acts, and hashes where both were read."""
    firsts = part_firsts(merged)
    if bundle.first not in firsts[1:] or bundle.end > merged.end:
        return False
    number, start, end = firsts.index(bundle.first), bundle.first - merged.first, bundle.end - merged.first
    return (
        bundle.token == merged.token
        and bundle.parts == merged.parts[number : number + len(bundle.parts)]
        and bundle.leaves == merged.leaves[start:end]
        and bundle.acts == merged.acts[start:end]
        and bundle.hashes == merged.hashes[start:end]
    )


def part_firsts(bundle: Bundle) -> list[int]:
    """Return the first index of each commit in a stored bundle."""
    ends = accumulate((part.entries for part in bundle.parts), initial=int(bundle.first))
    return list(ends)[:-1]

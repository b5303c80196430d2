"""``assent audit finality``: which permits rested on blocks that were final and are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any, Final

from backend.adapters.ledger.final_blocks import Replaced
from backend.adapters.ledger.network import NetworkChain
from backend.audit.access import AccessEntry
from backend.audit.entry import AuditEvent
from backend.maintenance.errors import NotOnANetwork
from backend.maintenance.rested import Ground, lost_grounds, may_rest
from backend.maintenance.stopped_log import StoppedLog
from backend.stores import Stores
from backend.types import BlockNumber, SubjectId, to_hex

_AT_ONCE: Final = 256
_ANYBODY: Final = SubjectId(1)  # members are asked for together with a subject
_CLOCKS_APART_MS: Final = 3_600_000  # of the validators and of this service


def report_finality(stores: Stores, *, accept: bool) -> dict[str, Any]:
    """Compare the blocks that permission rested on with those that the nodes have now, and list every permit
    that needed what a replaced one recorded, with what that is (``rested``).

    ``accept`` forgets the replaced blocks, so that the service permits again. The list is made first and is
    the same then as ever. Raises NotOnANetwork, LedgerUnavailable.
    """
    chain = stores.chain
    if not isinstance(chain, NetworkChain):
        raise NotOnANetwork
    replaced = chain.replaced()
    if replaced is None:
        return {"replaced": None, "entries": [], "unreadable": [], "complete": True, "accepted": False}
    log = StoppedLog(stores, reader="audit-finality")
    try:
        found, unreadable = _touched(stores, log, replaced)
        for subject in sorted({event.subject for _, event, _ in found if event.subject}):
            log.note(subject)
        log.note(None, whole=True)
    finally:
        log.close()
    if accept:
        chain.accept(replaced)
    return {
        "replaced": {
            "first": replaced.first,
            "last": replaced.last,
            "was": to_hex(replaced.was),
            "is": to_hex(replaced.now),
            "seen_by": list(replaced.nodes),
        },
        "entries": [_line(entry, event, grounds) for entry, event, grounds in found],
        "unreadable": unreadable,
        "complete": not unreadable,
        "accepted": accept,
    }


def _touched(
    stores: Stores, log: StoppedLog, replaced: Replaced
) -> tuple[list[tuple[AccessEntry, AuditEvent, tuple[Ground, ...]]], list[int]]:
    """Return the permits that needed what the last block before the replaced ones did not have, and the
    entries that cannot be read, in the order of the log."""
    common = BlockNumber(replaced.first - 1)
    begun = stores.ledger.time_of(common) * 1_000 - _CLOCKS_APART_MS
    then = _Then(stores, common)
    found: list[tuple[AccessEntry, AuditEvent, tuple[Ground, ...]]] = []
    unreadable: list[int] = []
    for page, damaged in _pages(log, begun):
        unreadable += damaged
        for entry in page:
            event = entry.event
            if event is None:
                unreadable.append(entry.index)
            elif may_rest(event) and (event.final_block is None or event.final_block >= replaced.first):
                grounds = lost_grounds(event, then)
                if grounds:
                    found.append((entry, event, grounds))
    return found, unreadable


class _Then:
    """Implements ``rested.Then``, asking for each thing once."""

    def __init__(self, stores: Stores, block: BlockNumber) -> None:
        ledger = stores.ledger
        self.is_recorded = cache(
            lambda subject, consent: ledger.evidence(subject, (consent,), block=block).slots[0].is_recorded
        )
        self.membership = cache(
            lambda member: ledger.facts(_ANYBODY, (), (member,), block=block).members[member]
        )
        self.controller = cache(lambda subject: ledger.evidence(subject, (), block=block).controller)
        self.subject_key = cache(lambda subject: stores.subject_keys.key_at(subject, block=block))
        self.member_key = cache(lambda member: stores.member_keys.key_hash_at(member, block=block))


def _pages(log: StoppedLog, start_ms: int) -> Iterator[tuple[tuple[AccessEntry, ...], tuple[int, ...]]]:
    left = log.search.span(max(0, start_ms))
    while True:
        page = log.search.scan(
            None, left, newest_first=False, keep=lambda _: True, limit=_AT_ONCE, most=_AT_ONCE
        )
        yield page.entries, page.damaged
        if page.rest is None:
            return
        left = page.rest


def _line(entry: AccessEntry, event: AuditEvent, grounds: tuple[Ground, ...]) -> dict[str, Any]:
    return {
        "position": entry.index,
        "recorded_at_ms": entry.recorded_at_ms,
        "type": event.type,
        "patient": None if event.subject is None else f"0x{event.subject:024x}",
        "consents": [to_hex(consent) for consent in event.consents],
        "requester": {"kind": event.actor.kind.value, "id": event.actor.id},
        "organisation": None if event.organisation is None else to_hex(event.organisation),
        "purpose": event.purpose,
        "records": [to_hex(record) for record in event.records],
        "final_block": event.final_block,
        "rested_on": [asdict(ground) for ground in grounds],
    }

"""``assent audit finality``: which permits rested on blocks that were final and are gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.adapters.ledger.final_blocks import Replaced
from backend.adapters.ledger.network import NetworkChain
from backend.audit.access import AccessEntry
from backend.audit.entry import AuditEvent, Outcome
from backend.maintenance.errors import NotOnANetwork
from backend.maintenance.stopped_log import StoppedLog
from backend.stores import Stores
from backend.types import BlockNumber, ConsentId, SubjectId, to_hex

_AT_ONCE: Final = 256
_CLOCKS_APART_MS: Final = 3_600_000  # of the validators and of this service


def report_finality(stores: Stores, *, accept: bool) -> dict[str, Any]:
    """Compare the blocks that permission rested on with those that the nodes have now, and list every permit
    that needed a consent out of a replaced one.

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
        for subject in sorted(
            {entry.event.subject for entry in found if entry.event and entry.event.subject}
        ):
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
        "entries": [_line(entry, entry.event) for entry in found if entry.event is not None],
        "unreadable": unreadable,
        "complete": not unreadable,
        "accepted": accept,
    }


def _touched(stores: Stores, log: StoppedLog, replaced: Replaced) -> tuple[list[AccessEntry], list[int]]:
    """Return the permits that needed what the last block before the replaced ones did not have, and the
    entries that cannot be read, in the order of the log."""
    common = BlockNumber(replaced.first - 1)
    begun = stores.ledger.time_of(common) * 1_000 - _CLOCKS_APART_MS
    lasting: dict[tuple[SubjectId, ConsentId], bool] = {}

    def lasts(subject: SubjectId, consent: ConsentId) -> bool:
        known = lasting.get((subject, consent))
        if known is None:
            known = stores.ledger.evidence(subject, (consent,), block=common).slots[0].is_recorded
            lasting[subject, consent] = known
        return known

    found: list[AccessEntry] = []
    unreadable: list[int] = []
    for page, damaged in _pages(log, begun):
        unreadable += damaged
        for entry in page:
            event = entry.event
            if event is None:
                unreadable.append(entry.index)
            elif _may_rest_on(event, replaced) and event.subject is not None:
                subject = event.subject
                if not all(lasts(subject, consent) for consent in event.consents):
                    found.append(entry)
    return found, unreadable


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


def _may_rest_on(event: AuditEvent, replaced: Replaced) -> bool:
    """Whether the event is a permit whose final block was among those that are gone, or is not named."""
    permitted = event.outcome is Outcome.PERMITTED and bool(event.consents)
    return permitted and (event.final_block is None or event.final_block >= replaced.first)


def _line(entry: AccessEntry, event: AuditEvent) -> dict[str, Any]:
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
    }

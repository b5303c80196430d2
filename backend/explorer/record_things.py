"""Record versions, audit logs, and openings ("Life of an emergency opening", docs/contracts.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.explorer.thing import Thing, View
from backend.explorer.wording import iso
from backend.types import subject_text, to_hex

_RESPONDER: Final = 32
_REVIEW_SECONDS: Final = 72 * 3600


def commitment_things(view: View, word: bytes) -> Iterator[Thing]:
    for (custodian, commitment), (committed, withdrawn) in view.state.records.commitments.items():
        if commitment != word:
            continue
        facts = {"custodian": custodian}
        if not committed:
            yield Thing("record version", "passed on to another custodian", facts)
            continue
        facts["committed"] = iso(committed)
        yield Thing("record version", f"withdrawn {iso(withdrawn)}" if withdrawn else "committed", facts)
    if word in view.state.records.transfers:
        yield Thing("transfer of custody", "made")


def log_things(view: View, word: bytes) -> Iterator[Thing]:
    anchors = view.state.anchors
    for log, head in anchors.heads.items():
        if word not in (log, head.origin):
            continue
        facts: dict[str, Any] = {
            "log": to_hex(log),
            "custodian": to_hex(head.custodian),
            "origin": to_hex(head.origin),
            "entries": head.size,
            "root": to_hex(head.root),
            "anchored": f"{iso(head.time)} in block {head.block}",
            "cosigned by": [
                f"{to_hex(witness)}: {size} entries, {iso(time)}"
                for (name, witness), (size, time) in anchors.cosignatures.items()
                if name == log
            ],
        }
        yield Thing("audit log", _fork(view, log) or "anchored", facts)
    if word in anchors.forks and word not in anchors.heads:
        yield Thing("audit log", _fork(view, word))


def _fork(view: View, log: bytes) -> str:
    time = view.state.anchors.forks.get(log)
    return f"FORKED: its custodian signed two histories, shown {iso(time)}" if time else ""


def opening_things(view: View, word: bytes) -> Iterator[Thing]:
    for each in view.since_first():
        if word in each.patients.emergencies.openings:
            yield _opening(each, word)


def _opening(view: View, word: bytes) -> Thing:
    emergencies = view.patients.emergencies
    found = emergencies.openings[word]
    facts: dict[str, Any] = {
        "subject": subject_text(found.subject),
        "responder": to_hex(found.member),
        "responder's account": found.responder,
        "reason (commitment)": to_hex(emergencies.reasons[word]),
        "from": iso(found.opened_at),
        "until": iso(found.expires_at),
        "recorded": iso(found.recorded_at)
        + (", late: its begin is the responder's word" if found.late else ""),
    }
    if any(found.countersigner):
        facts["countersigned by"] = to_hex(found.countersigner)
    if found.closed_at:
        facts["closed"] = iso(found.closed_at)
    if found.reviewed_at:
        facts["finding (commitment)"] = to_hex(found.finding)
    return Thing("emergency opening", _opening_state(view, word), facts)


def _opening_state(view: View, word: bytes) -> str:
    emergencies = view.patients.emergencies
    found = emergencies.openings[word]
    if found.reviewed_at:
        return f"Reviewed {iso(found.reviewed_at)}"
    if not emergencies.is_over(found, view.now):
        has_role = view.state.participants.has_role(found.responder, _RESPONDER, view.now)
        return "Open" if has_role else "Paused: the responder does not have the role now"
    due = found.recorded_at + _REVIEW_SECONDS
    if view.now >= due:
        return f"Overdue: its review was due {iso(due)}"
    return f"Over, its review is due {iso(due)}"

"""Consents, delegations and subjects, in the words of "Life of a consent" (docs/contracts.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.adapters.ledger.rebuild.consents import OPENED, subject_of
from backend.consent.ledger_types import NOBODY, ConsentSlot, unpack_consent_slot, unpack_subject_slot
from backend.explorer.thing import Thing, View
from backend.explorer.wording import KINDS, POLICIES, iso
from backend.types import subject_text, to_hex

_PERMIT, _DELEGATION = 1, 3
_COMPLETION_SECONDS: Final = 7 * 86_400  # Recovery.sol, COMPLETION_WINDOW


def consent_things(view: View, word: bytes) -> Iterator[Thing]:
    for each in view.since_first():
        slot = each.patients.consents.slots.get(word, 0)
        if each.patients.consents.subject(subject_of(slot)) & OPENED:
            yield _consent(view, each, word)
            return


def _consent(view: View, seen: View, word: bytes) -> Thing:
    """``seen``: the newest generation that has it."""
    consents = seen.patients.consents
    slot = unpack_consent_slot(consents.consent(word))
    facts: dict[str, Any] = {"subject": subject_text(slot.subject), "epoch": slot.epoch}
    if slot.not_before:
        facts["from"] = iso(slot.not_before)
    facts["until"] = iso(slot.not_after)
    if slot.revoked_at:
        facts["revoked"] = iso(slot.revoked_at)
    if consents.is_adopted(word):
        facts["taken over"] = iso(consents.adopted_at(slot.subject))
    used, delegate = consents.used.get(word), consents.delegates.get(word)
    if used is not None:
        facts["given under delegation"] = to_hex(used)
    if delegate is not None:
        facts["delegate"] = delegate
    return Thing(KINDS[slot.kind], _consent_state(view, seen, slot), facts)


def _consent_state(view: View, seen: View, slot: ConsentSlot) -> str:
    state = _state(seen, slot)
    if seen.patients is view.patients:
        return state
    return f"Not taken over; in the registry that was succeeded: {state}"


def _state(view: View, slot: ConsentSlot) -> str:
    consents = view.patients.consents
    if not slot.not_before:
        return "RevokedAhead: revoked before it was recorded, it never counted and never will"
    if slot.revoked_at:
        return f"Revoked {iso(slot.revoked_at)}"
    cause = consents.ended_for_cause.get((slot.subject, slot.delegation_tag), 0)
    if cause and slot.kind == _PERMIT:
        return f"Stopped {iso(cause)}: its delegation was ended for cause"
    epoch = unpack_subject_slot(consents.subject(slot.subject)).epoch
    if slot.kind in (_PERMIT, _DELEGATION) and slot.epoch != epoch:
        return f"Stopped: the subject revoked everything, epoch {epoch} is current"
    if view.now < slot.not_before:
        return f"Waiting: begins {iso(slot.not_before)}"
    if view.now >= slot.not_after:
        return f"Ended {iso(slot.not_after)}"
    return "Live, if every delegation above it is" if slot.kind == _DELEGATION else "Live"


def subject_things(view: View, word: bytes) -> Iterator[Thing]:
    subject = int.from_bytes(word)
    for each in view.since_first():
        if each.patients.consents.subject(subject) & OPENED:
            yield _subject(view, each, subject)
            return


def _subject(view: View, seen: View, subject: int) -> Thing:
    """``seen``: the newest generation in which it is open."""
    consents = seen.patients.consents
    found = unpack_subject_slot(consents.subject(subject))
    under_guardians = found.controller == NOBODY
    facts: dict[str, Any] = {
        "controller": "none" if under_guardians else found.controller.lower(),
        "opened by custodian": to_hex(consents.opening_custodians[subject]),
        "epoch": found.epoch,
        "consents ever recorded": found.count,
        "recovery": _recovery(seen, subject),
        "emergency policy": _policy(seen, subject),
        "encryption key": _key(seen, subject, found.controller),
    }
    adopted_at = consents.adopted_at(subject)
    if adopted_at:
        facts["taken over"] = iso(adopted_at)
    facts["consents"] = [
        f"{to_hex(identity)} {KINDS[slot.kind]}: {_consent_state(view, each, slot)}"
        for each, identity, slot in _consents_of(seen, subject)
    ]
    state = "open, under guardians" if under_guardians else "open"
    if seen.patients is not view.patients:
        state += ", in the registry that was succeeded; not taken over"
    return Thing("subject", state, facts)


def _consents_of(view: View, subject: int) -> Iterator[tuple[View, bytes, ConsentSlot]]:
    """Yield each id once, as the newest generation that has it sees it."""
    known: set[bytes] = set()
    for each in view.since_first():
        consents = each.patients.consents
        own = [identity for identity, slot in consents.slots.items() if subject_of(slot) == subject]
        for identity in own:
            if identity not in known:
                yield each, identity, unpack_consent_slot(consents.consent(identity))
        known.update(own)


def _recovery(view: View, subject: int) -> str:
    state = view.patients.recoveries.states.get(subject)
    if state is None:
        return "Quiet: nobody is named who could recover it"
    ready = state.proposed_at + view.constants.recovery_delay
    if state.controller != NOBODY and view.now < ready + _COMPLETION_SECONDS:
        name = "Last" if state.is_veto_spent else "Pending"
        return f"{name}: {state.controller.lower()} may take over from {iso(ready)}"
    return "Vetoed: the controller has used its veto" if state.is_veto_spent else "Quiet"


def _policy(view: View, subject: int) -> str:
    emergencies = view.patients.emergencies
    policy, round_ = emergencies.policy(subject)
    if not round_:
        return "limit (never set)"
    history = emergencies.policies.get(subject)
    if not history or history[-1][1] != policy:
        return f"{POLICIES[policy]}, by what was set in the contract that was succeeded"
    return f"{POLICIES.get(policy, policy)}, since {iso(history[-1][0])}"


def _key(view: View, subject: int, controller: str) -> str:
    found = view.patients.keys.held(subject)
    if not found.sequence:
        return "none (never bound)"
    if not any(found.key_hash):
        if view.patients.keys.bindings.get(subject) != found:
            return f"none: number {found.sequence} was used in the contract that was succeeded"
        return f"none: withdrawn up to number {found.sequence}"
    if int(found.controller, 16) != int(controller, 16):
        return f"none: number {found.sequence} was bound by {found.controller.lower()}, who was replaced"
    return f"{to_hex(found.key_hash)}, number {found.sequence}, bound {iso(found.bound_at)}"

"""Consents, delegations and subjects, in the words of "Life of a consent" (docs/contracts.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.consent.ledger_types import NOBODY, ConsentSlot, unpack_consent_slot, unpack_subject_slot
from backend.explorer.thing import Thing, View
from backend.explorer.wording import KINDS, POLICIES, iso
from backend.types import subject_text, to_hex

_PERMIT, _DELEGATION = 1, 3
_COMPLETION_SECONDS: Final = 7 * 86_400  # Recovery.sol, COMPLETION_WINDOW


def consent_things(view: View, word: bytes) -> Iterator[Thing]:
    packed = view.state.consents.slots.get(word)
    if packed is None:
        return
    slot = unpack_consent_slot(packed)
    facts: dict[str, Any] = {"subject": subject_text(slot.subject), "epoch": slot.epoch}
    if slot.not_before:
        facts["from"] = iso(slot.not_before)
    facts["until"] = iso(slot.not_after)
    if slot.revoked_at:
        facts["revoked"] = iso(slot.revoked_at)
    used, delegate = view.state.consents.used.get(word), view.state.consents.delegates.get(word)
    if used is not None:
        facts["given under delegation"] = to_hex(used)
    if delegate is not None:
        facts["delegate"] = delegate
    yield Thing(KINDS[slot.kind], _consent_state(view, slot), facts)


def _consent_state(view: View, slot: ConsentSlot) -> str:
    consents = view.state.consents
    if not slot.not_before:
        return "RevokedAhead: revoked before it was recorded, it never counted and never will"
    if slot.revoked_at:
        return f"Revoked {iso(slot.revoked_at)}"
    cause = consents.ended_for_cause.get((slot.subject, slot.delegation_tag), 0)
    if cause and slot.kind == _PERMIT:
        return f"Stopped {iso(cause)}: its delegation was ended for cause"
    epoch = unpack_subject_slot(consents.subjects[slot.subject]).epoch
    if slot.kind in (_PERMIT, _DELEGATION) and slot.epoch != epoch:
        return f"Stopped: the subject revoked everything, epoch {epoch} is current"
    if view.now < slot.not_before:
        return f"Waiting: begins {iso(slot.not_before)}"
    if view.now >= slot.not_after:
        return f"Ended {iso(slot.not_after)}"
    return "Live, if every delegation above it is" if slot.kind == _DELEGATION else "Live"


def subject_things(view: View, word: bytes) -> Iterator[Thing]:
    subject = int.from_bytes(word)
    packed = view.state.consents.subjects.get(subject)
    if packed is None:
        return
    found = unpack_subject_slot(packed)
    under_guardians = found.controller == NOBODY
    facts: dict[str, Any] = {
        "controller": "none" if under_guardians else found.controller.lower(),
        "opened by custodian": to_hex(view.state.consents.opening_custodians[subject]),
        "epoch": found.epoch,
        "consents ever recorded": found.count,
        "recovery": _recovery(view, subject),
        "emergency policy": _policy(view, subject),
        "encryption key": _key(view, subject, found.controller),
    }
    facts["consents"] = [
        f"{to_hex(identity)} {KINDS[slot.kind]}: {_consent_state(view, slot)}"
        for identity, slot in _consents_of(view, subject)
    ]
    yield Thing("subject", "open, under guardians" if under_guardians else "open", facts)


def _consents_of(view: View, subject: int) -> Iterator[tuple[bytes, ConsentSlot]]:
    for identity, packed in view.state.consents.slots.items():
        slot = unpack_consent_slot(packed)
        if slot.subject == subject:
            yield identity, slot


def _recovery(view: View, subject: int) -> str:
    state = view.state.recoveries.states.get(subject)
    if state is None:
        return "Quiet: nobody is named who could recover it"
    ready = state.proposed_at + view.constants.recovery_delay
    if state.controller != NOBODY and view.now < ready + _COMPLETION_SECONDS:
        name = "Last" if state.is_veto_spent else "Pending"
        return f"{name}: {state.controller.lower()} may take over from {iso(ready)}"
    return "Vetoed: the controller has used its veto" if state.is_veto_spent else "Quiet"


def _policy(view: View, subject: int) -> str:
    history = view.state.emergencies.policies.get(subject)
    if not history:
        return "limit (never set)"
    time, policy, _ = history[-1]
    return f"{POLICIES.get(policy, policy)}, since {iso(time)}"


def _key(view: View, subject: int, controller: str) -> str:
    found = view.state.keys.bindings.get(subject)
    if found is None:
        return "none (never bound)"
    if not any(found.key_hash):
        return f"none: withdrawn up to number {found.sequence}"
    if int(found.controller, 16) != int(controller, 16):
        return f"none: number {found.sequence} was bound by {found.controller.lower()}, who was replaced"
    return f"{to_hex(found.key_hash)}, number {found.sequence}, bound {iso(found.bound_at)}"

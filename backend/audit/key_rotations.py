"""Puts rotations of keys into the log, once each: at once, or at the next start when a crash came between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.keystore import KeyStore, KeyVersion

_ACTOR: Final = Agent.service("keys")
_ACT_BYTES: Final = 16


def log_rotations(keys: KeyStore, log: AuditLog, *, clock: Callable[[], int]) -> None:
    """Append an entry for every class of keys whose newest version has none. Versions, never keys."""
    for version in keys.versions():
        if version.logged < version.version:
            log.append(_event(version, clock()), act=_act(version))
            keys.note_version(version._replace(logged=version.version))


def _event(version: KeyVersion, now: int) -> AuditEvent:
    return AuditEvent(
        type=codes.KEY_ROTATED,
        outcome=Outcome.CHANGED,
        occurred_at_ms=(version.made_at or now) * 1000,
        actor=_ACTOR,
        detail={"class": version.key_class, "version": version.version, "minimum": version.minimum},
    )


def _act(version: KeyVersion) -> bytes:
    """The same for the same rotation, so that the log holds it once."""
    text = f"assent/key-rotated/{version.key_class}/{version.version}"
    return hashlib.sha256(text.encode()).digest()[:_ACT_BYTES]

"""Emergencies that were opened on the chain: into the log, to the patient, and to whoever is on call.

Whoever is admitted as a responder may open one without any custodian. What it shows is decided at the read;
that it was opened is nobody's to keep quiet.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Protocol

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.types import ACT_BYTES, AppendedEntry
from backend.consent.ledger_types import RecordedOpening
from backend.types import MemberId, SubjectId, UnixSeconds

_LOG = logging.getLogger("assent.consent")


class Log(Protocol):
    def append(self, event: AuditEvent, *, act: bytes | None = None) -> AppendedEntry:
        """Raises AuditUnavailable."""
        ...


class OpeningLog:
    """``is_enrolled``: whether a subject is a patient here. ``publish`` gets the time of a block with one."""

    def __init__(
        self,
        *,
        log: Log,
        tenant: MemberId,
        is_enrolled: Callable[[SubjectId], bool],
        publish: Callable[[UnixSeconds], None],
    ) -> None:
        self._log = log
        self._tenant = tenant
        self._is_enrolled = is_enrolled
        self._publish = publish

    def concerns(self, opening: RecordedOpening) -> bool:
        """Its patient is here, or it was opened or countersigned by this organisation."""
        return self._tenant in (opening.member, opening.countersigner) or self._is_enrolled(opening.subject)

    def take(self, opening: RecordedOpening) -> bool:
        """Put it into the log; False where it is in it already. Raises Unavailable.

        It stands in the patient's chain where the patient is here: then the patient is told.
        """
        detail: dict[str, str | int | bool] = {
            "opening": "0x" + opening.opening.hex(),
            "expires_at": opening.expires_at,
            "late": opening.late,
            "block": opening.block,
            "transaction": "0x" + opening.transaction.hex(),
        }
        if opening.countersigner is not None:
            detail["countersigner"] = "0x" + opening.countersigner.hex()
        entry = self._log.append(
            AuditEvent(
                type=codes.EMERGENCY_OPENED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=opening.opened_at * 1000,
                actor=Agent.member(opening.member),
                subject=opening.subject if self._is_enrolled(opening.subject) else None,
                detail=detail,
            ),
            act=hashlib.sha256(b"assent/opening/1" + opening.opening).digest()[:ACT_BYTES],
        )
        self._publish(opening.at)
        if not entry.repeated:
            _LOG.warning("an emergency was opened", extra={"opening": detail["opening"]})
        return not entry.repeated

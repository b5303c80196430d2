"""What people of the long run were promised, and whether an answer to a read keeps it. Times: monotonic."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What an answer to a read was."""

    PERMITTED = "permitted"
    DENIED = "denied"
    AWAY = "nobody could answer"  # allowed while something is broken
    WRONG_PERMIT = "wrong permit"
    WRONG_DENY = "wrong deny"
    ALTERED = "other bytes"
    ODD = "odd answer"


@dataclass(slots=True)
class Permit:
    """The life of one permit of a patient to a clinic; None for what has not happened yet."""

    consent_id: str
    sent: float
    acknowledged: float | None = None
    counted: float | None = None  # a read that it permitted was answered
    stop_sent: float | None = None
    stopped: float | None = None  # the stop was acknowledged


class Answer(NamedTuple):
    """``status``: None where no answer came."""

    began: float
    ended: float
    status: int | None
    content: bytes = b""


def may_permit(permits: Iterable[Permit], began: float, ended: float) -> bool:
    """Whether a permit may have been in force at an instant between the two."""
    return any(each.sent <= ended and (each.stopped is None or each.stopped >= began) for each in permits)


def must_permit(permits: Iterable[Permit], began: float, ended: float) -> bool:
    """Whether one was in force from the one to the other."""
    return any(
        each.counted is not None
        and each.counted <= began
        and (each.stop_sent is None or each.stop_sent >= ended)
        for each in permits
    )


def judge(permits: Iterable[Permit], answer: Answer, *, content: bytes) -> Verdict:
    """``permits``: of the patient to the clinic that read. ``content``: what was stored."""
    given = list(permits)
    if answer.status is None or answer.status in {502, 503, 504}:
        return Verdict.AWAY
    if answer.status == 200:
        if not may_permit(given, answer.began, answer.ended):
            return Verdict.WRONG_PERMIT
        return Verdict.PERMITTED if answer.content == content else Verdict.ALTERED
    if answer.status == 403:
        return Verdict.WRONG_DENY if must_permit(given, answer.began, answer.ended) else Verdict.DENIED
    return Verdict.ODD


@dataclass(frozen=True, slots=True)
class Document:
    """What was stored, by what it is made from: the run shall not fill the memory with it."""

    seed: int
    size_bytes: int

    @property
    def content(self) -> bytes:
        return random.Random(self.seed).randbytes(self.size_bytes)


@dataclass(slots=True)
class Promised:
    """To one patient. ``permits``: by clinic."""

    records: dict[str, Document] = field(default_factory=dict)
    permits: dict[str, list[Permit]] = field(default_factory=dict)
    tried: int = 0  # records that were sent, acknowledged or not
    reads: int = 0  # that were permitted
    lock: threading.Lock = field(default_factory=threading.Lock)

    def permit(self, clinic: str, consent_id: str, sent: float) -> Permit:
        made = Permit(consent_id, sent)
        with self.lock:
            self.permits.setdefault(clinic, []).append(made)
        return made

    def take(self, clinic: str, answer: Answer, document: Document) -> Verdict:
        """Judge an answer and note what it shows."""
        content = document.content if answer.status == 200 else b""
        with self.lock:
            permits = self.permits.get(clinic, [])
            verdict = judge(permits, answer, content=content)
            if verdict is Verdict.PERMITTED:
                self.reads += 1
                for each in permits:
                    # Those before it were stopped before it was sent: none of them gave this answer.
                    if (
                        each.counted is None
                        and each.acknowledged is not None
                        and each.acknowledged <= answer.began
                    ):
                        each.counted = answer.ended
        return verdict

    @property
    def consents(self) -> list[Permit]:
        return [each for given in self.permits.values() for each in given]

"""What a witness remembers, in a directory: one head and one lock a log, and the evidence against it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from backend.adapters.durable import OwnerLock, write_file
from backend.audit.checkpoint import Checkpoint, parse
from backend.audit.errors import InvalidNote, WitnessStateDamaged

_NAME_DIGITS: Final = 16


class WitnessDirectory:
    """Implements ``backend.audit.witness.WitnessState``. Held by one process at a time; ``close`` it."""

    def __init__(self, root: Path, *, origin: str) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root = root
        self._origin = origin
        self._name = hashlib.sha256(origin.encode()).hexdigest()[:_NAME_DIGITS]
        self._head = root / f"{self._name}.checkpoint"
        self._lock = OwnerLock(root / f"{self._name}.lock")
        if not self._lock.acquire():
            raise WitnessStateDamaged(f"another witness of this log runs on {root}")

    def close(self) -> None:
        self._lock.release()

    def head(self) -> str | None:
        try:
            note = self._head.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise WitnessStateDamaged(str(self._head)) from error
        self._parse(note)
        return note

    def save(self, note: str) -> None:
        stored, new = self.head(), self._parse(note)
        if stored is not None and self._parse(stored).size > new.size:
            raise WitnessStateDamaged("the head of a witness never goes back")
        write_file(self._head, note.encode())

    def keep_evidence(self, evidence: str) -> str:
        digest = hashlib.sha256(evidence.encode()).hexdigest()[:_NAME_DIGITS]
        path = self._root / f"{self._name}.split-view-{digest}.json"
        write_file(path, evidence.encode())
        return str(path)

    def evidence(self) -> str | None:
        found = sorted(self._root.glob(f"{self._name}.split-view-*.json"))
        return str(found[0]) if found else None

    def _parse(self, note: str) -> Checkpoint:
        try:
            checkpoint = parse(note)
        except InvalidNote as error:
            raise WitnessStateDamaged(str(self._head)) from error
        if checkpoint.origin != self._origin:
            raise WitnessStateDamaged(f"{self._head} is of {checkpoint.origin}")
        return checkpoint

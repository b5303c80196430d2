"""Puts the cosignatures of known witnesses on the log's stored checkpoints, so that they are served."""

from __future__ import annotations

from collections.abc import Sequence

from backend.audit import cosignature, note
from backend.audit.checkpoint import cosigners, parse
from backend.audit.errors import CosignatureRefused, InvalidNote
from backend.audit.ports import AuditStore
from backend.audit.types import StoredCheckpoint

_ATTEMPTS = 20


class Cosigning:
    """``witnesses`` are the verifier keys of those whose cosignatures are taken; others could fill the note.

    Raises InvalidNote when one is malformed, or has the log's own name.
    """

    def __init__(self, *, store: AuditStore, origin: str, witnesses: Sequence[str]) -> None:
        self._store = store
        self._origin = origin
        self.witnesses = tuple(witnesses)
        self._verifiers = [cosignature.verifier(key) for key in witnesses]
        if any(verifier.name == origin for verifier in self._verifiers):
            raise InvalidNote("a witness has the log's name")

    def add(self, encoded: str) -> StoredCheckpoint:
        """Take over the witnesses' lines of a cosigned checkpoint; return it as it is stored then.

        Durable when it returns; the same again does nothing. Raises CosignatureRefused unless a known witness
        signed a checkpoint that is stored here, and every line of a known witness is right.
        """
        try:
            given = note.parse(encoded)
            named = parse(encoded)
            lines = note.verify(given, self._verifiers)
        except InvalidNote as error:
            raise CosignatureRefused(error.detail) from error
        for _ in range(_ATTEMPTS):
            stored = self._store.checkpoint(named.size)
            if stored is None or note.parse(stored.note).text != given.text:
                raise CosignatureRefused("no such checkpoint is stored here")
            merged = _merged(note.parse(stored.note), lines)
            best = self._store.most_cosigned()
            count = len(cosigners(merged, self._origin))
            is_best = best is None or (
                best.size <= stored.size and len(cosigners(best.note, self._origin)) <= count
            )
            if self._store.cosign(stored, merged, best=is_best):
                return StoredCheckpoint(stored.size, stored.root, merged, stored.signed_at, stored.anchor)
        raise CosignatureRefused("other cosignatures came in at the same time")


def _merged(stored: note.Note, lines: Sequence[note.NoteSignature]) -> str:
    """Return the note with these lines; a newer line of a key takes the place of its older one."""
    replaced = {(line.name, line.key_id) for line in lines}
    kept = [line for line in stored.signatures if (line.name, line.key_id) not in replaced]
    return note.Note(stored.text, (*kept, *lines)).encode()

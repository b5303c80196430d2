"""A witness of a log elsewhere: it cosigns a checkpoint only when that extends everything it cosigned before.

The rules are those of C2SP tlog-witness. The witness asks and the log answers, so that a member behind a
firewall can be one: it polls the checkpoint, takes the proof from the tiles, and sends its cosignature back.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from backend.audit import cosignature, note
from backend.audit.checkpoint import Checkpoint, open_checkpoint
from backend.audit.errors import InvalidNote, LogBehind, LogUnreachable, SplitViewFound
from backend.audit.log_keys import follow
from backend.audit.split_view import find_split
from backend.audit.tile_paths import Tile


class LogSource(Protocol):
    """The log that is watched. Every method raises LogUnreachable."""

    def checkpoint(self) -> str:
        """Return the checkpoint that the log publishes."""
        ...

    def tile(self, tile: Tile) -> bytes: ...

    def key_statements(self) -> Sequence[str]:
        """Return what the log's keys say of their successors, in the order of their epochs."""
        ...

    def send(self, cosigned: str) -> None:
        """Give the log a checkpoint with our lines."""
        ...


class WitnessState(Protocol):
    """What a witness must not forget about one log. Writes are durable when they return."""

    def head(self) -> str | None:
        """Return the checkpoint that was last saved. Raises WitnessStateDamaged."""
        ...

    def save(self, note: str) -> None:
        """Replace the head by one of at least its size. Raises WitnessStateDamaged otherwise."""
        ...

    def keep_evidence(self, evidence: str) -> str:
        """Keep the proof of a split view; return where."""
        ...

    def evidence(self) -> str | None:
        """Tell where evidence against this log lies, None while there is none."""
        ...


class Seen(StrEnum):
    EMPTY = "the log is empty"
    OLDER = "the log serves an older checkpoint of the same history"
    COSIGNED = "cosigned"
    COSIGNED_BEFORE = "nothing new"


class Witness:
    """``log_keys`` are verifier keys of the log, all of its name: one of them, or of those that came after
    them by rotation, must have signed."""

    def __init__(
        self,
        *,
        source: LogSource,
        state: WitnessState,
        cosigners: Sequence[note.NoteSigner],
        log_keys: Sequence[str],
    ) -> None:
        self._known = list(log_keys)
        self._log_keys = [cosignature.verifier(key) for key in log_keys]
        names = {key.name for key in self._log_keys}
        if len(names) != 1 or names & {cosigner.name for cosigner in cosigners}:
            raise InvalidNote("the log's keys need one name, and the witness another")
        (self.origin,) = names
        self._source = source
        self._state = state
        self._cosigners = cosigners

    def look(self) -> tuple[Seen, Checkpoint]:
        """Fetch the checkpoint, check it against the head, and cosign it if it is new.

        The head is durable before the cosignature leaves, and never goes back. After a split view nothing is
        cosigned any more. Raises SplitViewFound, LogBehind, LogUnreachable, InvalidNote, InvalidProof.
        """
        evidence = self._state.evidence()
        if evidence is not None:
            raise SplitViewFound(evidence)
        served = self._source.checkpoint()
        checkpoint, parsed = self._open(served), note.parse(served)
        head = self._state.head()
        before = 0
        if head is not None:
            before = self._open(head).size
            self._compare(head, served, behind=checkpoint.size < before)
        if checkpoint.size < before:
            return Seen.OLDER, checkpoint
        if checkpoint.size == 0:
            return Seen.EMPTY, checkpoint
        ours = {(cosigner.name, cosigner.key_id) for cosigner in self._cosigners}
        others = tuple(line for line in parsed.signatures if (line.name, line.key_id) not in ours)
        if checkpoint.size == before and len(others) + len(ours) == len(parsed.signatures):
            return Seen.COSIGNED_BEFORE, checkpoint
        self._state.save(note.Note(parsed.text, others).encode())
        lines = note.sign(parsed.text, self._cosigners).signatures
        self._source.send(note.Note(parsed.text, (*others, *lines)).encode())
        return Seen.COSIGNED, checkpoint

    def _open(self, encoded: str) -> Checkpoint:
        try:
            return open_checkpoint(encoded, origin=self.origin, verifiers=self._log_keys)
        except InvalidNote:
            if not self._learn_keys():
                raise
        return open_checkpoint(encoded, origin=self.origin, verifiers=self._log_keys)

    def _learn_keys(self) -> bool:
        """Follow the log's keys from those that are known; tell whether there are more now."""
        try:
            followed = follow(self._source.key_statements(), self._known, origin=self.origin)
        except (InvalidNote, ValueError, LogUnreachable):
            return False
        more = len(followed) > len(self._known)
        self._known = followed
        self._log_keys = [cosignature.verifier(key) for key in followed]
        return more

    def _compare(self, head: str, served: str, *, behind: bool) -> None:
        try:
            split = find_split(
                (head, served), origin=self.origin, verifiers=self._log_keys, fetch=self._source.tile
            )
        except LogUnreachable as error:
            if not behind:
                raise
            raise LogBehind("the log shows fewer entries than before, and not those") from error
        if split is not None:
            raise SplitViewFound(self._state.keep_evidence(split.encode()))

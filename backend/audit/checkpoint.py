"""Checkpoints of the log (C2SP tlog-checkpoint): origin, size and root as the text of a signed note."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from backend.audit import note
from backend.audit.errors import InvalidNote

_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    origin: str  # unique name of the log, such as "hospital.example/audit"
    size: int  # number of leaves
    root: bytes  # 32 bytes
    extensions: tuple[str, ...] = ()  # further lines; unknown ones are ignored by readers

    def text(self) -> str:
        """Return the text that is signed."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions]
        return "".join(line + "\n" for line in lines)


def sign(checkpoint: Checkpoint, signers: Sequence[note.NoteSigner]) -> str:
    """Return the checkpoint as a signed note. Raises InvalidNote when a field could not be read back."""
    signed = note.sign(checkpoint.text(), signers).encode()
    if parse(signed) != checkpoint:
        raise InvalidNote("the checkpoint cannot be written as a note")
    return signed


def parse(encoded: str) -> Checkpoint:
    """Read a checkpoint without checking signatures. Raises InvalidNote when it is malformed."""
    return from_text(note.parse(encoded).text)


def open_checkpoint(encoded: str, *, origin: str, verifiers: Sequence[note.NoteVerifier]) -> Checkpoint:
    """Return the checkpoint when a known key of the log signed it.

    Raises InvalidNote when the note is malformed, of another log, or not signed by a known key named as the
    log. Keys of witnesses may be among ``verifiers``; theirs alone do not make a checkpoint the log's.
    """
    parsed = note.parse(encoded)
    checkpoint = from_text(parsed.text)
    if checkpoint.origin != origin:
        raise InvalidNote("the checkpoint is of another log")
    if all(signature.name != origin for signature in note.verify(parsed, verifiers)):
        raise InvalidNote("the log itself did not sign the checkpoint")
    return checkpoint


def cosigners(encoded: str, origin: str) -> set[str]:
    """Return the names on a checkpoint's lines besides the log's; nothing is verified."""
    return {signature.name for signature in note.parse(encoded).signatures} - {origin}


def from_text(text: str) -> Checkpoint:
    """Read the text that is signed. Raises InvalidNote when it is malformed."""
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise InvalidNote("the checkpoint has an empty line or too few lines")
    origin, size, encoded_root, *extensions = lines
    if not (size.isascii() and size.isdigit()) or str(int(size)) != size or int(size) > _MAX_SIZE:
        raise InvalidNote("the checkpoint's size is malformed")
    try:
        root = base64.b64decode(encoded_root, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidNote("the checkpoint's root is malformed") from error
    if len(root) != 32 or base64.b64encode(root).decode() != encoded_root:
        raise InvalidNote("the checkpoint's root is malformed")
    return Checkpoint(origin, int(size), root, tuple(extensions))

"""Signed notes (C2SP signed-note): a text followed by signature lines, each by a named key.

Plain Ed25519 (algorithm byte 0x01) is made and checked here; ``cosignature`` has the kinds that only a
checkpoint can carry. Lines of unknown keys are carried along.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from backend.audit.errors import InvalidNote

_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_MAX_NOTE_BYTES = 1_000_000
_MAX_SIGNATURES = 100
_DASH = "\N{EM DASH} "


class NoteSigner(Protocol):
    """One key that signs notes. ``key_id`` is 4 bytes; ``sign`` takes the text including its last newline."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    def sign(self, text: bytes) -> bytes: ...


class NoteVerifier(Protocol):
    """One known key. ``verify`` tells whether ``signature`` (without key id) is this key's over ``text``."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    def verify(self, text: bytes, signature: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class NoteSignature:
    name: str
    key_id: bytes  # 4 bytes
    signature: bytes

    def line(self) -> str:
        """Return the line that carries it, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note, nothing of it verified yet."""

    text: str  # ends with a newline
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> str:
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)


def key_id(name: str, algorithm_and_key: bytes) -> bytes:
    """Return the recommended key id: the head of SHA-256 over name, newline, algorithm byte and key."""
    return hashlib.sha256(name.encode() + b"\n" + algorithm_and_key).digest()[:_KEY_ID_BYTES]


def write_verifier_key(name: str, algorithm_and_key: bytes) -> str:
    """Return a public key as ``name+key id+base64``, with the algorithm's byte before the key."""
    encoded = base64.b64encode(algorithm_and_key).decode()
    return f"{name}+{key_id(name, algorithm_and_key).hex()}+{encoded}"


def read_verifier_key(text: str) -> tuple[str, bytes]:
    """Return name, and algorithm byte with key. Raises InvalidNote when it is malformed."""
    name, _, rest = text.partition("+")
    written_id, _, encoded = rest.partition("+")
    check_name(name)
    blob = _decode_base64(encoded)
    if not blob or written_id != key_id(name, blob).hex():
        raise InvalidNote("the verifier key is malformed")
    return name, blob


class Ed25519Signer:
    __slots__ = ("_key", "key_id", "name", "verifier_key")

    def __init__(self, *, name: str, private_key: Ed25519PrivateKey) -> None:
        check_name(name)
        public = private_key.public_key().public_bytes_raw()
        self._key = private_key
        self.name = name
        self.key_id = key_id(name, _ED25519 + public)
        self.verifier_key = write_verifier_key(name, _ED25519 + public)

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.verifier_key!r})"

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(text)


class Ed25519Verifier:
    __slots__ = ("_key", "key_id", "name")

    def __init__(self, verifier_key: str) -> None:
        """Read a key written as ``name+key id+base64``. Raises InvalidNote when it is malformed."""
        name, blob = read_verifier_key(verifier_key)
        if len(blob) != 33 or blob[:1] != _ED25519:
            raise InvalidNote("the verifier key is malformed")
        self.name = name
        self.key_id = key_id(name, blob)
        self._key = Ed25519PublicKey.from_public_bytes(blob[1:])

    def verify(self, text: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True


def sign(text: str, signers: Sequence[NoteSigner]) -> Note:
    """Make a note over ``text``, which must end with a newline. Raises InvalidNote for a bad text."""
    _check_text(text)
    data = text.encode()
    return Note(text, tuple(NoteSignature(s.name, s.key_id, s.sign(data)) for s in signers))


def parse(encoded: str) -> Note:
    """Split a note into text and signatures. Raises InvalidNote for anything malformed."""
    if len(encoded.encode(errors="replace")) > _MAX_NOTE_BYTES:
        raise InvalidNote("the note is too long")
    text, separator, tail = encoded.rpartition("\n\n")
    text += "\n"
    _check_text(text)
    if not separator or not tail.endswith("\n"):
        raise InvalidNote("the note has no signatures")
    lines = tail[:-1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise InvalidNote("the note has too many signatures")
    return Note(text, tuple(_signature(line) for line in lines))


def verify(note: Note, verifiers: Sequence[NoteVerifier]) -> tuple[NoteSignature, ...]:
    """Return the signatures by known keys; several keys may be known, so that old ones outlive a rotation.

    Raises InvalidNote when no known key signed, when a line of a known key does not verify, when a key signed
    twice, or when two known keys cannot be told apart by name and id.
    """
    known: dict[tuple[str, bytes], NoteVerifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) is not verifier:
            raise InvalidNote("two known keys have one name and id")
    text = note.text.encode()
    valid: list[NoteSignature] = []
    for signature in note.signatures:
        by = known.pop((signature.name, signature.key_id), None)
        if by is None:
            if any(s.name == signature.name and s.key_id == signature.key_id for s in valid):
                raise InvalidNote("a key signed the note twice")
            continue
        if not by.verify(text, signature.signature):
            raise InvalidNote("a signature on the note is wrong")
        valid.append(signature)
    if not valid:
        raise InvalidNote("no known key signed the note")
    return tuple(valid)


def _signature(line: str) -> NoteSignature:
    if not line.startswith(_DASH):
        raise InvalidNote("a signature line is malformed")
    name, separator, encoded = line[len(_DASH) :].partition(" ")
    check_name(name)
    blob = _decode_base64(encoded)
    if not separator or len(blob) <= _KEY_ID_BYTES:
        raise InvalidNote("a signature line is malformed")
    return NoteSignature(name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])


def check_name(name: str) -> None:
    """Raise InvalidNote unless a key may be called so."""
    if not name or "+" in name or any(c.isspace() or unicodedata.category(c) == "Cc" for c in name):
        raise InvalidNote("a key name is malformed")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidNote("the note is not UTF-8 text") from error
    if not text.endswith("\n") or any(ord(c) < 0x20 and c != "\n" for c in text):
        raise InvalidNote("the note's text is malformed")


def _decode_base64(encoded: str) -> bytes:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidNote("base64 is malformed") from error
    if base64.b64encode(blob).decode() != encoded:  # unused bits set: a second spelling of the same bytes
        raise InvalidNote("base64 is malformed")
    return blob

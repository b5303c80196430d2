"""Witnesses for tests: cosigners with keys of both kinds."""

from __future__ import annotations

from backend.audit import note
from backend.audit.cosignature import ED25519, ML_DSA_44, Cosigner

TIME = 1_700_000_500


def witness(name: str, algorithm: int = ML_DSA_44, *, seed: int | None = None) -> Cosigner:
    """A witness whose key follows from its name."""
    key = (name.encode() * 32)[:32] if seed is None else bytes([seed]) * 32
    return Cosigner(name=name, algorithm=algorithm, seed=key, clock=lambda: TIME)


def both(name: str) -> list[Cosigner]:
    return [witness(name, ED25519), witness(name, ML_DSA_44)]


def cosign(encoded: str, *cosigners: Cosigner) -> str:
    """The note with further lines."""
    parsed = note.parse(encoded)
    return note.Note(
        parsed.text, (*parsed.signatures, *note.sign(parsed.text, cosigners).signatures)
    ).encode()

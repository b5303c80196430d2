"""The keys of the log itself, one pair an epoch: Ed25519 signs each checkpoint, ML-DSA-44 cosigns it.

The private keys are in the key store, the newest pair only. The public ones are in the index, which is not
trusted: each epoch has a statement, a note signed by its own key and by the one before. The newest key is
known from the key store; following the statements back from it shows every older key to be the log's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.audit import codes, cosignature, note
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.errors import InvalidNote, LogKeysDamaged
from backend.audit.log import AuditLog
from backend.audit.types import ACT_BYTES, StoredCheckpoint
from backend.errors import NotFound
from backend.keystore import KeyName, KeyStore

_FORMAT: Final = "assent-log-key/1"
_OPERATOR: Final = Agent.service("operator")


class LogKeyStore(Protocol):
    """Durable statements by epoch. Not trusted."""

    def statements(self) -> Sequence[str]:
        """Return the statements in the order of their epochs. Raises AuditUnavailable."""
        ...

    def add(self, epoch: int, statement: str) -> None:
        """Keep a statement durably; the first one of an epoch stays. Raises AuditUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class LogKey:
    epoch: int  # from 1, without a gap
    from_size: int  # checkpoints of this many entries and more are signed with it, until the next key's
    made_at: int  # unix seconds
    keys: tuple[str, str]  # verifier keys: Ed25519, ML-DSA-44
    before: tuple[str, ...]  # those of the epoch before; empty for the first
    statement: str  # the signed note that says all this


@dataclass(frozen=True, slots=True)
class LogKeyRing:
    """Every key the log ever had, oldest first, and the signers of the newest."""

    known: tuple[LogKey, ...]
    signers: tuple[note.NoteSigner, ...]

    @property
    def verifier_keys(self) -> tuple[str, ...]:
        """All of them, the newest first: its Ed25519 key is the very first."""
        return tuple(key for epoch in reversed(self.known) for key in epoch.keys)

    def verifiers(self) -> list[note.NoteVerifier]:
        return [cosignature.verifier(key) for key in self.verifier_keys]

    def verifiers_at(self, size: int) -> list[note.NoteVerifier]:
        """Return those of the key that signed checkpoints of this size: a retired one signs no later."""
        of_epoch = next((k for k in reversed(self.known) if k.from_size <= size), self.known[0])
        return [cosignature.verifier(key) for key in of_epoch.keys]


class LogKeyBook:
    def __init__(self, *, origin: str, keys: KeyStore, store: LogKeyStore, clock: Callable[[], int]) -> None:
        self._origin = origin
        self._keys = keys
        self._store = store
        self._clock = clock

    def open(self, *, in_use: bool) -> LogKeyRing:
        """Return the keys; make the first ones of a log that has signed nothing yet (``in_use`` is False).

        Raises LogKeysDamaged when a statement was changed, removed or is not of the key in the key store.
        """
        known = self._known()
        if not known:
            if in_use and not self._keys.exists(*_names(1)[0]):
                raise LogKeysDamaged("the log has checkpoints, and no key of it is known")
            self._state(epoch=1, from_size=0, before=())
            known = self._known()
        newest = known[-1]
        signers = self._signers(newest.epoch)
        if newest.keys != _keys_of(signers):
            raise LogKeysDamaged("the newest key of the log is not the one in the key store")
        if newest.epoch > 1:  # by a rotation just now, or one that was interrupted
            self._retire(newest.epoch - 1)
        return LogKeyRing(known, signers)

    def rotate(self, *, log: AuditLog, newest: StoredCheckpoint | None) -> LogKey:
        """Make the next key. From then on it signs; the private key before it is destroyed.

        ``newest`` is the newest checkpoint. Nothing else may sign meanwhile. The entry in the log comes
        first, so that no key is ever used that the log does not name; repeated after a crash at any point,
        it goes on where it stopped. Raises LogKeysDamaged, and what ``append`` raises.
        """
        before = self.open(in_use=newest is not None).known[-1]
        epoch = before.epoch + 1
        self._keys.create_many(_names(epoch))
        ids = {"key_id": _id(_keys_of(self._signers(epoch))), "key_id_before": _id(before.keys)}
        log.append(
            AuditEvent(
                type=codes.KEY_ROTATED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1_000,
                actor=_OPERATOR,
                detail={"key": "log", "epoch": epoch, **ids},
            ),
            act=hashlib.sha256(f"{_FORMAT} {self._origin} {epoch}".encode()).digest()[:ACT_BYTES],
        )
        from_size = max(log.state.size, newest.size + 1 if newest is not None else 0)
        self._state(epoch=epoch, from_size=from_size, before=before.keys)
        return self.open(in_use=True).known[-1]  # which retires the key before

    def _state(self, *, epoch: int, from_size: int, before: tuple[str, ...]) -> None:
        self._keys.create_many(_names(epoch))
        signers = self._signers(epoch)
        lines = [_FORMAT, self._origin, str(epoch), str(from_size), str(self._clock())]
        text = "".join(line + "\n" for line in [*lines, *_keys_of(signers), *before])
        signing = [signers[0], *([self._signers(epoch - 1)[0]] if before else [])]
        self._store.add(epoch, note.sign(text, signing).encode())

    def _known(self) -> tuple[LogKey, ...]:
        """Read the statements and check each against the next. Raises LogKeysDamaged."""
        try:
            known = tuple(_read(statement, self._origin) for statement in self._store.statements())
            for number, key in enumerate(known, 1):
                before = known[number - 2].keys if number > 1 else ()
                if (key.epoch, key.before) != (number, before):
                    raise LogKeysDamaged(f"the log's keys of epochs {number - 1} and {number} do not follow")
        except (InvalidNote, ValueError) as error:
            raise LogKeysDamaged("the statement of a key of the log was changed") from error
        return known

    def _signers(self, epoch: int) -> tuple[note.Ed25519Signer, cosignature.Cosigner]:
        try:
            ed25519, ml_dsa = (self._keys.get(*name).reveal() for name in _names(epoch))
        except NotFound as error:
            raise LogKeysDamaged(f"the log's key of epoch {epoch} is not in the key store") from error
        return (
            note.Ed25519Signer(name=self._origin, private_key=Ed25519PrivateKey.from_private_bytes(ed25519)),
            cosignature.Cosigner(
                name=self._origin, algorithm=cosignature.ML_DSA_44, seed=ml_dsa, clock=self._clock
            ),
        )

    def _retire(self, epoch: int) -> None:
        names = _names(epoch)
        if any(self._keys.exists(*name) for name in names):
            self._keys.erase_many(names)


def follow(statements: Sequence[str], keys: Sequence[str], *, origin: str) -> list[str]:
    """Return ``keys`` and those that came after them by rotation, as the statements show it.

    A statement counts when the Ed25519 key before it is among the known ones; so whoever relies on ML-DSA-44
    alone follows nothing. Raises InvalidNote or ValueError for a statement that is not what its keys signed.
    """
    known = list(keys)
    for key in (_read(statement, origin) for statement in statements):
        if key.before and key.before[0] in known:
            known += [new for new in key.keys if new not in known]
    return known


def _names(epoch: int) -> tuple[KeyName, KeyName]:
    return ("signing", f"log/{epoch}"), ("signing", f"log/{epoch}/ml-dsa-44")


def _keys_of(signers: tuple[note.Ed25519Signer, cosignature.Cosigner]) -> tuple[str, str]:
    return signers[0].verifier_key, signers[1].verifier_key


def _id(keys: tuple[str, str]) -> bytes:
    """Return the digest that names a pair of keys in the log's entry."""
    return hashlib.sha256("".join(key + "\n" for key in keys).encode()).digest()


def _read(statement: str, origin: str) -> LogKey:
    """Raises InvalidNote or ValueError when it is malformed, or not signed by each key it must be."""
    parsed = note.parse(statement)
    written, of, epoch, from_size, made_at, ed25519, ml_dsa, *before = parsed.text[:-1].split("\n")
    if (written, of) != (_FORMAT, origin) or len(before) not in {0, 2}:
        raise InvalidNote("the statement is of another log")
    for key in [ed25519, *before[:1]]:
        note.verify(parsed, [note.Ed25519Verifier(key)])
    return LogKey(
        epoch=int(epoch),
        from_size=int(from_size),
        made_at=int(made_at),
        keys=(ed25519, ml_dsa),
        before=tuple(before),
        statement=statement,
    )

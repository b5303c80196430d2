"""The key that opens backups: two halves in two files, alive for at most 30 days.

The private half is kept offline. The service half seals only (X-Wing) and proves that a backup was written by
somebody who had it: its ``token`` is mixed into every key, so a backup forged by whoever can write to the
backup directory does not open. Destroying the private half ends the life of all that was sealed to it.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.adapters.durable import shred_file, sync_directory, write_all
from backend.backup.errors import RecoveryKeyExpired, RecoveryKeyUnreadable
from backend.keystore import Secret
from backend.records.sealing import RecipientKey, RecipientPrivateKey
from backend.types import UnixSeconds

MAX_DAYS: Final = 30
_DAY: Final = 24 * 3600
_FORMAT: Final = "assent-recovery-key/1"


@dataclass(frozen=True, slots=True)
class ServiceHalf:
    """What the service has: it seals and cannot open."""

    key: RecipientKey
    token: Secret
    created_at: UnixSeconds
    expires_at: UnixSeconds

    @property
    def id(self) -> str:
        """SHA-256 of the public key, in hex."""
        return self.key.id.hex()

    def require_live(self, now: int) -> None:
        """Raise RecoveryKeyExpired outside of the key's life."""
        if not self.created_at <= now < self.expires_at:
            raise RecoveryKeyExpired


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """Both halves. Its representation shows no secret."""

    private: RecipientPrivateKey
    service: ServiceHalf

    def file_key(self, part: str, sealed: bytes, bound: bytes) -> Secret:  # noqa: ARG002 - see Opener
        """Return the key of a file of a backup. Raises EnvelopeRefused."""
        return Secret(self.private.open(sealed, bound))


def generate(path: Path, *, now: int, days: int = MAX_DAYS) -> ServiceHalf:
    """Make a key: the private half at ``path``, the service half beside it as ``<path>.service``.

    Raises FileExistsError rather than replace a file.
    """
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"a recovery key lives 1 to {MAX_DAYS} days")
    seed, token = secrets.token_bytes(32), secrets.token_bytes(32)
    life = {"format": _FORMAT, "created_at": now, "expires_at": now + days * _DAY, "token": token.hex()}
    public = RecipientPrivateKey(Secret(seed)).public
    beside = service_path(path)
    _create(path, {**life, "half": "private", "seed": seed.hex()})
    _create(beside, {**life, "half": "service", "public": public.encoded.hex()})
    return read_service_half(beside)


def service_path(private: Path) -> Path:
    return private.with_name(private.name + ".service")


def read_service_half(path: Path) -> ServiceHalf:
    """Raise RecoveryKeyUnreadable unless the file is a service half, alive for 30 days at most."""
    fields = _read(path, "service")
    try:
        return _half(RecipientKey(bytes.fromhex(fields["public"])), fields)
    except (KeyError, TypeError, ValueError) as error:
        raise RecoveryKeyUnreadable(f"{path}: not a service half") from error


def read_private_half(path: Path) -> RecoveryKey:
    """Raise RecoveryKeyUnreadable unless the file is a private half."""
    fields = _read(path, "private")
    try:
        private = RecipientPrivateKey(Secret(bytes.fromhex(fields["seed"])))
        return RecoveryKey(private, _half(private.public, fields))
    except (KeyError, TypeError, ValueError) as error:
        raise RecoveryKeyUnreadable(f"{path}: not a private half") from error


def destroy(path: Path) -> ServiceHalf:
    """Overwrite and remove a private half; return its other half. Raises RecoveryKeyUnreadable."""
    destroyed = read_private_half(path).service
    shred_file(path)
    return destroyed


def _half(key: RecipientKey, fields: dict[str, Any]) -> ServiceHalf:
    created, expires = int(fields["created_at"]), int(fields["expires_at"])
    if not 0 < expires - created <= MAX_DAYS * _DAY:
        raise ValueError("a recovery key lives 30 days at most")
    return ServiceHalf(
        key, Secret(bytes.fromhex(fields["token"])), UnixSeconds(created), UnixSeconds(expires)
    )


def _read(path: Path, half: str) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise RecoveryKeyUnreadable(f"{path}: cannot be read") from error
    if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
        raise RecoveryKeyUnreadable(f"{path}: no recovery key")
    if fields.get("half") != half:
        raise RecoveryKeyUnreadable(f"{path}: the {fields.get('half')} half, where the {half} half is needed")
    return fields


def _create(path: Path, fields: dict[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_all(descriptor, json.dumps(fields, indent=1).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.absolute().parent)

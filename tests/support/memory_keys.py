"""A key store in memory, for unit tests of what uses one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backend.keystore import (
    KeyKind,
    KeyName,
    KeyVersion,
    Secret,
    SecretDiffers,
    SecretNotFound,
    WrappingClass,
    check_name,
)


class MemoryKeyStore:
    def __init__(self) -> None:
        self._secrets: dict[tuple[str, str], Secret] = {}
        self._versions: dict[str, KeyVersion] = {}

    def get(self, kind: KeyKind, name: str) -> Secret:
        check_name(kind, name)
        try:
            return self._secrets[kind, name]
        except KeyError as missing:
            raise SecretNotFound from missing

    def exists(self, kind: KeyKind, name: str) -> bool:
        return (kind, name) in self._secrets

    def get_or_create(self, kind: KeyKind, name: str) -> Secret:
        check_name(kind, name)
        return self._secrets.setdefault((kind, name), Secret.generate())

    def create_many(self, names: Iterable[KeyName]) -> tuple[Secret, ...]:
        return tuple(self.get_or_create(kind, name) for kind, name in names)

    def put(self, kind: KeyKind, name: str, secret: Secret) -> None:
        if self._secrets.setdefault((kind, name), secret) != secret:
            raise SecretDiffers

    def erase(self, kind: KeyKind, name: str) -> None:
        self._secrets.pop((kind, name), None)

    def erase_many(self, names: Iterable[KeyName]) -> None:
        for kind, name in names:
            self.erase(kind, name)

    def everything(self) -> dict[tuple[str, str], Secret]:
        """All that is there, for a test to look at."""
        return dict(self._secrets)

    def rotate(self, key_class: WrappingClass) -> None:
        """Nothing wraps these."""

    def versions(self) -> tuple[KeyVersion, ...]:
        return tuple(self._versions.values())

    def note_version(self, version: KeyVersion) -> None:
        self._versions[version.key_class] = version

    def damaged(self) -> Iterator[str]:
        """Memory holds."""
        return iter(())

    def rotate_root(self) -> None:
        """Nothing wraps these."""

    def close(self) -> None:
        """Nothing is open."""

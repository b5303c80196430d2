"""Which versions of a key count, wherever a rotation was interrupted."""

from __future__ import annotations

import pytest

from backend.keystore import KeyName, KeyVersion, Secret, SecretNotFound, secrets_in_use, versioned
from tests.support.memory_keys import MemoryKeyStore

NAME: KeyName = ("master", "marks/acts")


def stand(keys: MemoryKeyStore, version: int, minimum: int) -> tuple[Secret, ...]:
    keys.note_version(KeyVersion("marks", version, minimum))
    return secrets_in_use(keys, "marks", NAME)


def test_first_version_has_the_bare_name_and_is_made() -> None:
    keys = MemoryKeyStore()
    assert secrets_in_use(keys, "marks", NAME) == (keys.get(*NAME),)
    assert versioned(NAME, 3) == ("master", "marks/acts/3")


def test_both_count_while_a_rotation_is_under_way_newest_first() -> None:
    keys = MemoryKeyStore()
    old = keys.get_or_create(*NAME)
    found = stand(keys, 2, 1)
    assert found == (keys.get(*versioned(NAME, 2)), old)


def test_one_counts_when_the_old_one_is_destroyed_and_the_end_is_not_noted() -> None:
    keys = MemoryKeyStore()
    new = keys.get_or_create(*versioned(NAME, 3))
    assert stand(keys, 3, 2) == (new,)


def test_key_that_was_lost_is_not_made_anew() -> None:
    with pytest.raises(SecretNotFound):
        stand(MemoryKeyStore(), 2, 2)

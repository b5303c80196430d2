"""Marks of documents under versions of their key: both during a rotation, the newest alone after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.adapters.index.marks import DocumentForged, Marks
from backend.identity.errors import IdentityRecordTampered
from backend.identity.seal import KEY_CLASS, Sealer
from backend.identity.types import SigningKeyState
from backend.keystore import version_of
from backend.types import UnixSeconds
from tests.support.memory_keys import MemoryKeyStore

ROW = {"_id": "a", "state": "locked", "due": 5}


def stand(keys: MemoryKeyStore, *, version: int, minimum: int) -> None:
    keys.note_version(version_of(keys, KEY_CLASS)._replace(version=version, minimum=minimum))


def test_mark_of_before_counts_until_the_rotation_is_over() -> None:
    keys = MemoryKeyStore()
    old = Marks(keys, "erasures").marked(ROW)
    stand(keys, version=2, minimum=1)
    during = Marks(keys, "erasures")
    new = during.marked(during.checked(old))
    assert new["mark"] != old["mark"]
    stand(keys, version=2, minimum=2)
    after = Marks(keys, "erasures")
    assert after.checked(new) == new
    with pytest.raises(DocumentForged):
        after.checked(old)


def test_seal_of_before_counts_until_the_rotation_is_over() -> None:
    keys = MemoryKeyStore()
    old = Sealer(keys).seal(SigningKeyState(generation=1, sign_from=UnixSeconds(1)))
    stand(keys, version=2, minimum=1)
    during = Sealer(keys)
    new = during.seal(during.check(old))
    assert replace(new, seal=old.seal) == old
    stand(keys, version=2, minimum=2)
    assert Sealer(keys).check(new) == new
    with pytest.raises(IdentityRecordTampered):
        Sealer(keys).check(old)


@pytest.mark.parametrize("mark", [None, "text", b"", bytes(32)])
def test_what_is_no_mark_is_refused(mark: object) -> None:
    with pytest.raises(DocumentForged):
        Marks(MemoryKeyStore(), "acts").require(mark, ROW)

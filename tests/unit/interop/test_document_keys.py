"""Rotation of the key that signs documents: they go on verifying, unless their key is withdrawn."""

from __future__ import annotations

from typing import Any

import pytest

from backend.interop.receipts.errors import ReceiptKeyUnknown
from backend.interop.receipts.keys import KEY_CLASS, DocumentKeys
from backend.interop.receipts.signing import JWS, PROOF, DocumentSigner, check_proof
from backend.interop.receipts.vocabulary import Json
from backend.keystore import SecretNotFound, version_of
from tests.support.memory_keys import MemoryKeyStore

DOCUMENT: Json = {"what": "a document"}


def clock() -> int:
    return 1_700_000_000


def signed(keys: MemoryKeyStore) -> str:
    proof: Any = DocumentSigner(keys).sign(DOCUMENT)[PROOF]
    return str(proof[JWS])


def test_rotation_signs_with_a_new_key_and_old_documents_still_verify() -> None:
    keys = MemoryKeyStore()
    proofs = [signed(keys)]
    for _ in range(3):
        DocumentKeys(keys).rotate(clock=clock)
        proofs.append(signed(keys))
    published = DocumentSigner(keys).public_set()
    found = [check_proof(proof, DOCUMENT, published) for proof in proofs]
    assert len(set(found)) == 4
    assert [key["kid"] for key in published["keys"]] == found[::-1]
    assert not any("d" in key for key in published["keys"])
    assert version_of(keys, KEY_CLASS).version == 4


def test_rotation_destroys_the_private_half_of_the_old_key() -> None:
    keys = MemoryKeyStore()
    signed(keys)
    old = keys.get("signing", "document/1")
    DocumentKeys(keys).rotate(clock=clock)
    with pytest.raises(SecretNotFound):
        keys.get("signing", "document/1")
    assert old not in keys.everything().values()
    DocumentSigner(keys)
    assert not keys.exists("signing", "document/1")  # nor does a start make it again


def test_rotation_after_a_compromise_withdraws_all_earlier_keys() -> None:
    keys = MemoryKeyStore()
    first = signed(keys)
    DocumentKeys(keys).rotate(clock=clock)
    second = signed(keys)
    DocumentKeys(keys).rotate(clock=clock, compromised=True)
    published = DocumentSigner(keys).public_set()
    for proof in (first, second):
        with pytest.raises(ReceiptKeyUnknown):
            check_proof(proof, DOCUMENT, published)
    check_proof(signed(keys), DOCUMENT, published)
    assert {name for _, name in keys.everything()} == {"document/3"}


class DyingKeyStore(MemoryKeyStore):
    """Ends the program, so to speak, at one of its changes: before or after it."""

    left, worked = 0, False

    def _change(self, change: Any, *arguments: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self.worked:
            raise SystemExit
        result = change(*arguments)
        if self.left == 0:
            raise SystemExit
        return result

    def create_many(self, *arguments: Any) -> Any:
        return self._change(super().create_many, *arguments)

    def put(self, *arguments: Any) -> None:
        self._change(super().put, *arguments)

    def note_version(self, *arguments: Any) -> None:
        self._change(super().note_version, *arguments)

    def erase_many(self, *arguments: Any) -> None:
        self._change(super().erase_many, *arguments)


@pytest.mark.parametrize("compromised", [False, True])
@pytest.mark.parametrize("worked", [False, True])
def test_rotation_that_dies_at_any_step_can_be_repeated(worked: bool, compromised: bool) -> None:
    for at in range(1, 20):
        keys = DyingKeyStore()
        before = signed(keys)
        ring = DocumentKeys(keys)
        keys.left, keys.worked = at, worked
        try:
            ring.rotate(clock=clock, compromised=compromised)
            died = False
        except SystemExit:
            died = True
        keys.left = 0
        state = version_of(keys, KEY_CLASS)
        published = DocumentSigner(keys).public_set()
        check_proof(signed(keys), DOCUMENT, published)
        assert keys.exists("signing", "document/1") is (state.version == 1)
        if state.minimum == 1:
            check_proof(before, DOCUMENT, published)
        DocumentKeys(keys).rotate(clock=clock)
        check_proof(signed(keys), DOCUMENT, DocumentSigner(keys).public_set())
        if not died:
            assert at > 4
            return
    pytest.fail("a rotation takes more steps than were tried")

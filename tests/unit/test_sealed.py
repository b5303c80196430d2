"""Documents in the index open only in their place, whole, and while the person's key lives."""

from __future__ import annotations

import pytest

from backend.keystore import Secret, SecretNotFound, version_of
from backend.sealed import (
    KEY_CLASS,
    DocumentSealer,
    SealedDocumentRefused,
    documents_key,
    documents_keys,
)
from backend.types import SubjectId
from tests.support.memory_keys import MemoryKeyStore

PATIENT = SubjectId(7)


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def sealer(keys: MemoryKeyStore) -> DocumentSealer:
    return DocumentSealer(keys)


def test_open_returns_what_was_sealed(sealer: DocumentSealer) -> None:
    sealed = sealer.seal(b"a diagnosis", subject=PATIENT, place="consents/1")
    assert b"diagnosis" not in sealed
    assert sealer.open(sealed, subject=PATIENT, place="consents/1") == b"a diagnosis"


def test_open_at_another_place_is_refused(sealer: DocumentSealer) -> None:
    sealed = sealer.seal(b"x", subject=PATIENT, place="consents/1")
    with pytest.raises(SealedDocumentRefused):
        sealer.open(sealed, subject=PATIENT, place="consents/2")


def test_open_for_another_patient_is_refused(sealer: DocumentSealer) -> None:
    sealed = sealer.seal(b"x", subject=PATIENT, place="consents/1")
    sealer.seal(b"y", subject=SubjectId(8), place="consents/1")
    with pytest.raises(SealedDocumentRefused):
        sealer.open(sealed, subject=SubjectId(8), place="consents/1")


def test_open_with_any_bit_flipped_is_refused(sealer: DocumentSealer) -> None:
    sealed = sealer.seal(b"x", subject=PATIENT, place="consents/1")
    for position in range(len(sealed) * 8):
        damaged = bytearray(sealed)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(SealedDocumentRefused):
            sealer.open(bytes(damaged), subject=PATIENT, place="consents/1")


def test_open_cut_short_is_refused(sealer: DocumentSealer) -> None:
    sealed = sealer.seal(b"x", subject=PATIENT, place="consents/1")
    for length in range(len(sealed)):
        with pytest.raises(SealedDocumentRefused):
            sealer.open(sealed[:length], subject=PATIENT, place="consents/1")


def test_open_after_the_key_was_erased_is_impossible(sealer: DocumentSealer, keys: MemoryKeyStore) -> None:
    sealed = sealer.seal(b"x", subject=PATIENT, place="consents/1")
    keys.erase("patient", f"documents/{PATIENT:024x}")
    with pytest.raises(SecretNotFound):
        sealer.open(sealed, subject=PATIENT, place="consents/1")


def test_open_without_the_documents_own_share_is_refused(sealer: DocumentSealer) -> None:
    share = Secret.generate()
    sealed = sealer.seal(b"x", subject=PATIENT, place="records/1", share=share)
    assert sealer.open(sealed, subject=PATIENT, place="records/1", share=share) == b"x"
    for other in (None, Secret.generate()):
        with pytest.raises(SealedDocumentRefused):
            sealer.open(sealed, subject=PATIENT, place="records/1", share=other)


def begin_rotation(keys: MemoryKeyStore) -> DocumentSealer:
    keys.note_version(version_of(keys, KEY_CLASS)._replace(version=2))
    return DocumentSealer(keys)


def test_document_of_before_opens_during_a_rotation_and_is_renewed_once(keys: MemoryKeyStore) -> None:
    old = DocumentSealer(keys).seal(b"x", subject=PATIENT, place="consents/1")
    sealer = begin_rotation(keys)
    assert sealer.open(old, subject=PATIENT, place="consents/1") == b"x"
    new = sealer.renew(old, subject=PATIENT, place="consents/1")
    assert new != old
    assert sealer.renew(new, subject=PATIENT, place="consents/1") == new
    assert documents_keys(keys, PATIENT) == [documents_key(PATIENT, 1), documents_key(PATIENT, 2)]


def test_document_below_the_lowest_version_is_refused(keys: MemoryKeyStore) -> None:
    old = DocumentSealer(keys).seal(b"x", subject=PATIENT, place="consents/1")
    new = begin_rotation(keys).renew(old, subject=PATIENT, place="consents/1")
    keys.note_version(version_of(keys, KEY_CLASS)._replace(minimum=2))
    sealer = DocumentSealer(keys)
    assert sealer.open(new, subject=PATIENT, place="consents/1") == b"x"
    with pytest.raises(SealedDocumentRefused):  # though its key is there yet
        sealer.open(old, subject=PATIENT, place="consents/1")
    assert documents_keys(keys, PATIENT) == [documents_key(PATIENT, 2)]


def test_renewing_gives_no_key_to_somebody_who_was_erased(keys: MemoryKeyStore) -> None:
    old = DocumentSealer(keys).seal(b"x", subject=PATIENT, place="consents/1")
    keys.erase(*documents_key(PATIENT, 1))
    with pytest.raises(SecretNotFound):
        begin_rotation(keys).renew(old, subject=PATIENT, place="consents/1")
    assert keys.everything() == {}

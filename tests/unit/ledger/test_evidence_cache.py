"""The cache of evidence never answers for another block, subject or set of ids, and stays small."""

from __future__ import annotations

from backend.adapters.ledger.evidence_cache import EvidenceCache
from backend.consent.ledger_types import unpack_subject_slot
from backend.types import Bytes32, ConsentId, SubjectId

A, B = Bytes32(b"a" * 32), Bytes32(b"b" * 32)
ID = ConsentId(b"i" * 32)
ONE = SubjectId(1)


def test_cache_asked_for_another_block_subject_or_ids_has_nothing() -> None:
    cache = EvidenceCache(8)
    evidence = unpack_subject_slot(1)
    cache.put((A, ONE, (ID,)), evidence)
    assert cache.get((A, ONE, (ID,))) is evidence
    assert cache.get((B, ONE, (ID,))) is None
    assert cache.get((A, SubjectId(2), (ID,))) is None
    assert cache.get((A, ONE, ())) is None


def test_cache_that_is_full_drops_the_least_recently_used() -> None:
    cache = EvidenceCache(2)
    for number in (1, 2):
        cache.put((A, SubjectId(number), ()), unpack_subject_slot(number))
    cache.get((A, ONE, ()))
    cache.put((A, SubjectId(3), ()), unpack_subject_slot(3))
    assert cache.get((A, ONE, ())) is not None
    assert cache.get((A, SubjectId(2), ())) is None

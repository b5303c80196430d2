"""What is kept of a consent reads back as it was, and a form that a newer release wrote is not guessed at."""

from __future__ import annotations

import json

import pytest

from backend.consent.evidence_store import SignedDocument
from backend.consent.summary import with_summary
from backend.sealed import SchemaUnknown
from scripts.vectors import world as w


@pytest.fixture
def signed() -> SignedDocument:
    mother = with_summary(w.delegation(label="mother"), w.TABLES)
    return SignedDocument(with_summary(w.grant(), w.TABLES), bytes(65), w.MOTHER, (mother,))


def test_signed_document_reads_back_as_it_was(signed: SignedDocument) -> None:
    assert SignedDocument.decode(signed.encode()) == signed


def test_signed_document_of_an_unknown_schema_is_refused(signed: SignedDocument) -> None:
    newer = {**json.loads(signed.encode()), "schema": 2}
    with pytest.raises(SchemaUnknown):
        SignedDocument.decode(json.dumps(newer).encode())

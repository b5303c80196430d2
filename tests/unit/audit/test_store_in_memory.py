"""The stand-in store behaves as the port says, so that what is tested on it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.audit.ports import AuditStore
from tests.support.audit_store_suite import AuditStoreSuite
from tests.support.memory_audit import MemoryAuditStore


class TestMemoryAuditStore(AuditStoreSuite):
    @pytest.fixture
    def store(self) -> AuditStore:
        return MemoryAuditStore()

    def swap_leaf(self, store: AuditStore, first: int, leaf: bytes) -> None:
        assert isinstance(store, MemoryAuditStore)
        store.documents[first] = replace(store.documents[first], leaves=(leaf,))

    def drop_head(self, store: AuditStore) -> None:
        assert isinstance(store, MemoryAuditStore)
        store.set_head(None)

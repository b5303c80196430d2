"""Every adapter that leaves the process says so before it does: on the event loop nothing waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.adapters.index.failures import translated
from backend.adapters.ledger.rpc import Rpc
from backend.adapters.storage.kubo import KuboBlockStore
from backend.audit.entry import ANONYMOUS, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.records.blocks import raw_cid
from backend.waiting import MustWait, without_waiting
from tests.support.audit_world import World


@pytest.fixture
def log() -> Iterator[AuditLog]:
    opened = World().open()
    yield opened
    opened.close()


def test_index_call_says_that_it_waits() -> None:
    asked = []
    with without_waiting(), pytest.raises(MustWait), translated():
        asked.append("the server")
    assert asked == []


def test_chain_call_says_that_it_waits() -> None:
    rpc = Rpc("http://127.0.0.1:9", timeout_seconds=1)
    for ask in (lambda: rpc.call("eth_blockNumber"), lambda: rpc.batch([("eth_blockNumber", ())])):
        with without_waiting(), pytest.raises(MustWait):
            ask()
    rpc.close()


def test_kubo_call_says_that_it_waits() -> None:
    store = KuboBlockStore("/ip4/127.0.0.1/tcp/9")
    with without_waiting(), pytest.raises(MustWait):
        store.get_block(raw_cid(b""))
    store.close()


def test_append_to_the_log_says_that_it_waits(log: AuditLog) -> None:
    event = AuditEvent(type="record.read", outcome=Outcome.DENIED, occurred_at_ms=0, actor=ANONYMOUS)
    with without_waiting(), pytest.raises(MustWait):
        log.append(event)
    assert log.state.size == 0

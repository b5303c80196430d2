"""What wakes an operator, what can wait for the morning, and what is no reason at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.operations.alarms import (
    DAY_SECONDS,
    KEY_WARN_SECONDS,
    LOG_KEY_SECONDS,
    LOW_BYTES,
    MEMBER_WARN_SECONDS,
    VERIFIED_SECONDS,
    alarms,
)
from backend.operations.types import (
    AlarmCode,
    BackupFacts,
    ChainFacts,
    Facts,
    LogFacts,
    MessageFacts,
    NodeFacts,
    Severity,
    StorageFacts,
)
from backend.outbox.types import Backlog
from backend.types import UnixSeconds

NOW = 2_000_000_000
LOG = LogFacts(
    size=100,
    anchored_size=90,
    covered_at=NOW - 60,
    overdue=False,
    failure=None,
    key_made_at=NOW - DAY_SECONDS,
)
QUIET = MessageFacts(3, 0, 2, 0, 0)
BACKUP = BackupFacts(
    shipped_at=NOW - 20,
    key_expires_at=NOW + 20 * DAY_SECONDS,
    failure=None,
    behind=False,
    verified_at=NOW - VERIFIED_SECONDS,
    refused=None,
)
WELL = Facts(
    now=NOW,
    parts={"ledger": "up", "index": "up", "blocks": "up", "disk": "up"},
    chain=ChainFacts(head=9, head_at=NOW - 5, final=9, lag_seconds=None),
    log=LOG,
    backlog=[Backlog("grant", waiting=2, failing=0, oldest_at=UnixSeconds(NOW - 3))],
    messages=QUIET,
    backup=BACKUP,
    storage=StorageFacts(free_bytes=LOW_BYTES, pins=5),
    credentials=[("Clinic", NOW + MEMBER_WARN_SECONDS + 1)],
    catalogue_failed=False,
    damaged_answers=0,
)
NODE = NodeFacts("/ip4/192.0.2.1/tcp/5001", up=True, missing=0, altered=0)
STUCK = Backlog("grant", waiting=2, failing=1, oldest_at=UnixSeconds(NOW - 900))
TROUBLES: list[tuple[dict[str, Any], AlarmCode, Severity]] = [
    ({"parts": {"index": "index_unavailable"}}, AlarmCode.PART_AWAY, Severity.NOW),
    ({"parts": {"something new": "away"}}, AlarmCode.PART_AWAY, Severity.NOW),
    ({"parts": {"ledger node 2": "ledger_node_silent"}}, AlarmCode.PART_AWAY, Severity.NOW),
    ({"parts": {"ledger": "chain_finality_broken"}}, AlarmCode.FINALITY_BROKEN, Severity.NOW),
    ({"damaged_answers": 1}, AlarmCode.DAMAGED, Severity.NOW),
    ({"log": replace(LOG, overdue=True)}, AlarmCode.ANCHOR_OVERDUE, Severity.NOW),
    ({"backlog": [STUCK]}, AlarmCode.ACTS_FAILING, Severity.NOW),
    ({"backup": replace(BACKUP, failure="disk_full")}, AlarmCode.BACKUP_FAILING, Severity.NOW),
    ({"backup": replace(BACKUP, behind=True)}, AlarmCode.BACKUP_BEHIND, Severity.NOW),
    (
        {"backup": replace(BACKUP, verified_at=NOW - VERIFIED_SECONDS - 1)},
        AlarmCode.BACKUP_UNVERIFIED,
        Severity.NOW,
    ),
    ({"backup": replace(BACKUP, refused="backup_damaged")}, AlarmCode.BACKUP_UNVERIFIED, Severity.NOW),
    ({"backup": replace(BACKUP, key_expires_at=NOW)}, AlarmCode.BACKUP_KEY_EXPIRED, Severity.NOW),
    (
        {"backup": replace(BACKUP, key_expires_at=NOW + KEY_WARN_SECONDS)},
        AlarmCode.BACKUP_KEY_DUE,
        Severity.SOON,
    ),
    ({"storage": StorageFacts(LOW_BYTES - 1, None)}, AlarmCode.DISK_LOW, Severity.SOON),
    ({"storage": StorageFacts(LOW_BYTES, 5, 1, [NODE])}, AlarmCode.PINS_BELOW, Severity.NOW),
    (
        {"storage": StorageFacts(LOW_BYTES, 5, 0, [replace(NODE, up=False)])},
        AlarmCode.NODE_AWAY,
        Severity.SOON,
    ),
    (
        {"storage": StorageFacts(LOW_BYTES, 5, 0, [replace(NODE, altered=1)])},
        AlarmCode.NODE_ALTERED,
        Severity.SOON,
    ),
    ({"credentials": [("Clinic", NOW)]}, AlarmCode.MEMBER_EXPIRED, Severity.SOON),
    ({"credentials": [("Clinic", NOW + MEMBER_WARN_SECONDS)]}, AlarmCode.MEMBER_DUE, Severity.SOON),
    (
        {"messages": replace(QUIET, acknowledgements_late=1)},
        AlarmCode.ACKNOWLEDGEMENTS_LATE,
        Severity.SOON,
    ),
    ({"messages": replace(QUIET, webhooks_dead=1)}, AlarmCode.WEBHOOKS_DEAD, Severity.SOON),
    ({"messages": replace(QUIET, mails_dead=1)}, AlarmCode.MAILS_DEAD, Severity.SOON),
    ({"log": replace(LOG, key_made_at=NOW - LOG_KEY_SECONDS)}, AlarmCode.LOG_KEY_DUE, Severity.SOON),
    ({"catalogue_failed": True}, AlarmCode.CATALOGUE_FAILED, Severity.SOON),
]


def test_a_service_that_is_well_gives_no_alarm() -> None:
    assert alarms(WELL) == []


def test_what_could_not_be_asked_is_no_alarm_of_its_own() -> None:
    away = replace(WELL, chain=None, messages=None, backup=None, credentials=None)
    assert alarms(away) == []


@pytest.mark.parametrize(("changed", "code", "severity"), TROUBLES)
def test_each_trouble_is_told_with_what_to_do(
    changed: dict[str, Any], code: AlarmCode, severity: Severity
) -> None:
    (found,) = alarms(replace(WELL, **changed))
    assert (found.code, found.severity) == (code, severity)
    assert len(found.remedy) > 20


def test_every_alarm_there_is_can_be_given() -> None:
    assert {code for _, code, _ in TROUBLES} == set(AlarmCode)


def test_what_cannot_wait_comes_first() -> None:
    both = replace(WELL, catalogue_failed=True, backlog=[STUCK], damaged_answers=2)
    assert [alarm.severity for alarm in alarms(both)] == [Severity.NOW, Severity.NOW, Severity.SOON]


def test_full_disk_is_told_once() -> None:
    full = replace(WELL, parts={"disk": "disk_full"}, storage=StorageFacts(1, None))
    assert [alarm.code for alarm in alarms(full)] == [AlarmCode.PART_AWAY]

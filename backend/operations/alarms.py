"""Which facts must not be left alone, most pressing first, each with what to do. A pure function.

The thresholds are those of docs/operations.md, "Health and metrics".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from backend.consent.member_book import WARN_SECONDS as MEMBER_WARN_SECONDS
from backend.operations.types import UP, Alarm, AlarmCode, BackupFacts, Facts, MessageFacts, Severity

DAY_SECONDS: Final = 24 * 3600
VERIFIED_SECONDS: Final = 26 * 3600  # a day, and time to make and read one
KEY_WARN_SECONDS: Final = 7 * DAY_SECONDS
LOG_KEY_SECONDS: Final = 365 * DAY_SECONDS
LOW_BYTES: Final = 1 << 30

_NODE: Final = (
    "One of the two nodes that permission needs does not follow the network. Once what it showed last is "
    "older than the staleness limit, nothing is permitted; stops are taken by way of the other one. Start "
    "it, or see why it has no newer blocks."
)
PART_REMEDIES: Final = {
    "ledger": "Look whether the chain's node runs and answers. Nothing is permitted until it does; stops are "
    "taken all the same. The embedded chain is started again by itself; if it stays away, restart.",
    "ledger node 1": _NODE,
    "ledger node 2": _NODE,
    "ledger nodes": "The two nodes have the same block and do not agree on what it holds: one of them lies "
    "or is damaged. What they disagree on is not permitted. Ask a third node which one, and replace it.",
    "index": "Look whether the database runs and answers. The embedded one is started again by itself; if it "
    "stays away, restart the service. Nothing that was acknowledged is lost.",
    "blocks": "Look whether the block store (Kubo, or the directory 'blocks') can be reached, and its disk "
    "is mounted.",
    "disk": "Free space below the data directory. No restart is needed. Until then no new record is taken; "
    "consents and stops are.",
    "care teams": "The list of care teams is not what was stored. Run 'assent fsck' with the service "
    "stopped, and restore the index and the key store of one moment.",
}
_FINALITY_BROKEN: Final = "chain_finality_broken"
_OTHER_PART: Final = "See the code in docs/errors.md, and the service's log."
_REMEDIES: Final = {
    AlarmCode.FINALITY_BROKEN: "Blocks that were final have been replaced, so nothing is permitted. Find out "
    "which validators signed two branches. Stop the service and run 'assent audit finality': it lists the "
    "permits that rested on the lost blocks, and takes the new ones for final with --accept.",
    AlarmCode.DAMAGED: "A store gave bytes that are not those stored; nothing of them was released. Stop the "
    "service and run 'assent fsck': it names what is damaged and what to restore.",
    AlarmCode.ANCHOR_OVERDUE: "The audit log does not get onto the chain. Look at the chain first, then at "
    "the backup: what no backup reaches is not anchored. It goes on by itself once the cause is gone.",
    AlarmCode.ACTS_FAILING: "Something that was accepted cannot be carried out, and is tried again by "
    "itself. The service's log names the cause ('act not finished'); mend that. Nothing is lost.",
    AlarmCode.BACKUP_FAILING: "The backup cannot be written, so nothing is anchored. See the code in "
    "docs/errors.md; mostly the directory is away or full, or the recovery key has ended.",
    AlarmCode.BACKUP_BEHIND: "Begin a new backup here. If it does not get further, look at its directory.",
    AlarmCode.BACKUP_UNVERIFIED: "No whole backup of the last 26 hours was read back and found right. The "
    "last good one is kept. Begin a new one here; if it fails too, look at the code in docs/errors.md and at "
    "the backup's disk.",
    AlarmCode.BACKUP_KEY_EXPIRED: "Make a recovery key with 'assent backup keygen', put the service half "
    "where the settings say, and keep the other half offline. Until then nothing is backed up or anchored.",
    AlarmCode.BACKUP_KEY_DUE: "Make the next recovery key with 'assent backup keygen' before this one ends.",
    AlarmCode.DISK_LOW: "Free space below the data directory. Below 256 MiB no new record is taken.",
    AlarmCode.PINS_BELOW: "Fewer nodes of the block store keep these blobs than should. They are brought to "
    "the others by themselves once enough nodes answer; 'assent fsck' names what no node has any more.",
    AlarmCode.NODE_ALTERED: "A node of the block store gave other bytes than were stored. They were taken "
    "from another node, and the node was given the right ones. Look at its disk, and at who can write to it.",
    AlarmCode.NODE_AWAY: "Start the node of the block store again. It gets by itself what it missed; until "
    "then nothing can be erased for good.",
    AlarmCode.MEMBER_EXPIRED: "The member is permitted nothing any more. Admit the organisation anew, and "
    "remove the old member.",
    AlarmCode.MEMBER_DUE: "Admit the organisation anew in time, so that patients can give consent to the new "
    "member; remove the old one then.",
    AlarmCode.ACKNOWLEDGEMENTS_LATE: "Members did not confirm that they stopped using data. Ask them; the "
    "patient sees that it is late.",
    AlarmCode.WEBHOOKS_DEAD: "Look at the failure of each, have its receiver mended, and try it again.",
    AlarmCode.MAILS_DEAD: "Look at the mail server; 'assent notices mail-test' tries it.",
    AlarmCode.LOG_KEY_DUE: "Stop the service and run 'assent audit rotate-key', then publish both keys.",
    AlarmCode.CATALOGUE_FAILED: "The catalogue's counts cannot be drawn: the privacy budget is used up, or "
    "something does not answer. GET /v1/catalogue says which.",
}


def alarms(facts: Facts) -> list[Alarm]:
    """Return what needs somebody: first what cannot wait."""
    found = list(_all(facts))
    return [each for severity in Severity for each in found if each.severity is severity]


def _all(facts: Facts) -> Iterator[Alarm]:
    yield from _of_parts(facts)
    if facts.damaged_answers:
        yield _alarm(AlarmCode.DAMAGED, Severity.NOW, count=facts.damaged_answers)
    yield from _of_log(facts)
    for kind in facts.backlog:
        if kind.failing:
            yield _alarm(AlarmCode.ACTS_FAILING, Severity.NOW, subject=kind.kind, count=kind.failing)
    if facts.backup is not None:
        yield from _of_backup(facts.backup, facts.now)
    for member, ends in facts.credentials or ():
        if ends <= facts.now:
            yield _alarm(AlarmCode.MEMBER_EXPIRED, Severity.SOON, subject=member, due_at=ends)
        elif ends - facts.now <= MEMBER_WARN_SECONDS:
            yield _alarm(AlarmCode.MEMBER_DUE, Severity.SOON, subject=member, due_at=ends)
    if facts.messages is not None:
        yield from _of_messages(facts.messages)
    if facts.catalogue_failed:
        yield _alarm(AlarmCode.CATALOGUE_FAILED, Severity.SOON)


def _of_parts(facts: Facts) -> Iterator[Alarm]:
    for part, state in facts.parts.items():
        if part == "ledger" and state == _FINALITY_BROKEN:
            yield _alarm(AlarmCode.FINALITY_BROKEN, Severity.NOW, cause=state)
        elif state != UP:
            remedy = PART_REMEDIES.get(part, _OTHER_PART)
            yield Alarm(AlarmCode.PART_AWAY, Severity.NOW, remedy, subject=part, cause=state)
    if facts.storage.free_bytes < LOW_BYTES and facts.parts.get("disk", UP) == UP:
        yield _alarm(AlarmCode.DISK_LOW, Severity.SOON)
    if facts.storage.pins_below:
        yield _alarm(AlarmCode.PINS_BELOW, Severity.NOW, count=facts.storage.pins_below)
    for node in facts.storage.nodes:
        if node.altered:
            yield _alarm(AlarmCode.NODE_ALTERED, Severity.SOON, subject=node.name, count=node.altered)
        if not node.up:
            yield _alarm(AlarmCode.NODE_AWAY, Severity.SOON, subject=node.name)


def _of_log(facts: Facts) -> Iterator[Alarm]:
    if facts.log.overdue:
        waiting = facts.log.size - facts.log.anchored_size
        yield _alarm(AlarmCode.ANCHOR_OVERDUE, Severity.NOW, cause=facts.log.failure, count=waiting)
    due = facts.log.key_made_at + LOG_KEY_SECONDS
    if due <= facts.now:
        yield _alarm(AlarmCode.LOG_KEY_DUE, Severity.SOON, due_at=due)


def _of_messages(messages: MessageFacts) -> Iterator[Alarm]:
    for code, count in (
        (AlarmCode.ACKNOWLEDGEMENTS_LATE, messages.acknowledgements_late),
        (AlarmCode.WEBHOOKS_DEAD, messages.webhooks_dead),
        (AlarmCode.MAILS_DEAD, messages.mails_dead),
    ):
        if count:
            yield _alarm(code, Severity.SOON, count=count)


def _of_backup(backup: BackupFacts, now: int) -> Iterator[Alarm]:
    ends = backup.key_expires_at
    if ends is not None and ends <= now:
        yield _alarm(AlarmCode.BACKUP_KEY_EXPIRED, Severity.NOW, due_at=ends)
    elif backup.failure is not None:
        yield _alarm(AlarmCode.BACKUP_FAILING, Severity.NOW, cause=backup.failure)
    elif backup.behind:
        yield _alarm(AlarmCode.BACKUP_BEHIND, Severity.NOW, due_at=backup.shipped_at)
    if backup.refused is not None or backup.verified_at + VERIFIED_SECONDS < now:
        yield _alarm(
            AlarmCode.BACKUP_UNVERIFIED, Severity.NOW, cause=backup.refused, due_at=backup.verified_at
        )
    if ends is not None and now < ends <= now + KEY_WARN_SECONDS:
        yield _alarm(AlarmCode.BACKUP_KEY_DUE, Severity.SOON, due_at=ends)


def _alarm(
    code: AlarmCode,
    severity: Severity,
    *,
    subject: str | None = None,
    cause: str | None = None,
    count: int | None = None,
    due_at: int | None = None,
) -> Alarm:
    return Alarm(code, severity, _REMEDIES[code], subject, cause, count, due_at)

"""Prometheus metrics. Labels are route templates and codes, never ids."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from backend.operations.types import Counted

REQUEST_SECONDS = Histogram(
    "assent_request_seconds", "Time to answer a request", ["method", "route", "status"]
)
DECISIONS = Counter("assent_decisions_total", "Decisions taken", ["answer"])
MEMBERS_EXPIRING = Gauge("assent_members_expiring", "Members whose credential expires within 30 days")
MEMBERS_EXPIRED = Gauge("assent_members_expired", "Members not removed whose credential has expired")

MESSAGES_WAITING = Gauge("assent_webhooks_waiting", "Messages to webhooks that are still to be delivered")
MESSAGES_DEAD = Gauge("assent_webhooks_dead", "Messages to webhooks that were given up in the last 30 days")
MAILS_WAITING = Gauge("assent_mails_waiting", "Mails to patients that are still to be handed over")
MAILS_DEAD = Gauge("assent_mails_dead", "Mails to patients that were given up in the last 30 days")
ACKNOWLEDGEMENTS_LATE = Gauge(
    "assent_revocation_acknowledgements_late", "Revocation notices whose deadline passed unacknowledged"
)

CATALOGUE_FAILED = Gauge(
    "assent_catalogue_draw_failed", "1 while the catalogue's counts of this period cannot be drawn"
)

BACKUP_SHIPPED = Gauge("assent_backup_shipped_timestamp_seconds", "When the backup last held everything")
BACKUP_VERIFIED = Gauge(
    "assent_backup_verified_timestamp_seconds", "When a whole backup was last read back and found right"
)
BACKUP_KEY_EXPIRES = Gauge("assent_backup_key_expires_timestamp_seconds", "When the recovery key ends")

EMERGENCY_OPENED = Gauge(
    "assent_emergency_opened_timestamp_seconds",
    "When the newest emergency was opened that this service put into its log",
)

STANDING_BY = Gauge("assent_standing_by", "1 for a process that waits while another one serves, else 0")


def publish_standby(*, standing_by: bool) -> None:
    STANDING_BY.set(standing_by)


def publish_backup(shipped_at: int, key_expires_at: int) -> None:
    BACKUP_SHIPPED.set(shipped_at)
    BACKUP_KEY_EXPIRES.set(key_expires_at)


def publish_verified_backup(at: int) -> None:
    BACKUP_VERIFIED.set(at)


def publish_catalogue(failed: bool) -> None:
    CATALOGUE_FAILED.set(failed)


def publish_emergency(at: int) -> None:
    EMERGENCY_OPENED.set(at)


def publish_messages(waiting: int, dead: int) -> None:
    MESSAGES_WAITING.set(waiting)
    MESSAGES_DEAD.set(dead)


def publish_mails(waiting: int, dead: int) -> None:
    MAILS_WAITING.set(waiting)
    MAILS_DEAD.set(dead)


def publish_late_acknowledgements(late: int) -> None:
    ACKNOWLEDGEMENTS_LATE.set(late)


def publish_expiring(expiring: int, expired: int) -> None:
    MEMBERS_EXPIRING.set(expiring)
    MEMBERS_EXPIRED.set(expired)


def counted() -> Counted:
    """Return the numbers that operators are warned by, as they were published last."""
    return Counted(
        mails_waiting=_value(MAILS_WAITING),
        mails_dead=_value(MAILS_DEAD),
        acknowledgements_late=_value(ACKNOWLEDGEMENTS_LATE),
        catalogue_failed=_value(CATALOGUE_FAILED) != 0,
        damaged_answers=_damaged_answers(),
    )


def _value(gauge: Gauge) -> int:
    return int(sum(sample.value for metric in gauge.collect() for sample in metric.samples))


def _damaged_answers() -> int:
    """Answers with 502: each is a store that gave bytes which are not those stored."""
    return int(
        sum(
            sample.value
            for metric in REQUEST_SECONDS.collect()
            for sample in metric.samples
            if sample.name.endswith("_count") and sample.labels["status"] == "502"
        )
    )

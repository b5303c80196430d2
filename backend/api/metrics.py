"""Prometheus metrics. Labels are route templates and codes, never ids."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS = Histogram(
    "assent_request_seconds", "Time to answer a request", ["method", "route", "status"]
)
DECISIONS = Counter("assent_decisions_total", "Decisions taken", ["answer"])
MEMBERS_EXPIRING = Gauge("assent_members_expiring", "Members whose credential expires within 30 days")
MEMBERS_EXPIRED = Gauge("assent_members_expired", "Members not removed whose credential has expired")


def publish_expiring(expiring: int, expired: int) -> None:
    MEMBERS_EXPIRING.set(expiring)
    MEMBERS_EXPIRED.set(expired)

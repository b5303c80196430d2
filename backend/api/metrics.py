"""Prometheus metrics. Labels are route templates and codes, never ids."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUEST_SECONDS = Histogram(
    "assent_request_seconds", "Time to answer a request", ["method", "route", "status"]
)
DECISIONS = Counter("assent_decisions_total", "Decisions taken", ["answer"])

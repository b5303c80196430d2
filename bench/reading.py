"""Authorised reads of 10 KiB, each with its durable audit entry, against a bare route with the same bytes."""

from __future__ import annotations

import secrets
import statistics
from urllib.parse import urlsplit

from bench import bare, load
from bench.results import Result, ratio_at_least, shown
from bench.scene import Scene, segment_path

SIZE_BYTES = 10 * 1024
CLIENTS = 8
SECONDS = 5.0
ROUNDS = 3
GOAL = 0.2


def measure(scene: Scene) -> list[Result]:
    """The two take turns, so that what else the machine does falls on both; medians of ``ROUNDS``."""
    record_id = scene.store(secrets.token_bytes(SIZE_BYTES))
    scene.patient.consent(**{name: value for name, value in scene.wish().items() if name != "subject"})
    port = urlsplit(str(scene.http.base_url)).port or 80
    token = scene.clinic.api.token or ""
    ours, theirs = [], []
    with bare.serving(SIZE_BYTES) as bare_port:
        for _ in range(ROUNDS):
            theirs.append(_run(bare_port, "/", ""))
            ours.append(_run(port, segment_path(record_id), token))
    rate = statistics.median(found.per_second for found in ours)
    reference = statistics.median(found.per_second for found in theirs)
    name = "authorised read of 10 KiB, audit durable, 8 clients"
    return [
        ratio_at_least(name, rate, "1/s", reference=reference, limit=GOAL),
        shown(
            f"{name}: median latency",
            statistics.median(found.p50_ms for found in ours),
            "ms",
            reference=statistics.median(found.p50_ms for found in theirs),
        ),
        shown(
            f"{name}: 99th percentile",
            statistics.median(found.p99_ms for found in ours),
            "ms",
            reference=statistics.median(found.p99_ms for found in theirs),
        ),
    ]


def _run(port: int, path: str, token: str) -> load.Load:
    found = load.run(port, path, clients=CLIENTS, seconds=SECONDS, token=token)
    if found.failures or found.body_bytes != SIZE_BYTES:
        raise RuntimeError(f"{found.failures} failures, bodies of {found.body_bytes} bytes")
    return found

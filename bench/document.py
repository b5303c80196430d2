"""A document of 1 MB through the API: stored, granted, read. Each part alone, and their sum."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any, TypeVar

from bench.results import Result, at_most, shown
from bench.scene import Scene, segment_path

SIZE_BYTES = 1_000_000
ROUNDS = 15
GOAL_SECONDS = 0.14
Value = TypeVar("Value")


def measure(scene: Scene) -> list[Result]:
    """Medians over ``ROUNDS`` after two that warm up. What the wallet itself computes is not counted."""
    rounds = [_round(scene) for _ in range(ROUNDS + 2)][2:]
    store, draft, grant, read = (statistics.median(column) for column in zip(*rounds, strict=True))
    total = statistics.median(sum(parts) for parts in rounds)
    return [
        at_most("1 MB document: store, grant, read", total, "s", GOAL_SECONDS),
        shown("1 MB document: store", store, "s"),
        shown("1 MB document: grant, get the message to sign", draft, "s"),
        shown("1 MB document: grant, hand in the signature", grant, "s"),
        shown("1 MB document: read", read, "s"),
    ]


def _round(scene: Scene) -> tuple[float, float, float, float]:
    content = secrets.token_bytes(SIZE_BYTES)
    patient = scene.patient
    store, record_id = _timed(lambda: scene.store(content))
    draft, message = _timed(lambda: patient.api.post("/v1/consents/draft", scene.wish()))
    signed = {"message": message["message"], "signature": patient.sign_typed(message["typed_data"])}
    grant, recorded = _timed(lambda: patient.api.post("/v1/consents", signed))
    read, response = _timed(lambda: scene.clinic.api.call("GET", segment_path(record_id)))
    if response.content != content:
        raise RuntimeError("the service gave back another document")
    _revoke(scene, recorded)  # or each round would decide on one consent more than the one before
    return store, draft, grant, read


def _revoke(scene: Scene, recorded: dict[str, Any]) -> None:
    scene.patient.revoke(recorded["consent_id"])


def _timed(work: Callable[[], Value]) -> tuple[float, Value]:
    started = time.perf_counter()
    value = work()
    return time.perf_counter() - started, value

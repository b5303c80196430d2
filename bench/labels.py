"""Labelling and splitting a bundle, against reading and validating the same bytes with public libraries."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any, Final

from fhir.resources.R4B.bundle import Bundle

from backend.records.fhir import validate_bundle
from backend.records.fhir_bundle import Bundle as Accepted
from backend.records.segments import segment
from bench.results import Result, ratio_at_most, shown
from scripts.generate_bundles import encode, generate

ROUNDS: Final = 21
GOAL: Final = 0.5


def measure() -> list[Result]:
    """Medians over ``ROUNDS``, work and reference in turn, so that both see the same machine."""
    raw = bundle()
    accepted = validate_bundle(raw)
    _round(raw, accepted)  # warms up
    rounds = [_round(raw, accepted) for _ in range(ROUNDS)]
    spent, needed = (statistics.median(column) * 1000 for column in zip(*rounds, strict=True))
    name = f"{len(raw) // 1000} kB bundle: label and segment"
    return [
        ratio_at_most(name, spent, "ms", reference=needed, limit=GOAL),
        shown(f"{name}: resources", len(accepted.resources), "resources"),
    ]


def bundle() -> bytes:
    """Two generated histories as one patient's: somewhat above 500 kB."""
    first, second = generate(2, 1)
    me, other = _patient(first), _patient(second)
    more = json.dumps([entry for entry in second["entry"] if entry is not other])
    first["entry"] += json.loads(more.replace(other["fullUrl"], me["fullUrl"]))
    return encode(first)


def _patient(whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        entry for entry in whole["entry"] if entry["resource"]["resourceType"] == "Patient"
    )
    return found


def _round(raw: bytes, accepted: Accepted) -> tuple[float, float]:
    started = time.perf_counter()
    segment(accepted)
    between = time.perf_counter()
    Bundle.model_validate(json.loads(raw))
    return between - started, time.perf_counter() - between

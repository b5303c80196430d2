"""Decisions over HTTP: a clinic asks about a patient with a hundred consents; each question is logged."""

from __future__ import annotations

import json
import secrets
import statistics
from typing import Final
from urllib.parse import urlsplit

from bench import bare, load
from bench.results import Result, shown
from bench.scene import CATEGORY, Scene

CONSENTS: Final = 100
CLIENTS: Final = 8
SECONDS: Final = 5.0
ROUNDS: Final = 3
GOAL_PER_SECOND: Final = 500


def measure(scene: Scene) -> list[Result]:
    """Medians of ``ROUNDS``, with a bare route that gives as many bytes beside each."""
    _consent(scene)
    port = urlsplit(str(scene.http.base_url)).port or 80
    body = json.dumps(
        {"subject": scene.patient.subject, "purpose": "TREAT", "action": "access", "categories": [CATEGORY]}
    )
    token = scene.clinic.api.token or ""
    answer = scene.clinic.api.post("/v1/decisions", json.loads(body))
    if answer["answer"] != "permit":
        raise RuntimeError(f"decided {answer['answer']}")
    ours, theirs = [], []
    with bare.serving(len(json.dumps(answer))) as bare_port:
        for _ in range(ROUNDS):
            theirs.append(load.run(bare_port, "/", clients=CLIENTS, seconds=SECONDS))
            ours.append(
                load.run(port, "/v1/decisions", clients=CLIENTS, seconds=SECONDS, token=token, body=body)
            )
    if any(found.failures for found in ours):
        raise RuntimeError(f"{sum(found.failures for found in ours)} failures")
    rate = statistics.median(found.per_second for found in ours)
    name = f"decision over HTTP, {CONSENTS} consents a patient, {CLIENTS} clients"
    return [
        Result(
            name,
            round(rate),
            "1/s",
            reference=round(statistics.median(found.per_second for found in theirs)),
            goal=f">= {GOAL_PER_SECOND} 1/s",
            met=rate >= GOAL_PER_SECOND,
        ),
        shown(
            f"{name}: median latency",
            statistics.median(found.p50_ms for found in ours),
            "ms",
            reference=statistics.median(found.p50_ms for found in theirs),
        ),
    ]


def _consent(scene: Scene) -> None:
    """Bring the patient to a hundred consents: one for the clinic, the others for members of elsewhere."""
    have = len(scene.patient.api.get("/v1/consents", subject=scene.patient.subject))
    wish = {name: value for name, value in scene.wish().items() if name != "subject"}
    scene.patient.consent(**wish)
    for _ in range(CONSENTS - have - 1):
        scene.patient.consent(**{**wish, "grantee": "0x" + secrets.token_hex(32)})

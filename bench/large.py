"""A document of 2 GiB through the service: what it takes of memory, in and out, and how fast it goes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bench.machine import peak_resident_mib, reset_peak, resident_mib
from bench.results import Result, at_most, shown
from bench.scene import CATEGORY, Scene, segment_path

SIZE_BYTES = 2 << 30
GOAL_MIB = 64
_PIECE_BYTES = 1 << 20
_TIMEOUT_SECONDS = 600


def measure(scene: Scene, data_directory: Path) -> list[Result]:
    """Peak of resident memory above what the service has just before."""
    pid = json.loads((data_directory / "run.json").read_text())["pid"]
    consent = scene.patient.consent(**{k: v for k, v in scene.wish().items() if k != "subject"})
    scene.store(b"warm-up")
    idle = resident_mib(pid)
    reset_peak(pid)
    started = time.perf_counter()
    stored = scene.hospital.api.call(
        "POST",
        "/v1/records",
        params={"subject": scene.patient.subject, "categories": CATEGORY, "sensitivities": "N"},
        content=_pieces(),
        headers={"Content-Type": "application/octet-stream"},
        timeout=_TIMEOUT_SECONDS,
    )
    between = time.perf_counter()
    with scene.http.stream(
        "GET",
        segment_path(stored.json()["record_id"]),
        headers={"Authorization": f"Bearer {scene.clinic.api.token}"},
        timeout=_TIMEOUT_SECONDS,
    ) as response:
        size = sum(len(piece) for piece in response.iter_raw())
    ended = time.perf_counter()
    if size != SIZE_BYTES:
        raise RuntimeError(f"{size} bytes came back")
    scene.patient.revoke(consent["consent_id"])
    name = "2 GiB document through the service"
    return [
        at_most(f"{name}: memory above idle", peak_resident_mib(pid) - idle, "MiB", GOAL_MIB),
        shown(f"{name}: store", SIZE_BYTES / (between - started) / 1e6, "MB/s"),
        shown(f"{name}: read", SIZE_BYTES / (ended - between) / 1e6, "MB/s"),
    ]


def _pieces() -> Iterator[bytes]:
    piece = os.urandom(_PIECE_BYTES)
    for _ in range(SIZE_BYTES // _PIECE_BYTES):
        yield piece

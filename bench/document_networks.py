"""A document of 1 MB on a network of six nodes and three Kubo nodes: stored, granted, read, over the API.

What is taken out is waiting for blocks, as the service's own node saw it: from the arrival of a call's
transaction in its pool until it had the block that the call is answered after. That is the one the record is
final by, and the one that a grant is in. Between the grant and the read the grant becomes final: nobody works
then, and it is not counted. Everything else is the service's time, its looking for a new block included.
"""

from __future__ import annotations

import secrets
import statistics
import time
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from bench.block_watch import BlockWatch
from bench.document import SIZE_BYTES
from bench.enduring_stage import Stage
from bench.results import Result, shown, skipped
from bench.scene import Scene, enter, segment_path
from bench.waiting import until
from scripts.kubo import run as kubo
from scripts.testnet import links
from scripts.testnet.build import BINARY

ROUNDS: Final = 15
GOAL_SECONDS: Final = 0.3
PUBLISHED_SECONDS: Final = 1.4  # the reference, its waiting included
_NAME: Final = "1 MB record on Kubo and the network"


class _Round(NamedTuple):
    """Seconds; the two ``waited`` are taken out of the calls before them."""

    store: float
    store_waited: float
    draft: float
    grant: float
    grant_waited: float
    read: float

    @property
    def own(self) -> float:
        return self.store + self.draft + self.grant + self.read


def measure(directory: Path) -> list[Result]:
    """Medians over ``ROUNDS`` after two that warm up."""
    if not (BINARY.is_file() and kubo.BINARY.is_file()):
        return [skipped(_NAME, "s", "make testnet kubo")]
    stage = Stage(directory / "document-networks", anchor_interval_seconds=3600)
    try:
        stage.start()
        with (
            httpx.Client(base_url=stage.service.url, timeout=120) as http,
            BlockWatch(stage.service_node.node.rpc_url) as watch,
        ):
            people = enter(http, stage.service.operator())
            rounds = [_round(people, stage, watch) for _ in range(ROUNDS + 2)][2:]
    finally:
        stage.stop()
    own = statistics.median(each.own for each in rounds)
    name = f"{_NAME}: store, grant, read, besides waiting for blocks"
    return [
        Result(
            name, round(own, 4), "s", PUBLISHED_SECONDS, round(own / PUBLISHED_SECONDS, 3),
            f"<= {GOAL_SECONDS:g} s", own <= GOAL_SECONDS,
        ),
        *(
            shown(f"{_NAME}: {part}", statistics.median(getattr(each, field) for each in rounds), "s")
            for part, field in (
                ("store, without its waiting", "store"),
                ("waiting until the record is final", "store_waited"),
                ("get the message to sign", "draft"),
                ("hand in the grant, without its waiting", "grant"),
                ("waiting for the block of the grant", "grant_waited"),
                ("read", "read"),
            )
        ),
    ]  # fmt: skip


def _round(people: Scene, stage: Stage, watch: BlockWatch) -> _Round:
    content = secrets.token_bytes(SIZE_BYTES)
    patient, depth = people.patient, stage.nodes.network.finality_blocks
    began = time.monotonic()
    stored = people.hospital.api.call(
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": "laboratory", "sensitivities": "N"},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    ).json()
    store = time.monotonic() - began
    store_waited = watch.waited(began, stored["block"], stored["block"] + depth)
    began = time.monotonic()
    message = patient.api.post("/v1/consents/draft", people.wish())
    draft = time.monotonic() - began
    signed = {"message": message["message"], "signature": patient.sign_typed(message["typed_data"])}
    began = time.monotonic()
    recorded = patient.api.post("/v1/consents", signed)
    grant = time.monotonic() - began
    grant_waited = watch.waited(began, recorded["block"], recorded["block"])
    until(lambda: links.head(stage.service_node) > recorded["block"] + depth, "the grant is final")
    time.sleep(0.5)  # until the service has looked, too
    began = time.monotonic()
    response = people.clinic.api.call("GET", segment_path(stored["record_id"]))
    read = time.monotonic() - began
    if response.content != content:
        raise RuntimeError("the service gave back another document")
    patient.revoke(recorded["consent_id"])  # or each round would decide on one consent more
    revoked_at = links.head(stage.service_node)
    until(lambda: links.head(stage.service_node) > revoked_at + depth, "the revocation is final")
    return _Round(store - store_waited, store_waited, draft, grant - grant_waited, grant_waited, read)

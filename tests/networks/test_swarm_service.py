"""A service whose records lie on three Kubo nodes: what its people and its operator see when nodes fail."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from backend.maintenance.fsck import check_everything
from backend.maintenance.report import Report
from backend.records.blobs import store_blobs
from backend.records.blocks import Cid
from tests.integration.api.world import (
    Patient,
    Service,
    assert_problem,
    enrol,
    open_service,
    provider,
    raw,
    staff,
)
from tests.networks.acts import read
from tests.support.swarm import Swarm, running_swarm
from tests.support.testnet import until

pytestmark = pytest.mark.kubo


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    with running_swarm(tmp_path_factory.mktemp("swarm")) as made:
        yield made


@dataclass(frozen=True)
class World:
    service: Service
    swarm: Swarm
    operator: Api
    hospital: Provider
    clinic: Provider
    patient: Patient

    def store(self, text: bytes) -> str | None:
        """Store a note; its record, or None where the service refused it for want of nodes."""
        answer = raw(
            self.hospital.api,
            "POST",
            "/v1/records",
            params={"subject": self.patient.subject, "categories": ["laboratory"], "sensitivities": ["N"]},
            content=text,
            headers={"Content-Type": "text/plain"},
        )
        if answer.status_code != 201:
            assert_problem(answer, 503, "storage_nodes_missing")
            return None
        return str(answer.json()["record_id"])

    def text_of(self, record: str) -> bytes:
        answer = raw(self.clinic.api, "GET", f"/v1/records/{record}", params={"purpose": "TREAT"})
        assert answer.status_code == 200
        return answer.content

    def pins(self, number: int) -> set[Cid]:
        alone = self.swarm.alone(number)
        try:
            return set(alone.pins())
        finally:
            alone.close()

    def alarms(self) -> dict[str, Any]:
        return {each["code"]: each for each in self.operator.call("GET", "/v1/operations").json()["alarms"]}

    def metric(self, name: str) -> list[float]:
        text = self.service.http.get("/metrics").text
        return [float(found) for found in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)]

    def fsck(self, *, repair: bool = False) -> Report:
        return check_everything(self.service.world.stores, repair=repair)

    def codes(self) -> set[str]:
        return {finding.code for finding in self.fsck().damage}


@pytest.fixture(scope="module")
def running(nodes: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_service(
        tmp_path_factory.mktemp("service"),
        storage="kubo",
        kubo_address=",".join(nodes.rpcs),
        pin_repair_seconds=1,
        access_token_minutes=60,
    ) as service:
        operator = staff(service, "operator", Role.OPERATOR)
        hospital = provider(service, operator, "hospital system", "0x" + service.world.stores.tenant.hex())
        clinic = provider(service, operator, "Lakeside Clinic")
        patient = enrol(service, staff(service, "desk", Role.IDENTITY_DESK), hospital, 10)
        patient.permit(clinic.member_id)
        yield World(service, nodes, operator, hospital, clinic, patient)


@pytest.fixture
def world(running: World) -> Iterator[World]:
    """All nodes run and keep everything, before and after."""
    whole(running)
    yield running
    running.swarm.start()
    whole(running)


def whole(world: World) -> None:
    def holds() -> bool:
        one, two, three = (world.pins(number) for number in range(3))
        return one == two == three and world.metric("assent_block_node_up") == [1, 1, 1]

    until(holds, "each node answers and pins the same")


def test_each_record_is_on_every_node_and_fsck_finds_nothing(world: World) -> None:
    record = world.store(b"sodium 140")
    assert record is not None
    assert world.text_of(record)
    assert world.pins(0) == world.pins(1) == world.pins(2) != set()
    assert world.fsck().damage == []
    assert not {"pins_below", "node_away", "node_altered"} & set(world.alarms())
    assert world.metric("assent_pins_below") == [0]


def test_record_stored_while_a_node_is_down_is_brought_to_it_by_itself(world: World) -> None:
    world.swarm.kill(1)
    record = world.store(b"sodium 141")
    assert record is not None
    until(lambda: "node_away" in world.alarms(), "the operator is told")
    assert world.alarms()["node_away"]["subject"] == world.swarm.rpcs[1]
    assert world.metric("assent_pins_below") == [0]
    assert "node_away" in world.codes()
    assert world.service.http.get("/health/ready").status_code == 200
    world.swarm.start()
    whole(world)
    assert world.fsck().damage == []
    until(lambda: "node_away" not in world.alarms(), "the alarm ends")


def test_with_one_node_left_reads_go_on_and_writes_wait_for_the_second(world: World) -> None:
    record = world.store(b"sodium 142")
    assert record is not None
    world.swarm.kill(0)
    world.swarm.kill(2)
    assert world.store(b"sodium 143") is None
    assert world.text_of(record)
    assert read(world.clinic, world.patient).status_code == 200
    assert world.service.http.get("/health/ready").json()["parts"]["blocks"] == "storage_nodes_missing"
    until(lambda: "pins_below" in world.alarms(), "the operator is told")
    assert world.metric("assent_pins_below")[0] >= 2
    world.swarm.start()
    until(lambda: world.store(b"sodium 143") is not None, "it is taken")
    until(lambda: world.metric("assent_pins_below") == [0], "enough nodes keep everything")


def test_node_that_lost_its_store_is_told_and_gets_everything_again(world: World) -> None:
    assert world.store(b"sodium 144")
    kept = world.pins(0)
    world.swarm.kill(2)
    for path in world.swarm.blocks(2).rglob("*.data"):
        path.unlink()
    shutil.rmtree(world.swarm.blocks(2).parent / "datastore")  # where a node keeps its pins
    world.swarm.start()
    whole(world)
    assert world.pins(2) == kept
    assert world.fsck().damage == []


def test_block_altered_or_lost_on_a_disk_is_mended_though_nobody_reads_it(world: World) -> None:
    before = set(world.swarm.blocks(1).rglob("*.data"))
    assert world.store(b"sodium 145")
    whole(world)
    # Of the record: a node has blocks of its own too, which nobody else can bring it.
    altered, lost = sorted(set(world.swarm.blocks(1).rglob("*.data")) - before)[:2]
    was, lost_was = altered.read_bytes(), lost.read_bytes()
    lost.unlink()
    altered.chmod(0o600)
    altered.write_bytes(b"other")
    until(lambda: lost.exists() and lost.read_bytes() == lost_was, "the lost one is there again")
    until(lambda: altered.read_bytes() == was, "the altered one is mended")
    assert world.alarms()["node_altered"]["subject"] == world.swarm.rpcs[1]


def test_fsck_names_what_a_node_lacks_and_repairs_it_when_told(world: World) -> None:
    repair = world.service.world.services.watching._pin_repair
    assert repair is not None
    repair.close()  # what it would mend, fsck shall find
    assert world.store(b"sodium 146")
    alone = world.swarm.alone(2)
    root = next(alone.pins())
    alone.unpin(root)
    alone.collect_garbage()
    found = world.fsck()
    assert {finding.code for finding in found.damage} == {"node_pin_missing", "node_block_missing"}
    assert all(finding.where.endswith(f"at node {world.swarm.rpcs[2]}") for finding in found.damage)
    assert any(f"root {root}" in finding.where for finding in found.damage)
    assert world.fsck(repair=True).damage == []
    assert root in set(alone.pins())
    assert world.fsck().damage == []
    alone.close()


def test_pin_that_no_record_names_is_not_spread(world: World) -> None:
    """A node that was away while a record was erased has its pin still."""
    alone = world.swarm.alone(0)
    (stale,) = store_blobs(alone, [[b"what was erased meanwhile"]])
    repair = world.service.world.services.watching._pin_repair
    assert repair is not None
    repair._ending.clear()
    done = repair.round()
    assert done.restored == 0
    assert stale.root in world.pins(0)
    assert stale.root not in world.pins(1) | world.pins(2)
    assert {finding.code for finding in world.fsck().leftovers} >= {"pin_unnamed"}
    alone.unpin(stale.root)
    alone.close()


def test_record_is_stored_though_every_node_collects_between_write_and_pin(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks: Any = world.service.world.stores.blocks
    pin_all, collections = blocks.pin_all, []

    def collected_first(pins: Any) -> None:
        if not collections:
            for number in range(3):
                alone = world.swarm.alone(number)
                collections.append(alone.collect_garbage())
                alone.close()
        pin_all(pins)

    monkeypatch.setattr(blocks, "pin_all", collected_first)
    record = world.store(b"sodium 147")
    assert record is not None
    assert all(found.blocks for found in collections)
    assert world.text_of(record)
    assert world.fsck().damage == []

"""A real Prometheus watches a real service, and what it finds reaches whoever is on call."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from backend.adapters import process
from backend.adapters.process import free_port
from backend.demo.service import Service
from scripts.prometheus import run as prometheus
from scripts.prometheus.run import Programs
from tests.support.components import require
from tests.support.receiver import Receiver, receiving

DEPLOY: Final = Path(__file__).resolve().parents[2] / "deploy"
RULES: Final = DEPLOY / "prometheus" / "alerts.yml"
ELSEWHERE: Final = {"assent_chain_lag_seconds"}  # of networks, whose blocks come by themselves
PATIENCE: Final = 60


@pytest.fixture(scope="module")
def programs() -> Programs:
    found = prometheus.find()
    require(found, "no Prometheus on this machine", "make prometheus")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = Service(tmp_path_factory.mktemp("watched") / "data", storage="directory")
    started.start()
    yield started
    started.stop()


@contextmanager
def watching(programs: Programs, service: Service, directory: Path, hook: str) -> Iterator[str]:
    """Prometheus and Alertmanager with the files of ``deploy``, in a hurry. Yields Prometheus' address."""
    rules = re.sub(r"for: \d+m\b", "for: 1s", RULES.read_text())
    (directory / "alerts.yml").write_text(rules)
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (targets,) = config["scrape_configs"][0]["static_configs"]
    targets["targets"] = [service.url.removeprefix("http://")]
    manager, port = free_port(), free_port()
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{manager}"]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    routing = yaml.safe_load((DEPLOY / "prometheus" / "alertmanager.yml").read_text())
    routing["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for receiver in routing["receivers"]:
        receiver["webhook_configs"][0] = {"url": f"{hook}/{receiver['name']}"}
    (directory / "alertmanager.yml").write_text(yaml.safe_dump(routing))
    commands: list[list[str | Path]] = [
        [
            programs.alertmanager,
            f"--config.file={directory / 'alertmanager.yml'}",
            f"--storage.path={directory / 'alerts'}",
            f"--web.listen-address=127.0.0.1:{manager}",
            "--cluster.listen-address=",
        ],
        [
            programs.prometheus,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'series'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
    ]
    with ExitStack() as running:
        for command in commands:
            child = process.start(command, env={**os.environ, **programs.environment})
            running.callback(process.stop, child)
        yield f"http://127.0.0.1:{port}"


def asked(address: str, expression: str) -> list[dict[str, Any]]:
    try:
        answer = httpx.get(f"{address}/api/v1/query", params={"query": expression})
    except httpx.TransportError:
        return []
    return list(answer.json()["data"]["result"]) if answer.status_code == 200 else []


def until(address: str, expression: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE
    while not (found := asked(address, expression)):
        assert time.monotonic() < deadline, expression
        time.sleep(0.2)
    return found


@pytest.mark.parametrize(
    "arguments", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")]
)
def test_rules_are_sound_and_rise_when_they_should(programs: Programs, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [programs.promtool, *arguments],
        cwd=DEPLOY / "prometheus",
        env={**os.environ, **programs.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_service_gives_every_metric_that_a_rule_or_a_panel_asks_for(service: Service) -> None:
    given = set(re.findall(r"^# TYPE (assent_\w+) ", metrics(service), re.MULTILINE))
    wanted = {
        re.sub(r"_(count|bucket)$", "", name)
        for text in (RULES.read_text(), (DEPLOY / "grafana" / "assent.json").read_text())
        for name in re.findall(r"\bassent_\w+", text)
    }
    assert wanted - given == ELSEWHERE


def metrics(service: Service) -> str:
    return httpx.get(f"{service.url}/metrics").text


def test_alarm_reaches_the_webhook_and_ends(programs: Programs, service: Service, tmp_path: Path) -> None:
    with (
        receiving(host="127.0.0.1") as receiver,
        watching(programs, service, tmp_path, receiver.url) as address,
    ):
        until(address, 'up{job="assent"} == 1')
        until(address, 'assent_part_up{part="ledger"} == 1')
        assert asked(address, 'ALERTS{severity="now",alertstate="firing"}') == []
        service.stop()
        assert notified(receiver, "ServiceDown", "firing")
        service.start()
        assert notified(receiver, "ServiceDown", "resolved")


def notified(receiver: Receiver, name: str, status: str) -> bool:
    deadline = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < deadline:
        for each in receiver.got:
            for alert in each.json["alerts"]:
                if alert["labels"]["alertname"] == name and alert["status"] == status:
                    assert alert["labels"]["severity"] == "now"
                    return True
        time.sleep(0.2)
    return False

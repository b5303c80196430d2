"""The container files cannot be run here; what they name is what the program knows, each image is one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*")
MUST_BE_SET = {
    "PASSPHRASE": "Vu7-kkd9-0xmq-zzPl",
    "PUBLIC_URL": "https://assent.example",
    "LEDGER_CHAIN_ID": "7741001",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "deploy/Dockerfile").read_text()


def test_every_image_is_pinned_to_one_release(compose: dict[str, Any], dockerfile: str) -> None:
    images = [service["image"] for service in compose["services"].values() if "image" in service]
    images += re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(set(images)) == 5
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_python_of_the_image_is_one_that_the_lock_file_is_for(dockerfile: str) -> None:
    lock = (ROOT / "requirements/runtime.txt").read_text()
    (version,) = set(re.findall(r"^FROM python:(\d+\.\d+)", dockerfile, re.MULTILINE))
    assert f"Python {version}" in lock


def test_settings_of_the_service_are_valid_for_production(
    compose: dict[str, Any], dockerfile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = dict(compose["services"]["assent"]["environment"])
    given |= dict(re.findall(r"(ASSENT_\w+)=(\S+)", dockerfile))
    known = {f"ASSENT_{name.upper()}" for name in Settings.model_fields}
    assert set(given) <= known
    for name, value in given.items():
        placeholder = re.fullmatch(r"\$\{ASSENT_(\w+):\?[^}]+\}", value)
        monkeypatch.setenv(name, MUST_BE_SET[placeholder[1]] if placeholder else value)
    settings = Settings(_env_file=None)
    assert not settings.is_development
    assert settings.ledger_finality_blocks == 0


def test_addresses_name_services_of_the_file(compose: dict[str, Any]) -> None:
    environment, services = compose["services"]["assent"]["environment"], compose["services"]
    hosts = {
        environment["ASSENT_LEDGER_URL"].split("//")[1].split(":")[0],
        environment["ASSENT_INDEX_URI"].split("//")[1].split(":")[0],
        environment["ASSENT_KUBO_ADDRESS"].split("/")[2],
    }
    assert hosts == set(services) - {"assent"} == set(services["assent"]["depends_on"])
    assert "replicaSet=" + services["mongo"]["command"][1] in environment["ASSENT_INDEX_URI"]


def test_only_the_service_is_reachable_and_from_this_machine_only(compose: dict[str, Any]) -> None:
    published = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert published.pop("assent") == ["127.0.0.1:8000:8000"]
    assert not any(published.values())


def test_files_that_the_image_copies_are_there(dockerfile: str) -> None:
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert f"!{Path(source).parts[0]}\n" in (ROOT / ".dockerignore").read_text(), source


def test_image_serves_the_pages_and_runs_as_nobody_in_particular(dockerfile: str) -> None:
    assert "COPY --from=pages /assent/web/dist web/dist" in dockerfile
    assert dockerfile.index("USER assent") < dockerfile.index('CMD ["assent"')


def test_kubo_image_is_the_release_that_is_tested(compose: dict[str, Any]) -> None:
    version = compose["services"]["kubo"]["image"].split(":")[1]
    assert f"github.com/ipfs/kubo {version}" in (ROOT / "scripts/kubo/go.mod").read_text()

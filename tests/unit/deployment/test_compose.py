"""The container files cannot be run here; what they name exists, and is what the program knows."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from backend.settings import Settings
from scripts.production.run import BLOCK_STORES, ENVIRONMENT, GIVEN, USERS, VALIDATORS, Deployment

ROOT = Path(__file__).resolve().parents[3]
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+[a-z0-9.-]*)?")
VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]+)?\}")
URL, OPENID_URL = "https://assent.example", "https://sso.example"
# Root in none of them: what an image is known to run as where the file does not say.
KNOWN_USERS = {
    "assent": "the Dockerfile's",
    "hyperledger/besu": "besu",
    "prom/prometheus": "nobody",
    "grafana/grafana": "grafana",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "deploy/Dockerfile").read_text()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment without the block stores, whose repositories Kubo itself makes."""
    deployment = Deployment(tmp_path_factory.mktemp("production") / "deployment")
    deployment.draw(URL, OPENID_URL, draw_swarm=lambda folder: folder.mkdir())
    return deployment


@pytest.fixture(scope="module")
def variables(drawn: Deployment) -> dict[str, str]:
    lines = (drawn.folder / ENVIRONMENT).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def _expanded(text: str, variables: dict[str, str]) -> str:
    return VARIABLE.sub(lambda found: variables[found[1]], text)


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for each in part.values():
            yield from _texts(each)
    elif isinstance(part, list):
        for each in part:
            yield from _texts(each)
    else:
        yield str(part)


def _named(listed: list[Any]) -> set[str]:
    return {each["source"] if isinstance(each, dict) else each for each in listed}


def test_file_is_what_the_schema_of_compose_files_says(compose: dict[str, Any]) -> None:
    schema = json.loads((Path(__file__).parent / "data/compose_spec.json").read_text())
    schema["$schema"] = "http://json-schema.org/draft-07/schema#"
    check = jsonschema_rs.validator_for(schema)
    assert [error.message for error in check.iter_errors(compose)] == []
    compose = json.loads(json.dumps(compose))
    compose["services"]["proxy"]["portz"] = []
    assert not check.is_valid(compose)


def test_every_image_is_pinned_to_one_release(services: dict[str, dict[str, Any]], dockerfile: str) -> None:
    images = {service["image"] for service in services.values()}
    images |= set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
    assert len(images) == 12
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_python_of_the_image_is_one_that_the_lock_file_is_for(dockerfile: str) -> None:
    lock = (ROOT / "requirements/runtime.txt").read_text()
    (version,) = set(re.findall(r"^FROM python:(\d+\.\d+)", dockerfile, re.MULTILINE))
    assert f"Python {version}" in lock


def test_releases_are_those_that_were_run(services: dict[str, dict[str, Any]]) -> None:
    kubo = services["kubo-1"]["image"].split(":")[1]
    assert f"github.com/ipfs/kubo {kubo}" in (ROOT / "scripts/kubo/go.mod").read_text()
    keycloak = services["keycloak"]["image"].split(":")[1]
    assert f"<version>{keycloak}</version>" in (ROOT / "scripts/keycloak/pom.xml").read_text()


def test_settings_of_the_service_are_valid_for_production(
    services: dict[str, dict[str, Any]], dockerfile: str, variables: dict[str, str], drawn: Deployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given = {name: _expanded(text, variables) for name, text in services["assent-1"]["environment"].items()}
    given |= dict(re.findall(r"(ASSENT_\w+)=(\S+)", dockerfile))
    assert set(given) <= {f"ASSENT_{name.upper()}" for name in Settings.model_fields}
    assert given["ASSENT_SECRETS_DIRECTORY"] == "/run/secrets"
    for name, value in (given | {"ASSENT_SECRETS_DIRECTORY": str(drawn.secrets)}).items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert not settings.is_development
    assert settings.standby
    assert settings.passphrase is not None
    assert settings.passphrase.get_secret_value() == (drawn.secrets / "assent_passphrase").read_text()
    assert settings.index_uri is not None
    assert settings.index_uri.endswith(
        "@mongo-1:27017,mongo-2:27017,mongo-3:27017/?replicaSet=assent&authSource=admin"
    )
    assert settings.ledger_finality_blocks == 0
    assert settings.kubo_pins_needed == 2
    assert services["assent-1"]["environment"] == services["assent-2"]["environment"]


def test_every_variable_is_drawn(compose: dict[str, Any], variables: dict[str, str]) -> None:
    used = {found[1] for text in _texts(compose) for found in VARIABLE.finditer(text)}
    assert used == set(variables)


def test_secrets_are_drawn_or_asked_for_and_each_is_read_by_one_program_alone(
    compose: dict[str, Any], services: dict[str, dict[str, Any]], variables: dict[str, str], drawn: Deployment
) -> None:
    files = {name: Path(_expanded(secret["file"], variables)) for name, secret in compose["secrets"].items()}
    assert {path.parent for path in files.values()} == {drawn.secrets.resolve()}
    assert {path.name for path in files.values() if not path.exists()} == set(GIVEN)
    assert {path.name for path in drawn.secrets.iterdir()} | set(GIVEN) == {
        path.name for path in files.values()
    }
    used: set[str] = set()
    for name, service in services.items():
        for secret in _named(service.get("secrets", [])):
            program = {"keycloak-db": "postgres"}.get(
                name, name.rpartition("-")[0] if name[-1].isdigit() else name
            )
            assert files[secret].name.startswith(f"{program}_"), secret
            used.add(secret)
    assert used == set(files)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in drawn.secrets.iterdir())
    assert {path.name.partition("_")[0] for path in files.values()} == set(USERS)


def test_configurations_and_mounted_files_are_there(
    compose: dict[str, Any], services: dict[str, dict[str, Any]], variables: dict[str, str]
) -> None:
    used: set[str] = set()
    for name, configuration in compose["configs"].items():
        assert (ROOT / _expanded(configuration["file"], variables)).exists(), name
    for service in services.values():
        used |= _named(service.get("configs", []))
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
            elif not source.startswith("$"):
                assert source in compose["volumes"], source
    assert used == set(compose["configs"])


def test_addresses_are_those_of_the_parts(services: dict[str, dict[str, Any]]) -> None:
    def addresses(prefix: str, network: str) -> list[str]:
        return [
            service["networks"][network]["ipv4_address"]
            for name, service in services.items()
            if name.startswith(prefix)
        ]

    environment = services["assent-1"]["environment"]
    assert tuple(addresses("besu-", "chain")) == VALIDATORS
    assert tuple(addresses("kubo-", "blocks")) == BLOCK_STORES
    nodes = [environment["ASSENT_LEDGER_URL"], environment["ASSENT_LEDGER_SECOND_URL"]]
    assert nodes == [f"http://{address}:8545" for address in VALIDATORS[:2]]
    assert environment["ASSENT_KUBO_ADDRESS"].split(",") == [f"/ip4/{each}/tcp/5001" for each in BLOCK_STORES]
    assert addresses("proxy", "service") == [environment["ASSENT_TRUSTED_PROXIES"]]
    backends = [
        services["proxy"]["environment"][name] for name in ("ASSENT_BACKEND", "ASSENT_SECOND_BACKEND")
    ]
    assert backends == [f"{address}:8000" for address in addresses("assent-", "service")]
    assert set(re.findall(r"mongo-\d", (ROOT / "deploy/mongo/replica_set.js").read_text())) == {
        name for name in services if name.startswith("mongo-")
    }
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (job,) = prometheus["scrape_configs"]
    (targets,) = [each["targets"] for each in job["static_configs"]]
    assert targets == [f"{name}:8000" for name in services if name.startswith("assent-")]


def test_proxy_is_given_what_its_configuration_asks_for(services: dict[str, dict[str, Any]]) -> None:
    text = (ROOT / "deploy/haproxy/haproxy.cfg").read_text()
    asked = set(re.findall(r"\$\{(\w+)\}", text))
    assert asked == set(services["proxy"]["environment"])


def test_nodes_are_given_the_files_that_their_configuration_names(
    services: dict[str, dict[str, Any]],
) -> None:
    named = tomllib.loads((ROOT / "deploy/besu/besu.toml").read_text())
    files = {value for value in named.values() if isinstance(value, str) and value.startswith("/")}
    for name, service in services.items():
        if name.startswith("besu-"):
            given = {each["target"] for each in service["configs"]} - {"/config/besu.toml"}
            given |= {f"/run/secrets/{each['target']}" for each in service["secrets"]}
            given |= {volume.split(":")[1] for volume in service["volumes"]}
            assert given == files
            (own,) = _named(service["secrets"])
            assert own == f"besu_key_{name[-1]}"
    assert named["min-gas-price"] == 0


def test_only_the_proxy_and_the_identity_provider_are_reached_from_outside(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"proxy", "keycloak", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in published["grafana"])


def test_what_stores_has_no_way_out(compose: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name.startswith(("besu-", "kubo-", "mongo-", "keycloak-db")):
            assert all(compose["networks"][network].get("internal") for network in service["networks"]), name


def test_every_part_is_careful_and_tells_its_health(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] or name == "keycloak", name
        image = service["image"].partition(":")[0]
        assert str(service.get("user", KNOWN_USERS.get(image, "0"))).partition(":")[0] != "0", name
        if not name.startswith("assent-"):  # the image has its own
            assert service["healthcheck"]["test"][0] == "CMD", name


def test_files_that_the_image_copies_are_there(dockerfile: str) -> None:
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert f"!{Path(source).parts[0]}\n" in (ROOT / ".dockerignore").read_text(), source


def test_image_serves_the_pages_and_runs_as_nobody_in_particular(dockerfile: str) -> None:
    assert "COPY --from=pages /assent/web/dist web/dist" in dockerfile
    assert dockerfile.index("USER assent") < dockerfile.index('CMD ["assent"')
    assert f"--uid {USERS['assent']} " in dockerfile


def test_directories_that_the_service_writes_to_are_its_own_in_the_image(
    services: dict[str, dict[str, Any]], dockerfile: str
) -> None:
    """A new volume gets its owner from the directory that it is put over; without one it is root's."""
    found = re.search(r"install --directory --owner assent ((?:/\S+ ?)+)", dockerfile)
    assert found
    mounted = {volume.split(":")[1] for volume in services["assent-1"]["volumes"]}
    assert mounted == {"/data", "/backup"} <= set(found[1].split())
    # Outside of production its own keys lie beside the data.
    assert str(Settings(data_directory=Path("/data")).backup_keys_folder) in found[1].split()
    assert "ASSENT_BACKUP_DIRECTORY=/backup" in dockerfile

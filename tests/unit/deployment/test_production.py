"""What a deployment is drawn as: a chain that Besu begins with, and secrets that stay."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from scripts.production import besu
from scripts.production.run import Deployment

# The example of Besu's documentation ("QBFT", genesis file), and the four validators in it.
PUBLISHED = (
    "0xf87aa00000000000000000000000000000000000000000000000000000000000000000f8549464a702e6263b7297a96638cac6ae65e6541f416"
    "9943923390ad55e90c237593b3b0e401f3b08a0318594aefdb9a738c9f433e5b6b212a6d62f6370c2f69294c7eeb9a4e00ce683cf93039b212648"
    "e01c6c6b78c080c0"
)
VALIDATORS = [
    "0x64a702e6263b7297a96638cac6ae65e6541f4169",
    "0x3923390ad55e90c237593b3b0e401f3b08a03185",
    "0xaefdb9a738c9f433e5b6b212a6d62f6370c2f692",
    "0xc7eeb9a4e00ce683cf93039b212648e01c6c6b78",
]
ACCOUNT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    made = Deployment(tmp_path / "deployment")
    _draw(made)
    return made


def _draw(deployment: Deployment) -> list[str]:
    return deployment.draw(
        "https://a.example", "https://b.example", draw_swarm=lambda folder: folder.mkdir(exist_ok=True)
    )


def test_extra_data_is_that_of_the_published_example() -> None:
    assert besu.extra_data(VALIDATORS) == PUBLISHED


def test_drawing_again_changes_nothing_that_was_drawn(deployment: Deployment) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in deployment.folder.rglob("*") if path.is_file()}

    before = content()
    (deployment.secrets / "grafana_password").unlink()
    _draw(deployment)
    after = content()
    assert {path.name for path in before if before[path] != after[path]} == {"grafana_password"}


def test_validators_of_block_0_are_the_keys_that_were_drawn(deployment: Deployment) -> None:
    genesis = json.loads((deployment.folder / "besu/genesis.json").read_text())
    nodes = json.loads((deployment.folder / "besu/static-nodes.json").read_text())
    keys = [node.removeprefix("enode://").partition("@")[0] for node in nodes]
    accounts = [besu.Validator(key, "192.0.2.1").account for key in keys]
    assert len(set(accounts)) == 4
    assert genesis["extraData"] == besu.extra_data(sorted(accounts))
    assert genesis["config"]["zeroBaseFee"]
    assert 2**40 <= genesis["config"]["chainId"] < 2**53


def test_only_accounts_that_were_allowed_may_send(deployment: Deployment) -> None:
    path = deployment.folder / "besu/permissions.toml"
    before = tomllib.loads(path.read_text())
    assert before["accounts-allowlist"] == []
    deployment.allow([ACCOUNT.lower(), ACCOUNT])
    _draw(deployment)
    after = tomllib.loads(path.read_text())
    assert after == before | {"accounts-allowlist": [ACCOUNT]}
    assert after["nodes-allowlist"] == json.loads((deployment.folder / "besu/static-nodes.json").read_text())

"""Draw what ``docker-compose.yml`` reads: keys, passwords, block 0, allowlists, repositories of block stores.

python -m scripts.production.run new FOLDER --url https://NAME    draw what is missing, say what to add
python -m scripts.production.run allow FOLDER ACCOUNT...          let accounts send on the chain

What was drawn stays as it is. As root each secret is given to the user of the one program that reads it.
``docs/operations.md`` tells the rest.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from eth_keys.datatypes import PrivateKey
from eth_utils.address import is_address, to_checksum_address

from backend.adapters.durable import write_file
from backend.errors import AssentError
from scripts.kubo import run as kubo
from scripts.kubo.swarm import LocalSwarm, draw_key, draw_node, write_swarm
from scripts.production import besu
from scripts.production.besu import Validator

ENVIRONMENT: Final = "compose.env"
VALIDATORS: Final = tuple(f"172.30.41.{10 + number}" for number in range(1, 5))
BLOCK_STORES: Final = tuple(f"172.30.42.{10 + number}" for number in range(1, 4))
_KUBO_RPC: Final = "/ip4/0.0.0.0/tcp/5001"  # of a container; its network lets nobody else in
# What the images run their programs as: a secret's name begins with the program that reads it.
USERS: Final = {
    "assent": 10001, "besu": 1000, "mongo": 999, "keycloak": 1000, "postgres": 999, "proxy": 99,
    "alertmanager": 65534, "grafana": 472,
}  # fmt: skip
# What only the operator has.
GIVEN: Final = {
    "assent_backup_recovery_key": "assent backup keygen prints two halves: the service half",
    "keycloak_tls_chain": "certificate and chain of the identity provider's name, PEM",
    "keycloak_tls_key": "the key to it, PEM",
    "proxy_tls": "certificate, chain and key of the service's name, in one PEM",
    "proxy_systems_ca": "certificates that sign those of systems and devices, PEM",
    "alertmanager_now": "address of the webhook that wakes somebody",
    "alertmanager_soon": "address of the webhook for working hours",
}
# Who of the identity provider is who here: the roles of scripts/keycloak/realm.json.
_MAPPING: Final = {
    "staff": [
        {"role": "assent-operator", "roles": ["operator"]},
        {"role": "assent-auditor", "roles": ["auditor"]},
        {"role": "assent-desk", "roles": ["identity_desk"]},
        {"role": "assent-provider", "roles": ["provider"]},
    ],
    "systems": [],
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """The folder that everything drawn lies in."""

    folder: Path

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def draw(self, url: str, openid_url: str, *, draw_swarm: Callable[[Path], None]) -> list[str]:
        """Draw what is missing, and return the names of the secrets that only the operator has.

        ``draw_swarm``: makes the repositories of the block stores in a folder.
        """
        self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._draw_secrets()
        chain_id = self._draw_chain()
        if not (self.folder / "kubo" / "swarm.json").exists():
            draw_swarm(self.folder / "kubo")
        self._publish_once("openid.json", lambda: _json(_MAPPING))
        self._write_environment(url, openid_url, chain_id)
        return [name for name in GIVEN if not (self.secrets / name).exists()]

    def allow(self, accounts: list[str]) -> None:
        """Let these accounts send, besides those that may."""
        before = json.loads((self.folder / "besu" / "accounts.json").read_text())
        allowed = sorted({*before, *map(to_checksum_address, accounts)})
        self._publish("besu/accounts.json", _json(allowed))
        self._publish("besu/permissions.toml", besu.permissions(self._validators(), allowed).encode())

    def own(self) -> None:
        """Give each secret to the program that reads it. Needs root."""
        for path in self.secrets.iterdir():
            os.chown(path, USERS[path.name.partition("_")[0]], -1)
        for path in (self.folder / "kubo" / "nodes").rglob("*"):
            os.chown(path, 1000, 1000)

    def _draw_secrets(self) -> None:
        for name in ("assent_passphrase", "mongo_password", "keycloak_db_password", "keycloak_lab_secret",
                     "keycloak_admin_password", "keycloak_pages_secret", "grafana_password"):  # fmt: skip
            self._draw(name, lambda: secrets.token_urlsafe(32))
        self._draw("mongo_key", lambda: base64.b64encode(secrets.token_bytes(756)).decode())
        for theirs, ours in (
            ("postgres_password", "keycloak_db_password"),
            ("assent_pages_secret", "keycloak_pages_secret"),
        ):
            self._draw(theirs, lambda ours=ours: (self.secrets / ours).read_text())  # type: ignore[misc]
        password = quote((self.secrets / "mongo_password").read_text(), safe="")
        hosts = ",".join(f"mongo-{number}:27017" for number in (1, 2, 3))
        self._draw(
            "assent_index_uri",
            lambda: f"mongodb://assent:{password}@{hosts}/?replicaSet=assent&authSource=admin",
        )

    def _draw_chain(self) -> int:
        for number in range(1, len(VALIDATORS) + 1):
            self._draw(f"besu_key_{number}", lambda: secrets.token_hex(32))
        validators = self._validators()
        # Below 2**53, which wallets in JavaScript hold exactly, and far above the ids of public chains.
        drawn = 2**40 + secrets.randbits(48)
        self._publish_once("besu/genesis.json", lambda: _json(besu.genesis(validators, drawn)))
        self._publish_once("besu/static-nodes.json", lambda: besu.static_nodes(validators).encode())
        self._publish_once("besu/accounts.json", lambda: _json([]))
        self.allow([])
        return int(json.loads((self.folder / "besu/genesis.json").read_text())["config"]["chainId"])

    def _validators(self) -> list[Validator]:
        found = []
        for number, host in enumerate(VALIDATORS, 1):
            key = PrivateKey(bytes.fromhex((self.secrets / f"besu_key_{number}").read_text()))
            found.append(Validator(str(key.public_key.to_hex()).removeprefix("0x"), host))
        return found

    def _write_environment(self, url: str, openid_url: str, chain_id: int) -> None:
        lines = {
            "ASSENT_DEPLOYMENT": str(self.folder.resolve()),
            "ASSENT_PUBLIC_URL": url,
            "ASSENT_OPENID_URL": openid_url,
            "ASSENT_OPENID_ISSUER": f"{openid_url}/realms/assent",
            "ASSENT_LEDGER_CHAIN_ID": str(chain_id),
        }
        self._publish(ENVIRONMENT, "".join(f"{name}={value}\n" for name, value in lines.items()).encode())

    def _draw(self, name: str, draw: Callable[[], str]) -> None:
        if not (self.secrets / name).exists():
            write_file(self.secrets / name, draw().encode())

    def _publish_once(self, name: str, make: Callable[[], bytes]) -> None:
        if not (self.folder / name).exists():
            self._publish(name, make())

    def _publish(self, name: str, content: bytes) -> None:
        """Write what is no secret; other users read it inside the containers."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
        path.chmod(0o644)


def _draw_swarm(folder: Path) -> None:
    """Make the repositories of the block stores, each configured for its container."""
    binary = kubo.build()
    draw_key(folder)
    nodes = [
        draw_node(binary, folder, f"node-{number}", host, 4001) for number, host in enumerate(BLOCK_STORES, 1)
    ]
    write_swarm(folder, [replace(node, rpc=_KUBO_RPC) for node in nodes])
    for node in LocalSwarm(binary, folder).nodes.values():
        node.prepare()


def main() -> int:
    options = _options()
    deployment = Deployment(options.folder)
    try:
        if options.accounts is not None:
            deployment.allow(options.accounts)
            print("Written. Restart the nodes: docker compose restart besu-1 besu-2 besu-3 besu-4")
            return 0
        openid_url = options.openid_url or f"{options.url}:9443"
        missing = deployment.draw(options.url, openid_url, draw_swarm=_draw_swarm)
    except AssentError as error:
        print(f"{error.detail} {error.remedy}", file=sys.stderr)
        return 2
    for name in missing:
        print(f"put there: {deployment.secrets / name}: {GIVEN[name]}")
    if os.geteuid() == 0:
        deployment.own()
    else:
        print("Run it as root once more: each secret has to belong to the program that reads it.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    new = commands.add_parser("new", help="draw what is missing")
    new.add_argument("folder", type=Path)
    new.add_argument("--url", required=True, type=_address, help="https address of the service")
    new.add_argument(
        "--openid-url", type=_address, help="of the identity provider; by default port 9443 of the same"
    )
    new.set_defaults(accounts=None)
    allow = commands.add_parser("allow", help="let accounts send on the chain")
    allow.add_argument("folder", type=Path)
    allow.add_argument("accounts", nargs="+", type=_account, metavar="ACCOUNT")
    return parser.parse_args()


def _address(text: str) -> str:
    if not text.startswith("https://") or text.endswith("/"):
        raise argparse.ArgumentTypeError("write https://NAME, without a path")
    return text


def _account(text: str) -> str:
    if not is_address(text):
        raise argparse.ArgumentTypeError(f"{text} is no account")
    return text


def _json(content: object) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())

"""A private Kubo node of our own, in a directory: alone and offline, or one of a swarm with a key.

Alone it is for one machine (``make demo IPFS=kubo``, the tests), its RPC on a free loopback port. The nodes
of a swarm are made by ``scripts/kubo`` and run by their operators; the program only gets their addresses.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.adapters import process
from backend.adapters.durable import write_file
from backend.adapters.storage.kubo import KuboBlockStore
from backend.errors import AssentError, OperatorError
from backend.records.storage_ports import NodeVersionRefused

_INIT_SECONDS: Final = 60.0
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0


class NodeFailed(OperatorError):
    code = "kubo_failed"
    remedy = (
        "The Kubo node did not start. Build it with 'python scripts/kubo/run.py build'; see docs/errors.md."
    )


@dataclass(frozen=True, slots=True)
class Place:
    """One node's place in a private swarm.

    ``listen`` is where peers reach it, a multiaddress such as ``/ip4/192.0.2.10/tcp/4001``. ``rpc`` is one
    too; whoever reaches that is master of the node. ``peers`` are the other nodes, each with its identity:
    ``/ip4/.../tcp/4001/p2p/12D3...``. Who has no ``key`` is not talked to.
    """

    listen: str
    rpc: str
    peers: tuple[str, ...]
    key: bytes  # the file swarm.key of libp2p's private networks


class KuboNode:
    """Starts and stops a daemon, offline where it has no ``place``. The child dies with this process."""

    def __init__(self, binary: Path, repository: Path, place: Place | None = None) -> None:
        self._binary = binary
        self._repository = repository
        self._place = place
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The multiaddress of the RPC, as the daemon wrote it down; there once it is ready."""
        return (self._repository / "api").read_text(encoding="ascii").strip()

    @property
    def pid(self) -> int | None:
        """The process id of the running daemon."""
        return self._child.pid if self._child is not None else None

    @property
    def runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def identity(self) -> str:
        """The peer id, drawn with the repository. Raises NodeFailed; starts nothing."""
        self._make_repository()
        config = json.loads((self._repository / "config").read_bytes())
        return str(config["Identity"]["PeerID"])

    def prepare(self) -> None:
        """Make the repository, the first time, and write its configuration. Raises NodeFailed."""
        self._make_repository()
        self._configure()

    def start(self) -> None:
        """Make the repository on the first start, run the daemon, wait until it answers; raise NodeFailed."""
        self.prepare()
        # A killed daemon leaves the address of a port that may be somebody else's by now.
        (self._repository / "api").unlink(missing_ok=True)
        alone = [] if self._place else ["--offline"]
        self._child = process.start(
            [self._binary, "daemon", *alone, "--migrate=false"], env=self._environment()
        )
        if not process.wait_until(self._ready, timeout_seconds=_START_SECONDS, child=self._child):
            self.stop()
            raise NodeFailed

    def stop(self) -> None:
        """Stop the daemon by its process id; the repository stays."""
        if self._child is not None:
            process.stop(self._child, timeout_seconds=_STOP_SECONDS)
            self._child = None

    def _ready(self) -> bool:
        if not (self._repository / "api").exists():
            return False
        store = KuboBlockStore(self.address, timeout_seconds=2.0)
        try:
            store.check()
        except NodeVersionRefused:
            raise
        except AssentError:
            return False
        finally:
            store.close()
        return True

    def _environment(self) -> dict[str, str]:
        # Nothing may leave the machine, or the swarm: no telemetry, no lookups.
        alone = {} if self._place is None else {"LIBP2P_FORCE_PNET": "1"}  # rather no node than an open one
        return alone | {
            "IPFS_PATH": str(self._repository),
            "HOME": str(self._repository),
            "PATH": os.environ.get("PATH", ""),
            "IPFS_TELEMETRY": "off",
        }

    def _make_repository(self) -> None:
        if not self._binary.is_file():
            raise NodeFailed(f"there is no Kubo binary at {self._binary.name}")
        if (self._repository / "config").exists():
            return
        self._repository.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            subprocess.run(  # noqa: S603 - our own binary and arguments
                [self._binary, "init", "--empty-repo"],
                env=self._environment(),
                check=True,
                timeout=_INIT_SECONDS,
                capture_output=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NodeFailed from error

    def _configure(self) -> None:
        """Loopback or the swarm only, no discovery, every block synced and, where damaged, written again."""
        path, place = self._repository / "config", self._place
        config: dict[str, Any] = json.loads(path.read_bytes())
        config["Addresses"] |= {
            "API": place.rpc if place else "/ip4/127.0.0.1/tcp/0",
            "Gateway": [],
            "Swarm": [place.listen] if place else [],
            "Announce": [place.listen] if place else [],
        }
        config["Bootstrap"] = list(place.peers) if place else []
        config["Discovery"] = {"MDNS": {"Enabled": False}}
        config["Routing"] = {"Type": "none", "DelegatedRouters": []}
        config["Ipns"]["DelegatedPublishers"] = []
        config["DNS"] = {"Resolvers": {}}
        for outside in ("AutoConf", "AutoTLS", "Provide", "HTTPRetrieval"):
            config[outside] = {"Enabled": False}
        config["Plugins"] = {"Plugins": {"telemetry": {"Disabled": True}}}
        # A block that the node believes to have may be damaged on its disk: it is written, not passed over.
        config["Datastore"] |= {"WriteThrough": True, "BlockKeyCacheSize": 0}
        if place is not None:
            _join(config, place)
            write_file(self._repository / "swarm.key", place.key)
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _join(config: dict[str, Any], place: Place) -> None:
    """TCP to the named peers alone: a private network has no other transport, and no helper outside of it."""
    config["Peering"] = {
        "Peers": [
            {"ID": peer.rpartition("/p2p/")[2], "Addrs": [peer.rpartition("/p2p/")[0]]}
            for peer in place.peers
        ]
    }
    config["AutoNAT"] = {"ServiceMode": "disabled"}
    config["Version"] = {"SwarmCheckEnabled": False}
    config["Swarm"] |= {
        "DisableNatPortMap": True,
        "EnableHolePunching": False,
        "RelayClient": {"Enabled": False},
        "RelayService": {"Enabled": False},
        "Transports": {
            "Network": {
                "TCP": True,
                "QUIC": False,
                "Relay": False,
                "WebTransport": False,
                "WebRTCDirect": False,
                "Websocket": False,
            }
        },
    }

"""A private, offline Kubo node of our own: a repository in a directory, its RPC on a free loopback port.

For one machine (``make demo IPFS=kubo``, the tests). A swarm of several nodes is run by its operators; the
program then only gets an address.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

from backend.adapters import process
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


class KuboNode:
    """Starts and stops ``ipfs daemon --offline``. The child dies with this process."""

    def __init__(self, binary: Path, repository: Path) -> None:
        self._binary = binary
        self._repository = repository
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The multiaddress of the RPC, as the daemon wrote it down; there once it is ready."""
        return (self._repository / "api").read_text(encoding="ascii").strip()

    @property
    def pid(self) -> int | None:
        """The process id of the running daemon."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Make the repository on the first start, run the daemon, wait until it answers; raise NodeFailed."""
        if not self._binary.is_file():
            raise NodeFailed(f"there is no Kubo binary at {self._binary.name}")
        if not (self._repository / "config").exists():
            self._initialise()
        self._configure()
        # A killed daemon leaves the address of a port that may be somebody else's by now.
        (self._repository / "api").unlink(missing_ok=True)
        self._child = process.start(
            [self._binary, "daemon", "--offline", "--migrate=false"], env=self._environment()
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
        # Nothing may leave the machine: no telemetry, no lookups.
        return {
            "IPFS_PATH": str(self._repository),
            "HOME": str(self._repository),
            "PATH": os.environ.get("PATH", ""),
            "IPFS_TELEMETRY": "off",
        }

    def _initialise(self) -> None:
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
        """Loopback only, ports chosen by the kernel, no peers, no discovery, every block synced."""
        path = self._repository / "config"
        config: dict[str, Any] = json.loads(path.read_bytes())
        config["Addresses"].update(
            {"API": "/ip4/127.0.0.1/tcp/0", "Gateway": "/ip4/127.0.0.1/tcp/0", "Swarm": [], "Announce": []}
        )
        config["Bootstrap"] = []
        config["Discovery"] = {"MDNS": {"Enabled": False}}
        config["Routing"] = {"Type": "none", "DelegatedRouters": []}
        config["Ipns"]["DelegatedPublishers"] = []
        config["DNS"] = {"Resolvers": {}}
        config["AutoConf"] = {"Enabled": False}
        config["AutoTLS"] = {"Enabled": False}
        config["Provide"] = {"Enabled": False}
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")

"""One geth process with its own key and data directory. docs/testnet.md says what each flag is for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from backend.adapters import process
from backend.adapters.durable import write_file
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.errors import LedgerUnavailable
from scripts.testnet.description import GAS_PRICE_WEI, GENESIS_FILE, Network, Node
from scripts.testnet.keys import KEYSTORE, NODE_KEY, PASSWORD

_INIT_SECONDS: Final = 60.0
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_RPC_SECONDS: Final = 5.0
_INITIALISED: Final = "initialised"
_POOL: Final = ("--txpool.accountslots", "1024", "--txpool.accountqueue", "1024")  # a relayer is one account


class NodeFailed(RuntimeError):
    """A node did not start; its log says why."""


class GethNode:
    """``folder``: the node's own. It ends with the process that started it."""

    def __init__(self, binary: Path, shared: Path, folder: Path, network: Network, node: Node) -> None:
        self._binary = binary
        self._shared = shared
        self.folder = folder
        self._network = network
        self._child: subprocess.Popen[bytes] | None = None
        self.node = node
        self.rpc = Rpc(node.rpc_url, timeout_seconds=_RPC_SECONDS)

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def log(self) -> Path:
        return self.folder / "geth.log"

    def launch(self) -> None:
        """Start the process; ``await_ready`` waits for it. Raises NodeFailed."""
        self._initialise()
        write_file(self.folder / "config.toml", self._config().encode())
        self._child = process.start([self._binary, *self._arguments()], env=self._environment())

    def await_ready(self) -> None:
        """Return once it answers. Raises NodeFailed."""
        child = self._child
        if child is None or not process.wait_until(
            self._answers, timeout_seconds=_START_SECONDS, child=child
        ):
            self.stop()
            raise NodeFailed(f"{self.name} did not start; see {self.log}.")

    def start(self) -> None:
        self.launch()
        self.await_ready()

    def stop(self) -> None:
        """End it in order, by its process id; its data stays."""
        if self._child is not None:
            process.stop(self._child, timeout_seconds=_STOP_SECONDS)
            self._child = None

    def kill(self) -> None:
        """End it at once (SIGKILL), by its process id."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(_STOP_SECONDS)
            self._child = None

    def forget(self) -> None:
        """Remove the chain of a node that does not run; at its next start it asks its peers for all of it."""
        shutil.rmtree(self.folder / "geth", ignore_errors=True)
        (self.folder / _INITIALISED).unlink(missing_ok=True)

    def ask(self, method: str, *parameters: Any) -> Any:
        """Raises RpcError, LedgerUnavailable."""
        return self.rpc.call(method, *parameters)

    def _answers(self) -> bool:
        try:
            return int(self.ask("eth_chainId"), 16) == self._network.chain_id
        except (LedgerUnavailable, RpcError):
            return False

    def _initialise(self) -> None:
        done = self.folder / _INITIALISED
        if done.exists():
            return
        command = [str(self._binary), "--datadir", str(self.folder), "--state.scheme", "hash", "init"]
        try:
            subprocess.run(
                [*command, str(self._shared / GENESIS_FILE)],
                env=self._environment(),
                check=True,
                timeout=_INIT_SECONDS,
                capture_output=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NodeFailed(f"{self.name} took no genesis: {error}") from error
        write_file(done, b"")

    def _arguments(self) -> list[str | Path]:
        node, folder = self.node, self.folder
        common: list[str | Path] = [
            "--config", folder / "config.toml",
            "--datadir", folder,
            "--nodekey", folder / NODE_KEY,
            "--networkid", str(self._network.chain_id),
            "--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash",
            "--nodiscover", "--nat", "none", "--netrestrict", ",".join(self._network.allowed),
            "--ipcdisable", "--authrpc.port", "0",
            "--http", "--http.addr", node.rpc_host, "--http.port", str(node.rpc_port),
            "--http.api", ",".join(node.apis), "--http.vhosts", f"localhost,{node.rpc_host}",
            "--txpool.pricelimit", str(GAS_PRICE_WEI), *_POOL,
            "--cache", "64", "--log.file", self.log, "--log.rotate", "--log.maxsize", "20",
        ]  # fmt: skip
        if node.account is None:
            return common
        return [
            *common,
            "--mine", "--miner.etherbase", node.account,
            "--unlock", node.account, "--password", folder / PASSWORD, "--keystore", folder / KEYSTORE,
            "--allow-insecure-unlock",
            "--miner.gasprice", str(GAS_PRICE_WEI), "--miner.gaslimit", str(self._network.gas_limit),
        ]  # fmt: skip

    def _config(self) -> str:
        """What geth takes from a file only: who its peers are, and that there is room for no other."""
        peers = json.dumps(self._network.peers_of(self.node))
        lines = [
            "[Node.P2P]",
            "NoDiscovery = true",
            f"ListenAddr = {json.dumps(f'{self.node.host}:{self.node.port}')}",
            f"MaxPeers = {max(1, len(self._network.nodes) - 1)}",
            "DialRatio = 1",
            f"StaticNodes = {peers}",
            f"TrustedNodes = {peers}",
        ]
        return "\n".join(lines) + "\n"

    def _environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder), "PATH": os.environ.get("PATH", "")}

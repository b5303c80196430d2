"""The whole service killed with SIGKILL while it makes blocks, again and again on one data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from backend.adapters.ledger.embedded import EmbeddedChain
from tests.support.chain_blocks import ACCOUNT
from tests.support.ledger_world import ANVIL, ROOT

# Says which anvil it runs, then makes blocks for ever and names each once it is acknowledged.
_MINER = """
import sys
from pathlib import Path
from backend.adapters.ledger.embedded import EmbeddedChain
from tests.support.chain_blocks import ACCOUNT, transaction
chain = EmbeddedChain(directory=Path(sys.argv[1]), binary=Path(sys.argv[2]), snapshot_every_blocks=50)
print("pid", chain.pid(), flush=True)
nonce = chain.next_nonce(ACCOUNT.address)
while True:
    size = nonce % 7 + 1
    block = chain.mine([transaction(chain, nonce + step) for step in range(size)])
    nonce += size
    print(block.number, block.hash.hex(), nonce, flush=True)
"""


def _run(directory: Path, seconds: float) -> tuple[int, list[tuple[int, str, int]]]:
    """Let it mine, kill it, return anvil's process id and the blocks it acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-c", _MINER, str(directory), str(ANVIL)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert child.stdout is not None
    pid = int(child.stdout.readline().split()[1])
    time.sleep(seconds)
    os.kill(child.pid, signal.SIGKILL)
    output, _ = child.communicate(timeout=30)
    lines = output.decode().rpartition("\n")[0].splitlines()  # the last line may be cut short
    blocks = [(int(n), h, int(t)) for n, h, t in (line.split() for line in lines)]
    return pid, blocks


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":  # dead; whoever adopts it has not noticed yet
            return True
        time.sleep(0.02)
    return False


def test_service_killed_while_making_blocks_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: dict[int, str] = {}
    sent = 0
    for seconds in (0.05, 0.31, 0.173, 0.6, 0.011, 0.257):
        pid, blocks = _run(tmp_path, seconds)
        assert _gone(pid), "anvil outlived its service"
        acknowledged.update({number: block_hash for number, block_hash, _ in blocks})
        sent = max([sent, *(total for _, _, total in blocks)])
    assert len(acknowledged) > 30
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    found = chain.rpc().batch([("eth_getBlockByNumber", [hex(n), False]) for n in acknowledged])
    assert [item["hash"] for item in found] == ["0x" + value for value in acknowledged.values()]
    assert chain.next_nonce(ACCOUNT.address) >= sent
    head = chain.view()
    chain.close()
    (tmp_path / "snapshot").unlink()
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    assert chain.view() == head
    chain.close()

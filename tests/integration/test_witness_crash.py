"""A witness that is killed: what it cosigned it remembers, whatever the instant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from backend.adapters.witness_directory import WitnessDirectory
from backend.audit.checkpoint import parse

ORIGIN = "hospital.example/audit"
# Saves heads of growing size and says each once it is durable, as a witness does before it cosigns.
SAVING = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from backend.adapters.witness_directory import WitnessDirectory
from backend.audit.checkpoint import Checkpoint, sign
from backend.audit.note import Ed25519Signer

signer = Ed25519Signer(name=sys.argv[2], private_key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
state = WitnessDirectory(Path(sys.argv[1]), origin=sys.argv[2])
size = 1 if state.head() is None else int(state.head().split("\\n")[1])
while True:
    size += 1
    state.save(sign(Checkpoint(sys.argv[2], size, size.to_bytes(32, "big")), [signer]))
    print(size, flush=True)
"""


def test_killed_witness_never_forgets_what_it_said(tmp_path: Path) -> None:
    said = 0
    for number in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path), ORIGIN], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        said = int(process.stdout.readline())
        time.sleep(0.005 * number)
        os.kill(process.pid, signal.SIGKILL)
        said = max(
            [said, *(int(line) for line in process.stdout.read().splitlines(keepends=True) if "\n" in line)]
        )
        process.stdout.close()
        process.wait()
        state = WitnessDirectory(tmp_path, origin=ORIGIN)  # the lock of the dead is free
        head = state.head()
        state.close()
        assert head is not None
        assert said <= parse(head).size <= said + 1
        assert parse(head).root == parse(head).size.to_bytes(32, "big")
    assert said > 12

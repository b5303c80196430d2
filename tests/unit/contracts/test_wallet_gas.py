"""What the service gives a contract wallet for its answer is what the contracts give it."""

from __future__ import annotations

import re
from pathlib import Path

from backend.adapters.ledger.wallets import WALLET_GAS

SOURCE = Path(__file__).resolve().parents[3] / "contracts" / "libraries" / "Signatures.sol"


def test_gas_for_a_wallet_is_that_of_the_contracts() -> None:
    (found,) = re.findall(r"WALLET_GAS = ([0-9_]+);", SOURCE.read_text())
    assert int(found) == WALLET_GAS

"""What block 0 of an embedded chain follows from: drawn once, kept as the first frame of its journal."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass

from backend.adapters.ledger.errors import JournalDamaged, ReplayDiverged
from backend.adapters.ledger.journal import Frame, Journal

GAS_LIMIT = 300_000_000


@dataclass(frozen=True, slots=True)
class Genesis:
    """``timestamp``: unix seconds of block 0."""

    chain_id: int
    timestamp: int
    gas_limit: int = GAS_LIMIT


def read_or_draw(journal: Journal, clock: Callable[[], int]) -> Genesis:
    """Return the chain's genesis; in an empty journal draw a chain id of its own and note it durably.

    A signature names its chain id, so none of one deployment can serve another.
    """
    first = next(journal.entries(), None)
    if first is None:
        # Below 2**53, which JavaScript wallets hold exactly, and far above the ids of public chains.
        genesis = Genesis(chain_id=2**40 + secrets.randbits(48), timestamp=clock())
        journal.append(Frame.GENESIS, json.dumps(asdict(genesis)).encode())
        return genesis
    if first.kind is not Frame.GENESIS:
        raise JournalDamaged("The chain journal does not begin with its genesis.")
    genesis = Genesis(**json.loads(first.payload))
    if genesis.gas_limit != GAS_LIMIT:
        raise ReplayDiverged("The chain was made with another gas limit.")
    return genesis

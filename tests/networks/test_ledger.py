"""The adapter's suite on a real network: what holds on the embedded chain holds there too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_account import Account

from tests.integration.test_ledger_consents import *  # noqa: F403 - the suite itself
from tests.support.ledger_world import SENDERS, World, settle
from tests.support.testnet import Testnet

del test_evidence_at_a_block_whose_state_is_gone_says_so  # noqa: F821 - an archive node forgets nothing


@pytest.fixture(scope="module")
def world(network: Testnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same contracts and people, on the network."""
    network.fund(Account.from_key(key).address for key in SENDERS.values())
    chain = network.chain()
    made = settle(chain, tmp_path_factory.mktemp("deployment") / "deployment.json")
    yield made
    made.relayer.close()
    chain.close()

"""Two nodes are two, and the second one comes after a first."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from backend.settings import Settings


def settings(first: str | None, second: str | None) -> Settings:
    return Settings(ledger_url=first, ledger_second_url=second, ledger_chain_id=None if first is None else 7)


def test_two_nodes_are_taken() -> None:
    assert settings("http://127.0.0.1:8545", "http://127.0.0.1:8546").ledger_second_url
    assert settings("http://node-a:8545", "http://node-b:8545").ledger_second_url
    assert settings("https://nodes/a", "https://nodes/b").ledger_second_url


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (None, "http://127.0.0.1:8545"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://127.0.0.1:8545", "http://localhost:8545/"),
        ("http://Node:80", "http://node"),
        ("https://node", "https://node:443/"),
    ],
)
def test_second_node_without_a_first_or_the_same_again_is_refused(first: str | None, second: str) -> None:
    with pytest.raises(ValidationError, match="ASSENT_LEDGER_SECOND_URL"):
        settings(first, second)


@pytest.mark.parametrize("address", ["None", "node:8545", "ws://node:8546", "http://"])
def test_what_is_no_address_of_a_node_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="no JSON-RPC of a node"):
        settings("http://127.0.0.1:8545", address)
    with pytest.raises(ValidationError, match="no JSON-RPC of a node"):
        settings(address, None)

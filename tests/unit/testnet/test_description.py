"""The description of a network, and the genesis that follows from it."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from scripts.testnet.description import DescriptionInvalid, Network, genesis, read, write
from scripts.testnet.keys import draw_account, draw_node_key
from scripts.testnet.local import TREASURY, draw_node, new_network


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return new_network(tmp_path / "net", chain_id=7741001)


def test_description_that_was_written_is_read_back(network: Network, tmp_path: Path) -> None:
    assert read(tmp_path / "net") == network
    assert [node.name for node in network.validators] == [f"validator-{number}" for number in (1, 2, 3, 4)]
    assert json.loads((tmp_path / "net" / "genesis.json").read_text()) == genesis(network)


def test_genesis_names_the_signers_in_order_and_nobody_else(network: Network) -> None:
    made = genesis(network)
    extra = bytes.fromhex(made["extraData"][2:])
    signers = [extra[at : at + 20].hex() for at in range(32, len(extra) - 65, 20)]
    assert signers == sorted(signers)
    assert set(signers) == {str(node.account).lower()[2:] for node in network.validators}
    assert not any(extra[:32])
    assert not any(extra[-65:])
    assert made["config"]["chainId"] == 7741001
    assert set(made["alloc"]) == set(network.prefunded)


@pytest.mark.parametrize(("validators", "blocks"), [(1, 1), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_blocks_are_final_below_more_than_half_of_the_signers(
    tmp_path: Path, validators: int, blocks: int
) -> None:
    assert new_network(tmp_path / "net", validators=validators, plain=0).finality_blocks == blocks


def test_peers_of_a_node_are_all_others(network: Network) -> None:
    node = network.nodes[0]
    assert network.peers_of(node) == [other.enode for other in network.nodes[1:]]


def test_keys_are_for_their_owner_alone_and_drawn_once(network: Network, tmp_path: Path) -> None:
    secrets = [tmp_path / "net" / TREASURY]
    for node in network.nodes:
        folder = tmp_path / "net" / "nodes" / node.name
        assert draw_node_key(folder) == node.public_key
        secrets.append(folder / "nodekey")
        if node.account:
            assert draw_account(folder) == node.account
            secrets += [folder / "password", *(folder / "keystore").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    (sealed,) = (tmp_path / "net" / "nodes" / "validator-1" / "keystore").iterdir()
    password = (tmp_path / "net" / "nodes" / "validator-1" / "password").read_text()
    opened = Account.from_key(Account.decrypt(json.loads(sealed.read_text()), password)).address
    assert opened == network.nodes[0].account


def test_public_part_that_a_node_passes_on_holds_no_secret(tmp_path: Path) -> None:
    node = draw_node(tmp_path, "ours", validator=True, host="203.0.113.7", port=30303)
    told = json.dumps(node.apis) + node.enode + str(node.account)
    for name in ("nodekey", "password"):
        assert (tmp_path / "nodes" / "ours" / name).read_text() not in told
    assert node.enode.endswith("@203.0.113.7:30303")


def test_description_that_could_not_run_is_refused(network: Network, tmp_path: Path) -> None:
    first = network.nodes[0]
    plain = tuple(node for node in network.nodes if not node.is_validator)
    for wrong in (
        replace(network, nodes=plain),
        replace(network, nodes=(*network.nodes, first)),
        replace(network, period_seconds=0),
        replace(network, nodes=(replace(first, rpc_host="203.0.113.7"), *network.nodes[1:])),
    ):
        with pytest.raises(DescriptionInvalid):
            write(tmp_path, wrong)
    with pytest.raises(DescriptionInvalid):
        new_network(tmp_path / "net")
    with pytest.raises(DescriptionInvalid):
        read(tmp_path / "nothing")
    (tmp_path / "network.json").write_text('{"nodes": [{}]}')
    with pytest.raises(DescriptionInvalid):
        read(tmp_path)


def test_every_account_is_written_as_geth_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One account in 256 has an initial value that begins with a zero."""
    monkeypatch.setattr(
        "eth_keyfile.keyfile.Random.get_random_bytes", lambda size: bytes(2) + b"\x07" * (size - 2)
    )
    account = draw_account(tmp_path)
    (file,) = (tmp_path / "keystore").iterdir()
    assert json.loads(file.read_text())["crypto"]["cipherparams"]["iv"] == "0000" + "07" * 14
    assert draw_account(tmp_path) == account  # it opens

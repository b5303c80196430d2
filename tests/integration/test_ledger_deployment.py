"""Deploying once, attaching ever after, and refusing a chain whose code is not ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger import deployment as deployment_module
from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.deployment import deploy_or_attach, verify_code
from backend.adapters.ledger.deployment_file import (
    Deployment,
    MarketTerms,
    read_deployment,
    write_deployment,
)
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.errors import (
    ContractCodeDiffers,
    DeploymentIncomplete,
    OutcomeUnknown,
    WrongChain,
)
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.studies import ResearchMarket
from backend.errors import LedgerUnavailable
from backend.types import Address
from tests.support.ledger_world import ANVIL, ROOT, SENDERS, embedded_world

CONTRACTS = {
    "AccessManager",
    "AuditAnchor",
    "ConsentRegistry",
    "EmergencyAccess",
    "KeyRegistry",
    "ParticipantRegistry",
    "RecordRegistry",
    "Recovery",
    "ResearchMarket",
    "WitnessPairs",
}


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[EmbeddedChain]:
    made = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    yield made
    made.close()


@pytest.fixture
def relayer(chain: EmbeddedChain) -> Iterator[Relayer]:
    made = Relayer(chain=chain, keys=SENDERS)
    yield made
    made.close()


def _deploy(path: Path, chain: EmbeddedChain, relayer: Relayer) -> Deployment:
    return deploy_or_attach(
        path=path,
        chain=chain,
        relayer=relayer,
        operator=relayer.address(Sender.OPERATOR),
        admission_delay_seconds=0,
    )


def test_deployment_attached_again_changes_nothing(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer
) -> None:
    path = tmp_path / "deployment.json"
    first = _deploy(path, chain, relayer)
    content, head = path.read_bytes(), chain.view()
    assert _deploy(path, chain, relayer) == first
    assert (path.read_bytes(), chain.view()) == (content, head)
    assert set(first.contracts) == CONTRACTS
    assert first.compiler["settings"]["evmVersion"] == "paris"


def test_market_terms_are_deployed_and_recorded(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer
) -> None:
    path = tmp_path / "deployment.json"
    terms = MarketTerms(board_threshold=3, objection_seconds=60)
    made = deploy_or_attach(
        path=path,
        chain=chain,
        relayer=relayer,
        operator=relayer.address(Sender.OPERATOR),
        admission_delay_seconds=0,
        market_terms=terms,
    )
    market = ResearchMarket(made.address("ResearchMarket"), chain)
    assert market.terms(block=chain.view().head_number) == terms
    assert _deploy(path, chain, relayer).market_terms == terms


def test_contract_whose_block_was_replaced_is_awaited(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reads = deployment_module._code, Counter[str]()

    def code(chain: Any, address: Address) -> bytes:
        reads[address] += 1
        return real(chain, address) if reads[address] > 2 else b""

    monkeypatch.setattr(deployment_module, "_code", code)
    made = _deploy(tmp_path / "deployment.json", chain, relayer)
    monkeypatch.undo()
    verify_code(made, chain)


def test_contract_that_does_not_come_back_is_made_by_the_next_start(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, hidden = deployment_module._code, deployment_module._address_of(relayer.address(Sender.OPERATOR), 3)
    monkeypatch.setattr(deployment_module, "_MADE_SECONDS", 0.5)
    monkeypatch.setattr(
        deployment_module, "_code", lambda chain, at: b"" if at == hidden else real(chain, at)
    )
    with pytest.raises(LedgerUnavailable, match="AuditAnchor"):
        _deploy(tmp_path / "deployment.json", chain, relayer)
    monkeypatch.undo()
    verify_code(_deploy(tmp_path / "deployment.json", chain, relayer), chain)


def test_deployment_survives_a_restart_of_the_chain(tmp_path: Path) -> None:
    with embedded_world(tmp_path) as world:
        first, head = world.deployment, world.chain.view()
    with embedded_world(tmp_path) as world:
        assert (world.deployment, world.chain.view()) == (first, head)


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_chain_with_other_code_is_refused_by_name(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer, name: str
) -> None:
    deployment = _deploy(tmp_path / "deployment.json", chain, relayer)
    address = deployment.address(name)
    code = chain.rpc().call("eth_getCode", address, "latest")
    chain.rpc().call("anvil_setCode", address, code[:-2] + f"{int(code[-2:], 16) ^ 1:02x}")
    with pytest.raises(ContractCodeDiffers, match=f"{name} on the chain is not the compiled one"):
        _deploy(tmp_path / "deployment.json", chain, relayer)


def test_chain_with_other_constants_in_the_code_is_refused(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer
) -> None:
    deployment = _deploy(tmp_path / "deployment.json", chain, relayer)
    anchor = deployment.contracts["AuditAnchor"]
    swapped = {**deployment.contracts, "AuditAnchor": replace(anchor, code_hash="0x" + "00" * 32)}
    with pytest.raises(ContractCodeDiffers, match="constants"):
        verify_code(replace(deployment, contracts=swapped), chain)


def test_deployment_of_an_earlier_release_is_refused_by_what_it_lacks(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer
) -> None:
    path = tmp_path / "deployment.json"
    deployment = _deploy(path, chain, relayer)
    earlier = {name: item for name, item in deployment.contracts.items() if name != "EmergencyAccess"}
    write_deployment(path, replace(deployment, contracts=earlier))
    content, head = path.read_bytes(), chain.view()
    with pytest.raises(DeploymentIncomplete, match="has no EmergencyAccess") as refusal:
        _deploy(path, chain, relayer)
    assert "empty data directory" in refusal.value.remedy
    assert (path.read_bytes(), chain.view()) == (content, head)  # nothing was made behind the operator's back


@pytest.mark.parametrize("change", [{"chain_id": 1}, {"genesis_hash": "0x" + "00" * 32}])
def test_deployment_of_another_chain_is_refused(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer, change: dict[str, object]
) -> None:
    path = tmp_path / "deployment.json"
    write_deployment(path, replace(_deploy(path, chain, relayer), **change))  # type: ignore[arg-type]
    with pytest.raises(WrongChain):
        _deploy(path, chain, relayer)


class Interrupted(Relayer):
    """Loses its answer after some contracts, as if the process had been killed there."""

    left = 0
    block_made = True

    def deploy(self, creation_code: bytes, *, gas: int, sender: Sender):  # type: ignore[no-untyped-def]
        self.left -= 1
        if self.left < 0 and not self.block_made:
            raise OutcomeUnknown
        made = super().deploy(creation_code, gas=gas, sender=sender)
        if self.left < 0:
            raise OutcomeUnknown
        return made


@pytest.mark.parametrize("made_before", range(8))
@pytest.mark.parametrize("block_made", [True, False])
def test_deployment_interrupted_goes_on_where_it_stopped(
    tmp_path: Path, chain: EmbeddedChain, made_before: int, block_made: bool
) -> None:
    path = tmp_path / "deployment.json"
    interrupted = Interrupted(chain=chain, keys=SENDERS)
    interrupted.left, interrupted.block_made = made_before, block_made
    with pytest.raises(OutcomeUnknown):
        _deploy(path, chain, interrupted)
    interrupted.close()
    relayer = Relayer(chain=chain, keys=SENDERS)
    deployment = _deploy(path, chain, relayer)
    assert deployment.complete
    assert chain.next_nonce(relayer.address(Sender.OPERATOR)) == 8  # nothing was made twice
    relayer.close()


def test_deployment_interrupted_and_the_account_used_since_is_made_anew(
    tmp_path: Path, chain: EmbeddedChain
) -> None:
    path = tmp_path / "deployment.json"
    interrupted = Interrupted(chain=chain, keys=SENDERS)
    interrupted.left = 1
    with pytest.raises(OutcomeUnknown):
        _deploy(path, chain, interrupted)
    interrupted.close()
    relayer = Relayer(chain=chain, keys=SENDERS)
    relayer.submit(Call(relayer.address(Sender.RELAYER), b"", 30_000, Sender.OPERATOR))
    deployment = _deploy(path, chain, relayer)
    assert deployment.complete
    assert deployment.first_nonce == 3
    relayer.close()


def test_deployment_file_lost_is_written_again_from_the_chain(
    tmp_path: Path, chain: EmbeddedChain, relayer: Relayer
) -> None:
    path = tmp_path / "deployment.json"
    first = _deploy(path, chain, relayer)
    path.unlink()
    again = _deploy(path, chain, relayer)
    assert {name: item.address for name, item in again.contracts.items()} == {
        name: item.address for name, item in first.contracts.items()
    }


def test_script_deploys_and_attaches(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0x" + "31" * 32)
    command = [sys.executable, "-m", "scripts.deploy", "--data", str(tmp_path / "data")]
    command += ["--key-file", str(tmp_path / "key")]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=True) for _ in range(2)]
    first, second = (json.loads(run.stdout) for run in runs)
    assert first == second
    assert read_deployment(tmp_path / "data" / "chain" / "deployment.json") is not None

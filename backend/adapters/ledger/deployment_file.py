"""What was deployed where: one JSON file, replaced whole. It is public; the chain itself is the proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backend.adapters.durable import write_file
from backend.adapters.ledger.errors import DeploymentDamaged
from backend.types import Address

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """``code_hash``: keccak-256 of the code on the chain, immutables included; ``transaction`` 0x hex."""

    address: Address
    code_hash: str
    block: int | None
    transaction: str | None


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What a deployment fixes for ever. ``board_threshold``: members a decision of the board takes.

    A payout waits ``objection`` seconds before it may be claimed, ``settlement`` more after an objection; it
    may be claimed for ``claim`` seconds; results may be paid until ``grace`` seconds after a study's end.
    """

    board_threshold: int = 1
    objection_seconds: int = 3 * 86_400
    settlement_seconds: int = 14 * 86_400
    claim_seconds: int = 180 * 86_400
    grace_seconds: int = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Deployment:
    """``first_nonce`` of ``deployer`` fixes every address before the first transaction is sent.

    ``complete`` False: a crash came between; the next start goes on from here.
    """

    chain_id: int
    genesis_hash: str
    deployer: Address
    first_nonce: int
    operator: Address
    admission_delay_seconds: int
    recovery_delay_seconds: int
    compiler: Mapping[str, Any]
    contracts: Mapping[str, DeployedContract]
    complete: bool
    market_terms: MarketTerms = MarketTerms()

    def address(self, name: str) -> Address:
        return self.contracts[name].address


def read_deployment(path: Path) -> Deployment | None:
    """Return the deployment, or None where there is no file. Raise DeploymentDamaged."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DeploymentDamaged("The deployment file is not readable.") from error
    try:
        if found.pop("format") != _FORMAT:
            raise DeploymentDamaged("The deployment file has another format.")
        contracts = {name: DeployedContract(**item) for name, item in found.pop("contracts").items()}
        terms = MarketTerms(**found.pop("market_terms", {}))
        return Deployment(contracts=contracts, market_terms=terms, **found)
    except (KeyError, TypeError, AttributeError) as error:
        raise DeploymentDamaged("The deployment file lacks a field.") from error


def write_deployment(path: Path, deployment: Deployment) -> None:
    content = {"format": _FORMAT, **asdict(deployment)}
    write_file(path, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")

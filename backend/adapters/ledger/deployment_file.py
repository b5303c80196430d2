"""What was deployed where: one JSON file, replaced whole. It is public; the chain itself is the proof."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from backend.adapters.durable import write_file
from backend.adapters.ledger.errors import DeploymentDamaged
from backend.types import Address, BlockNumber

_FORMAT = 1
SUCCEEDED: Final = ("ConsentRegistry", "Recovery", "KeyRegistry", "EmergencyAccess")
"""What a succession replaces; every other contract stays."""


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


class Place(NamedTuple):
    """One contract at one address. ``generation``: of the contracts that are succeeded, 0 the first ones;
    0 also of those that stay. ``artifact``: what it was compiled from."""

    name: str
    address: Address
    generation: int = 0

    @property
    def artifact(self) -> str:
        return artifact_of(self.name, self.generation)


@dataclass(frozen=True, slots=True)
class Generation:
    """Contracts that others succeeded (docs/contracts.md, "Succession"), by name.

    ``until``: the first block from which those after them are asked.
    """

    contracts: Mapping[str, DeployedContract]
    until: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """``first_nonce`` of ``deployer`` fixes every address before the first transaction is sent.

    ``complete`` False: a crash came between; the next start goes on from here. ``contracts`` are those that
    count, ``predecessors`` those before them, oldest first.
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
    predecessors: tuple[Generation, ...] = ()

    def address(self, name: str) -> Address:
        return self.contracts[name].address

    def artifact(self, name: str) -> str:
        """Return what the contract of this name, among those that count, was compiled from."""
        return artifact_of(name, len(self.predecessors))

    @property
    def since(self) -> BlockNumber:
        """The first block from which the contracts that count are asked."""
        return BlockNumber(self.predecessors[-1].until if self.predecessors else 0)

    def generation_at(self, block: int) -> int:
        """Return which generation of the contracts that are succeeded was asked in a block."""
        return sum(1 for each in self.predecessors if block >= each.until)

    def places(self, *names: str) -> Iterator[Place]:
        """Yield every contract with one of these names, by default all: predecessors first."""
        for number, generation in enumerate(self.predecessors):
            for name, made in generation.contracts.items():
                if not names or name in names:
                    yield Place(name, made.address, number)
        for name, made in self.contracts.items():
            if not names or name in names:
                yield Place(name, made.address, len(self.predecessors) if name in SUCCEEDED else 0)

    def made(self, place: Place) -> DeployedContract:
        """Return what was recorded of a contract when it was deployed."""
        is_former = place.name in SUCCEEDED and place.generation < len(self.predecessors)
        contracts = self.predecessors[place.generation].contracts if is_former else self.contracts
        return contracts[place.name]


def artifact_of(name: str, generation: int) -> str:
    return f"Succeeding{name}" if generation and name in SUCCEEDED else name


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
        contracts = _contracts(found.pop("contracts"))
        terms = MarketTerms(**found.pop("market_terms", {}))
        predecessors = tuple(
            Generation(_contracts(each["contracts"]), int(each["until"]))
            for each in found.pop("predecessors", ())
        )
        return Deployment(contracts=contracts, market_terms=terms, predecessors=predecessors, **found)
    except (KeyError, TypeError, AttributeError) as error:
        raise DeploymentDamaged("The deployment file lacks a field.") from error


def write_deployment(path: Path, deployment: Deployment) -> None:
    content = {"format": _FORMAT, **asdict(deployment)}
    write_file(path, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")


def _contracts(found: Mapping[str, Any]) -> dict[str, DeployedContract]:
    return {name: DeployedContract(**item) for name, item in found.items()}

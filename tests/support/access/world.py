"""All contracts on one chain, with everybody who acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eth_utils.crypto import keccak

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.headers import delegation_header
from backend.consent.terms import Delegation
from backend.consent.typed_data import (
    Signable,
    consent_id,
    digest,
)
from backend.types import Address, ConsentId
from tests.support.access.columns import ALL_ROLES, CONTRACTS, EVERYBODY, MEMBERS, ROLES
from tests.support.access.documents import word
from tests.support.access.known import sealed
from tests.support.access.node import CHAIN_ID, Node
from tests.support.ledger_world import Person
from tests.support.signing import domain_of
from tests.support.token import token_creation_code

HOUR, DAY = 3600, 86_400
ADMISSION_DELAY = RECOVERY_DELAY = HOUR
MARKET_TERMS = (2, DAY, DAY, 2 * DAY, DAY)
ADMIN, ADMISSION, SUSPENSION = 0, 1, 2  # roles of the AccessManager
OTHERS = ("chair", "bystander", "newcomer")  # people who are no column
Sign = Callable[[Signable], bytes]


@dataclass
class AccessWorld:
    """People, addresses and documents by name. ``ADULT`` and the other subjects are numbers."""

    node: Node
    contracts: dict[str, Address] = field(default_factory=dict)
    chains: dict[str, list[Delegation]] = field(default_factory=dict)  # of ADULT, leaf first
    guardianships: dict[tuple[int, str], Delegation] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)  # what set-up made and attempts need again

    ADULT, CHILD, SECOND_CHILD, DISPUTED, DISPUTED_CHILD, OTHER = range(1001, 1007)
    UNOPENED = 1999

    @cached_property
    def people(self) -> dict[str, Person]:
        return {
            name: Person(keccak(text=f"key of {name}")) for name in (*EVERYBODY - set(CONTRACTS), *OTHERS)
        }

    def account(self, name: str, of: str = "") -> Address:
        """Return the account of a column; ``of`` is the contract that ``itself`` means."""
        contract = {
            "itself": of,
            "participants": "ParticipantRegistry",
            "recovery": "Recovery",
            "manager": "AccessManager",
            "token": "Token",
        }.get(name)
        return self.contracts[contract] if contract else self.people[name].account

    def digest(self, command: Signable) -> bytes:
        return digest(command, domain_of(command, CHAIN_ID, self.contracts))

    def signer(self, name: str) -> Sign:
        """Return how this column signs; a contract has no key, so somebody forges for it."""
        person = self.people.get(name, self.people["stranger"])
        return lambda command: person.sign_digest(self.digest(command))

    def data(self, contract: str, function: str, *arguments: Any) -> bytes:
        return artifact(contract).functions[function].encode(arguments)

    def do(self, sender: str, contract: str, function: str, *arguments: Any) -> None:
        """Send a call of the set-up, which must go through."""
        self.node.send(
            (self.account(sender), self.contracts[contract], self.data(contract, function, *arguments))
        )

    def chain_of(self, name: str, otherwise: str) -> list[Delegation]:
        """Return the column's own delegations, or those of the one who may."""
        return self.chains.get(name, self.chains[otherwise])

    def headers(self, chain: list[Delegation]) -> list[tuple[Any, ...]]:
        return [delegation_header(link) for link in chain]

    def own(self, name: str) -> ConsentId | None:
        return consent_id(self.chains[name][0]) if name in self.chains else None

    def member(self, name: str) -> bytes:
        return word(f"member {name}")


def deploy(node: Node, *, succeeding: bool = False) -> AccessWorld:
    """Return a world with contracts and members only, every role in place.

    ``succeeding``: the contracts that can be succeeded are successors, of some in which nothing happened.
    """
    world = AccessWorld(node)
    operator = world.account("operator")

    def make(name: str, *arguments: Any) -> Address:
        world.contracts[name] = node.deploy(artifact(name).creation_code(*arguments))
        return world.contracts[name]

    registry = make("ParticipantRegistry", operator, ADMISSION_DELAY)
    world.contracts["AccessManager"] = node.view(registry, "ParticipantRegistry", "authority")
    consents = make("ConsentRegistry", registry, RECOVERY_DELAY)
    world.contracts["Recovery"] = node.view(consents, "ConsentRegistry", "RECOVERY")
    make("RecordRegistry", registry)
    make("AuditAnchor", registry)
    make("EmergencyAccess", registry, consents)
    make("ResearchMarket", registry, MARKET_TERMS)
    make("KeyRegistry", consents)
    make("WitnessPairs")
    if succeeding:
        _succeed(world, make)
    make("TestToken", operator)
    make("WitnessPair", world.account("custodian"), world.account("auditor"))
    world.contracts["Token"] = node.deploy(token_creation_code())
    _admit_everybody(world)
    return world


def _succeed(world: AccessWorld, make: Callable[..., Address]) -> None:
    """Put the successors in the places of the contracts that they succeed."""
    contracts = world.contracts
    consents = make("SucceedingConsentRegistry", contracts["ConsentRegistry"])
    for name in ("KeyRegistry", "EmergencyAccess"):
        contracts[name] = make(f"Succeeding{name}", contracts[name], consents)
    contracts["ConsentRegistry"] = consents
    contracts["Recovery"] = world.node.view(consents, "ConsentRegistry", "RECOVERY")


def _admit_everybody(world: AccessWorld) -> None:
    now = world.node.now()
    manager = world.contracts["AccessManager"]
    calls: list[tuple[Address, bytes]] = []
    for name in (*MEMBERS, "chair"):
        expiry = now + 2 * HOUR if name == "expired" else now + 1000 * DAY
        credential = (_roles(name), expiry, sealed("credential"), word(f"public keys of {name}"))
        arguments = (world.member(name), world.account(name), *credential)
        calls.append(
            (world.contracts["ParticipantRegistry"], world.data("ParticipantRegistry", "admit", *arguments))
        )
    for role, name, delay in (
        (ADMISSION, "admitter", ADMISSION_DELAY),
        (SUSPENSION, "suspender", 0),
        (ADMIN, "administrator", ADMISSION_DELAY),
    ):
        data = world.data("AccessManager", "grantRole", role, world.account(name), delay)
        calls.append((manager, data))
    for target, data in calls:
        world.do("operator", "AccessManager", "schedule", target, data, 0)
    world.node.jump(ADMISSION_DELAY)
    for target, data in calls:
        world.node.send((world.account("operator"), target, data))


def _roles(name: str) -> int:
    """Return the role bits of a member at admission; what takes them away comes later."""
    like = "board_member" if name == "chair" else name
    of_members = [columns for role, columns in ROLES.items() if role.startswith("Roles.")]
    return sum(1 << bit for bit, columns in enumerate(of_members) if like in columns) or ALL_ROLES

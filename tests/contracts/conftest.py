"""People and a deployment for the scenario tests. Brownie's plugin gives `accounts` and the contracts.

Everyone signs EIP-712 with eth-account from the full typed data, terms included, so every accepted signature
also shows that the contract's struct hashes are the standard's.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest
from brownie import chain, network
from eth_account import Account
from people import Person
from typed_data import FOREVER, domain, open_subject

ADMISSION_DELAY_SECONDS = 0
RECOVERY_DELAY_SECONDS = 72 * 3600


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _set_up_chain() -> None:
    """Say, before Brownie starts it, on which port and with which protocol rules its chain runs."""
    # Brownie reads the source of every module that a test file imports, and stops at a compiled one.
    from brownie._config import CONFIG  # noqa: PLC0415

    anvil = CONFIG.networks["anvil"]
    anvil["cmd"] = "anvil --gas-price 0 --base-fee 0 --disable-min-priority-fee --hardfork paris"
    anvil["cmd_settings"] = {"port": _free_port(), "chain_id": 424_242}


_set_up_chain()


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    """Take each test's blocks back."""


@pytest.fixture(scope="session", autouse=True)
def free_transactions():
    network.gas_price(0)


@pytest.fixture(scope="module")
def operator(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def hospital(accounts):
    return accounts[1]


@pytest.fixture(scope="module")
def clinic(accounts):
    return accounts[2]


@pytest.fixture(scope="module")
def relayer(accounts):
    """Anyone at all: it has no role."""
    return accounts[3]


@pytest.fixture(scope="module")
def participants(ParticipantRegistry, operator, hospital, clinic, board):  # noqa: N803 - Brownie names it
    registry = ParticipantRegistry.deploy(operator, ADMISSION_DELAY_SECONDS, {"from": operator})
    expiry = chain.time() + 365 * 86_400
    for number, (account, roles) in enumerate([(hospital, 1), (clinic, 1 | 2), (board.address, 8)], start=1):
        member = number.to_bytes(32, "big")
        registry.admit(member, account, roles, expiry, bytes(32), bytes(32), {"from": operator})
    return registry


@pytest.fixture(scope="module")
def registry(ConsentRegistry, participants, operator):  # noqa: N803 - Brownie names it
    return ConsentRegistry.deploy(participants, RECOVERY_DELAY_SECONDS, {"from": operator})


@pytest.fixture(scope="module")
def recovery(Recovery, registry):  # noqa: N803 - Brownie names it
    return Recovery.at(registry.RECOVERY())


@pytest.fixture(scope="module")
def records(RecordRegistry, participants, operator):  # noqa: N803 - Brownie names it
    return RecordRegistry.deploy(participants, {"from": operator})


@pytest.fixture(scope="module")
def anchor(AuditAnchor, participants, operator):  # noqa: N803 - Brownie names it
    return AuditAnchor.deploy(participants, {"from": operator})


@pytest.fixture(scope="module")
def market(ResearchMarket, participants, operator):  # noqa: N803 - Brownie names it
    """One member of the board decides, and nothing waits."""
    return ResearchMarket.deploy(participants, (1, 0, 0, 1, 0), {"from": operator})


@pytest.fixture(scope="module")
def keys(KeyRegistry, registry, operator):  # noqa: N803 - Brownie names it
    return KeyRegistry.deploy(registry, {"from": operator})


@pytest.fixture(scope="module")
def emergency(EmergencyAccess, participants, registry, operator):  # noqa: N803 - Brownie names it
    return EmergencyAccess.deploy(participants, registry, {"from": operator})


@dataclass(frozen=True)
class Enrolled:
    subject: int
    person: Person


@pytest.fixture(scope="module")
def patient(registry, hospital):
    """An adult whose wallet controls subject 7001."""
    person = Person(Account.create())
    subject = 7001
    signature = person.sign(open_subject(domain(registry), subject, person.address))
    registry.openSubject(subject, person.address, FOREVER, signature, {"from": hospital})
    return Enrolled(subject, person)


@pytest.fixture(scope="module")
def guardian():
    return Person(Account.create())


@pytest.fixture(scope="module")
def carer():
    return Person(Account.create())


@pytest.fixture(scope="module")
def nurse():
    return Person(Account.create())


@pytest.fixture(scope="module")
def stranger():
    return Person(Account.create())


@pytest.fixture(scope="module")
def board():
    """A member of the ethics board, with a wallet of its own."""
    return Person(Account.create())

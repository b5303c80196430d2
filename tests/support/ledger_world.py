"""People with keys and signed commands for tests of the ledger. Every value is made up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from eth_keys import KeyAPI
from eth_keys.backends import CoinCurveECCBackend

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.deployment import deploy_or_attach
from backend.adapters.ledger.deployment_file import Deployment
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.members import Credential
from backend.adapters.ledger.process import find_anvil
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.wiring import LedgerAdapters, ledger_adapters
from backend.consent.terms import (
    ConsentTerms,
    Delegation,
    DelegationTerms,
    Grant,
    Kind,
    OpenSubject,
    Power,
    ResearchTerms,
)
from backend.consent.typed_data import KEYS_NAME, RECOVERY_NAME, Domain, Signable, digest
from backend.types import MAX_UINT40, Address, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

ROOT = Path(__file__).resolve().parents[2]
ANVIL = find_anvil(ROOT)
_KEYS = KeyAPI(CoinCurveECCBackend())
ZERO = bytes(32)
HOSPITAL = MemberId(b"\x01" * 32)
CLINIC = MemberId(b"\x02" * 32)
BOARD = MemberId(b"\x03" * 32)
SENDERS = {
    Sender.RELAYER: b"\x11" * 32,
    Sender.CUSTODIAN: b"\x12" * 32,
    Sender.OPERATOR: b"\x13" * 32,
}


@dataclass(frozen=True)
class Person:
    key: bytes

    @property
    def account(self) -> Address:
        return Address(_KEYS.PrivateKey(self.key).public_key.to_checksum_address())

    def sign(self, command: Signable, domain: Domain) -> bytes:
        return self.sign_digest(digest(command, domain))

    def sign_digest(self, value: bytes) -> bytes:
        made = _KEYS.PrivateKey(self.key).sign_msg_hash(value)
        return made.r.to_bytes(32) + made.s.to_bytes(32) + bytes([27 + made.v])


def person() -> Person:
    return Person(os.urandom(32))


def grant(subject: int, *, salt: bytes | None = None, kind: Kind = Kind.PERMIT, epoch: int = 0) -> Grant:
    """Return a grant that is good for an hour."""
    now = int(time.time())
    terms = ConsentTerms(
        decision=2 if kind is Kind.DENY else 1,
        grantee=CLINIC,
        purposes=1 << 54,
        categories=1 << 10,
        sensitivities=0,
        actions=2,
        data_from=UnixSeconds(0),
        data_to=UnixSeconds(MAX_UINT40),
        erase_by=UnixSeconds(MAX_UINT40),
        max_uses=2**32 - 1,
        uses_per_period=2**32 - 1,
        period_seconds=0,
        break_glass=1,
        break_glass_categories=0,
        redelegation_depth=0,
        rules=(),
        research=ResearchTerms(),
        notice=Bytes32(ZERO),
        language="en",
        summary="laboratory results for treatment",
        salt=Bytes32(salt or os.urandom(32)),
    )
    return Grant(
        subject=SubjectId(subject),
        terms=terms,
        not_before=UnixSeconds(now - 60),
        not_after=UnixSeconds(now + 3600),
        kind=kind,
        epoch=epoch,
        request=Bytes32(ZERO),
        supersedes=ConsentId(ZERO),
        submit_by=UnixSeconds(now + 3600),
    )


def delegation(
    subject: int,
    delegate: Person,
    *,
    powers: int = Power.GRANT | Power.REVOKE | Power.READ | Power.DELEGATE,
    kind: Kind = Kind.DELEGATION,
    depth: int = 2,
    parent: bytes = ZERO,
) -> Delegation:
    now = int(time.time())
    terms = DelegationTerms(
        purposes=1 << 54,
        categories=1 << 10,
        sensitivities=0,
        relationship="MTH",
        evidence=Bytes32(ZERO),
        notice=Bytes32(ZERO),
        language="en",
        summary="may decide about laboratory results",
        salt=Bytes32(os.urandom(32)),
    )
    return Delegation(
        subject=SubjectId(subject),
        delegate=delegate.account,
        powers=powers,
        not_before=UnixSeconds(now - 60),
        not_after=UnixSeconds(now + 7200 + 60 * depth),  # a deeper one ends before its parent
        kind=kind,
        depth=depth,
        epoch=0,
        parent=ConsentId(parent),
        terms=terms,
        submit_by=UnixSeconds(now + 3600),
    )


def late(document: Grant) -> Grant:
    """The same grant, to be recorded by a date that is over."""
    return replace(document, submit_by=UnixSeconds(1))


@dataclass
class World:
    """A chain with the contracts on it, a hospital that is its custodian, and the adapters."""

    chain: Chain
    relayer: Relayer
    deployment: Deployment
    ledger: LedgerAdapters

    @property
    def domain(self) -> Domain:
        return Domain(self.chain.chain_id, self.deployment.address("ConsentRegistry"))

    @property
    def recovery_domain(self) -> Domain:
        return Domain(self.chain.chain_id, self.deployment.address("Recovery"), RECOVERY_NAME)

    @property
    def key_domain(self) -> Domain:
        return Domain(self.chain.chain_id, self.deployment.address("KeyRegistry"), KEYS_NAME)

    def open_subject(self, subject: int, patient: Person) -> None:
        command = OpenSubject(SubjectId(subject), patient.account, UnixSeconds(int(time.time()) + 3600))
        self.ledger.consents.open_subject(command, patient.sign(command, self.domain))


def attach(
    chain: Chain,
    deployment_file: Path,
    *,
    admission_delay_seconds: int = 0,
    recovery_delay_seconds: int = 2,
) -> World:
    """Deploy or attach, and nothing else."""
    relayer = Relayer(chain=chain, keys=SENDERS)
    deployment = deploy_or_attach(
        path=deployment_file,
        chain=chain,
        relayer=relayer,
        operator=relayer.address(Sender.OPERATOR),
        admission_delay_seconds=admission_delay_seconds,
        recovery_delay_seconds=recovery_delay_seconds,
    )
    adapters = ledger_adapters(chain=chain, relayer=relayer, deployment=deployment)
    return World(chain, relayer, deployment, adapters)


def settle(chain: Chain, deployment_file: Path) -> World:
    """Deploy or attach, and make the custodian account a custodian."""
    world = attach(chain, deployment_file)
    credential = Credential(
        roles=1, expiry=UnixSeconds(MAX_UINT40), account=world.relayer.address(Sender.CUSTODIAN)
    )
    world.ledger.members.register_member(HOSPITAL, credential)
    return world


@contextmanager
def embedded_world(directory: Path) -> Iterator[World]:
    chain = EmbeddedChain(directory=directory, binary=ANVIL)
    try:
        world = settle(chain, directory / "deployment.json")
        try:
            yield world
        finally:
            world.relayer.close()
    finally:
        chain.close()

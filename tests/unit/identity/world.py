"""A whole identity over given stores, with people to act in it and a clock that stands still."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from eth_keys.main import KeyAPI

from backend.errors import AssentError
from backend.identity.access_tokens import AccessTokens
from backend.identity.client_assertion import ClientAssertions
from backend.identity.clients import Clients
from backend.identity.enrolment import EnrolmentService
from backend.identity.nonces import Nonces
from backend.identity.passwords import Passwords
from backend.identity.patient_refs import PatientReferences
from backend.identity.people import People
from backend.identity.ports import (
    AttemptCounter,
    ClientStore,
    EnrolmentStore,
    FamilyStore,
    SigningKeyStates,
    SingleUse,
    StaffStore,
)
from backend.identity.principal import Authenticator
from backend.identity.seal import Sealer
from backend.identity.services import Identity
from backend.identity.signatures import personal_digest
from backend.identity.signing_keys import KeyRing
from backend.identity.staff import StaffAccounts
from backend.identity.standing import Standing
from backend.identity.tokens import Tokens
from backend.identity.types import Guardian
from backend.identity.wallet import WalletSignIn
from backend.sealed import DocumentSealer
from backend.types import Address, MemberId, SubjectId
from tests.support.memory_keys import MemoryKeyStore
from tests.unit.identity.memory import (
    MemoryAttemptCounter,
    MemoryClientStore,
    MemoryEnrolmentStore,
    MemoryFamilyStore,
    MemorySigningKeyStates,
    MemorySingleUse,
    MemoryStaffStore,
)

NOW = 1_800_000_000
URL = "https://hospital.example"
CHAIN_ID = 424_242
PASSWORD = "correct horse battery staple"
CLINIC = MemberId(b"\x0c" * 32)
OTHER_CLINIC = MemberId(b"\x0d" * 32)
_KEYS = KeyAPI()


@dataclass
class Clock:
    now: int = NOW

    def __call__(self) -> int:
        return self.now


class Wallet:
    """An account with its key, drawn from a number so that failures repeat."""

    def __init__(self, number: int) -> None:
        self._key = _KEYS.PrivateKey(number.to_bytes(32))
        self.account = Address(self._key.public_key.to_checksum_address())

    def sign(self, digest: bytes) -> bytes:
        raw = self._key.sign_msg_hash(digest).to_bytes()
        return raw[:64] + bytes([raw[64] + 27])

    def personal_sign(self, message: str) -> bytes:
        return self.sign(personal_digest(message))


PATIENT, PARENT, OTHER_PARENT, STRANGER = (Wallet(number) for number in range(1001, 1005))


class Audit:
    """Keeps the events; fails on an event it does not know, as the real one would."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def note(**members: Any) -> None:
            self.events.append((name, members))

        return note

    def names(self) -> list[str]:
        return [name for name, _ in self.events]


class Contracts:
    """Contract wallets by their rule; anything else is no contract."""

    def __init__(self) -> None:
        self.accepts: dict[Address, bytes] = {}
        self.asked = 0

    def is_valid(self, address: Address, digest: bytes, signature: bytes) -> bool:
        self.asked += 1
        return self.accepts.get(address) == signature


class Commands:
    """Stands for typed data: the signature is over the JSON of the message."""

    def draft(
        self, subject_id: SubjectId, account: Address, guardian: Guardian | None, evidence: bytes
    ) -> Mapping[str, Any]:
        return {
            "subject": str(subject_id),
            "account": account,
            "guardian": None if guardian is None else guardian.account,
            "evidence": evidence.hex() if guardian is not None else None,
        }

    def verify(
        self,
        subject_id: SubjectId,
        account: Address,
        guardian: Guardian | None,
        evidence: bytes,
        *,
        message: Mapping[str, Any],
        signature: bytes,
    ) -> bool:
        if {**message, "again": None} != {
            **self.draft(subject_id, account, guardian, evidence),
            "again": None,
        }:
            return False
        return signature == sign_command(_by_account[account], message)


def sign_command(wallet: Wallet, message: Mapping[str, Any]) -> bytes:
    return wallet.personal_sign(json.dumps(message, sort_keys=True))


_by_account = {wallet.account: wallet for wallet in (PATIENT, PARENT, OTHER_PARENT, STRANGER)}


@dataclass
class Stores:
    staff: StaffStore = field(default_factory=MemoryStaffStore)
    clients: ClientStore = field(default_factory=MemoryClientStore)
    families: FamilyStore = field(default_factory=MemoryFamilyStore)
    signing_keys: SigningKeyStates = field(default_factory=MemorySigningKeyStates)
    attempts: AttemptCounter = field(default_factory=MemoryAttemptCounter)
    single_use: SingleUse = field(default_factory=MemorySingleUse)
    enrolments: EnrolmentStore = field(default_factory=MemoryEnrolmentStore)


class World:
    """``again`` builds a second process over the same stores and keys."""

    def __init__(
        self, stores: Stores | None = None, *, keys: MemoryKeyStore | None = None, clock: Clock | None = None
    ) -> None:
        self.stores = stores or Stores()
        self.keys = keys or MemoryKeyStore()
        self.clock = clock or Clock()
        self.audit = Audit()
        self.contracts = Contracts()
        self.delegated: dict[Address, set[SubjectId]] = {}
        self.sealer = Sealer(self.keys)
        self.people = People(keys=self.keys, documents=DocumentSealer(self.keys))
        self.standing = Standing(
            staff=self.stores.staff,
            clients=self.stores.clients,
            enrolments=self.stores.enrolments,
            acts_for=self._acts_for,
            sealer=self.sealer,
        )
        self.ring = KeyRing(
            keys=self.keys,
            states=self.stores.signing_keys,
            sealer=self.sealer,
            audit=self.audit,
            clock=self.clock,
            token_seconds=1800,
        )
        self.access = self.access_tokens()
        self.tokens = Tokens(
            access=self.access,
            families=self.stores.families,
            standing=self.standing,
            sealer=self.sealer,
            audit=self.audit,
            clock=self.clock,
            refresh_seconds=7 * 24 * 3600,
        )
        self.clients = Clients(
            store=self.stores.clients,
            standing=self.standing,
            tokens=self.tokens,
            sealer=self.sealer,
            audit=self.audit,
            clock=self.clock,
        )
        self.nonces = Nonces(keys=self.keys, used=self.stores.single_use, clock=self.clock)
        self.wallets = WalletSignIn(
            public_url=URL,
            chain_id=CHAIN_ID,
            nonces=self.nonces,
            contracts=self.contracts,
            standing=self.standing,
            tokens=self.tokens,
            audit=self.audit,
            clock=self.clock,
        )
        self.enrolments = EnrolmentService(
            store=self.stores.enrolments,
            people=self.people,
            commands=Commands(),
            standing=self.standing,
            keys=self.keys,
            sealer=self.sealer,
            audit=self.audit,
            clock=self.clock,
        )
        self.references = PatientReferences(
            keys=self.keys, people=self.people, store=self.stores.enrolments, sealer=self.sealer
        )
        self.assertions = ClientAssertions(
            clients=self.clients,
            used=self.stores.single_use,
            audit=self.audit,
            clock=self.clock,
            audience=frozenset({URL}),
        )
        self.staff = StaffAccounts(
            store=self.stores.staff,
            attempts=self.stores.attempts,
            passwords=Passwords(self.keys),
            standing=self.standing,
            tokens=self.tokens,
            sealer=self.sealer,
            audit=self.audit,
            clock=self.clock,
        )
        self.identity = Identity(
            wallets=self.wallets,
            staff=self.staff,
            clients=self.clients,
            assertions=self.assertions,
            tokens=self.tokens,
            ring=self.ring,
            authenticator=Authenticator(tokens=self.tokens, standing=self.standing),
            enrolments=self.enrolments,
            references=self.references,
        )
        self._numbers = itertools.count(1)

    def again(self) -> World:
        return World(self.stores, keys=self.keys, clock=self.clock)

    def access_tokens(self, *, audience: str = URL, issuer: str = URL) -> AccessTokens:
        return AccessTokens(ring=self.ring, issuer=issuer, audience=audience, clock=self.clock, seconds=1800)

    def sign_in(self, wallet: Wallet) -> Any:
        message = self.wallets.challenge(wallet.account).message
        return self.wallets.sign_in(message, wallet.personal_sign(message))

    def issue(self, *guardians: Guardian, record_number: str = "") -> Any:
        return self.enrolments.issue(
            record_number or f"MRN-{next(self._numbers)}",
            name="Ada Example",
            birth_date="1990-05-17",
            guardians=guardians,
            checked_by="ab" * 16,
        )

    def claim(self, code: str, wallet: Wallet, *, message: Mapping[str, Any] | None = None) -> Any:
        message = message or self.enrolments.draft(code, wallet.account)
        return self.enrolments.claim(
            code, wallet.account, message=message, signature=sign_command(wallet, message)
        )

    def _acts_for(self, account: Address) -> Collection[SubjectId]:
        return self.delegated.get(account, set())


def at_once(count: int, act: Callable[[int], Any]) -> tuple[list[Any], list[AssentError]]:
    """Run ``act`` in ``count`` threads that start together; return results and refusals."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait(timeout=30)
        try:
            return act(number)
        except AssentError as refusal:
            return refusal

    with ThreadPoolExecutor(count) as pool:
        outcomes = list(pool.map(run, range(count)))
    refusals = [outcome for outcome in outcomes if isinstance(outcome, AssentError)]
    return [outcome for outcome in outcomes if not isinstance(outcome, AssentError)], refusals

"""Builds the parts of identity on their stores, and the limits before them."""

from __future__ import annotations

from collections.abc import Callable

from backend.adapters.index.blind import BlindIndex
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.index.identity_store import (
    MongoAttemptCounter,
    MongoClientStore,
    MongoSingleUse,
    MongoStaffStore,
)
from backend.adapters.index.token_store import MongoFamilyStore, MongoSigningKeyStates
from backend.api.limits import AddressLimits, Allowance
from backend.audit.key_rotations import log_rotations
from backend.audit.log import AuditLog
from backend.identity.access_tokens import AccessTokens
from backend.identity.client_assertion import ClientAssertions
from backend.identity.clients import Clients
from backend.identity.enrolment import EnrolmentService
from backend.identity.nonces import Nonces
from backend.identity.passwords import Passwords
from backend.identity.patient_refs import PatientReferences
from backend.identity.people import People
from backend.identity.ports import ActsFor, SubjectCommands
from backend.identity.principal import Authenticator
from backend.identity.purging import Purging
from backend.identity.reblinding import Reblinding
from backend.identity.seal import Sealer
from backend.identity.services import Identity
from backend.identity.signing_keys import KeyRing
from backend.identity.staff import StaffAccounts
from backend.identity.standing import Standing
from backend.identity.tokens import Tokens
from backend.identity.trail import AuditTrail
from backend.identity.wallet import WalletSignIn
from backend.openid_wiring import open_openid
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import Stores

DAY_SECONDS = 24 * 3600


def address_limits(settings: Settings, *, clock: Callable[[], int]) -> AddressLimits:
    """Return the limits by network address."""
    allowance = Allowance(
        sign_ins=settings.sign_ins_per_minute,
        challenges=settings.challenges_per_minute,
        refreshes=settings.refreshes_per_minute,
        drafts=settings.drafts_per_minute,
        rpc_calls=settings.rpc_calls_per_minute,
    )
    return AddressLimits(allowance, trusted_proxies=settings.trusted_proxy_networks, clock=clock)


def _attempts(stores: Stores) -> MongoAttemptCounter:
    return MongoAttemptCounter(stores.database, blind=BlindIndex(stores.keys, "sign-in-attempts"))


def open_purging(settings: Settings, stores: Stores, *, clock: Callable[[], int]) -> Purging:
    """Return what forgets expired marks, counters and families; not started."""
    return Purging(
        used=MongoSingleUse(stores.database),
        attempts=_attempts(stores),
        families=MongoFamilyStore(stores.database),
        clock=clock,
        interval_seconds=settings.purge_interval_seconds,
    )


def open_identity(
    settings: Settings,
    stores: Stores,
    *,
    log: AuditLog,
    documents: DocumentSealer,
    commands: SubjectCommands,
    acts_for: ActsFor,
    clock: Callable[[], int],
) -> Identity:
    """Return identity's services, ready to use."""
    database, keys = stores.database, stores.keys
    trail = AuditTrail(log=log, clock=clock)
    sealer = Sealer(keys)
    staff, client_store, enrolments = (
        MongoStaffStore(database, blind=BlindIndex(keys, "staff"), documents=documents),
        MongoClientStore(database),
        MongoEnrolmentStore(database),
    )
    standing = Standing(
        staff=staff, clients=client_store, enrolments=enrolments, acts_for=acts_for, sealer=sealer
    )
    access_seconds = settings.access_token_minutes * 60
    ring = KeyRing(
        keys=keys,
        states=MongoSigningKeyStates(database),
        sealer=sealer,
        audit=trail,
        clock=clock,
        token_seconds=access_seconds,
    )
    issuer = settings.public_url.rstrip("/")
    tokens = Tokens(
        access=AccessTokens(
            ring=ring, issuer=issuer, audience=f"{issuer}/v1", clock=clock, seconds=access_seconds
        ),
        families=MongoFamilyStore(database),
        standing=standing,
        sealer=sealer,
        audit=trail,
        clock=clock,
        refresh_seconds=settings.refresh_token_days * DAY_SECONDS,
    )
    Reblinding(keys=keys, documents=documents, store=enrolments, sealer=sealer).finish()
    log_rotations(keys, log, clock=clock)
    people = People(keys=keys, documents=documents)
    clients = Clients(
        store=client_store, standing=standing, tokens=tokens, sealer=sealer, audit=trail, clock=clock
    )
    used = MongoSingleUse(database)
    accounts = StaffAccounts(
        store=staff,
        attempts=_attempts(stores),
        passwords=Passwords(keys),
        standing=standing,
        tokens=tokens,
        sealer=sealer,
        audit=trail,
        clock=clock,
    )
    return Identity(
        authenticator=Authenticator(tokens=tokens, standing=standing),
        wallets=WalletSignIn(
            public_url=settings.public_url,
            chain_id=stores.chain.chain_id,
            nonces=Nonces(keys=keys, used=used, clock=clock),
            contracts=stores.ledger,
            standing=standing,
            tokens=tokens,
            audit=trail,
            clock=clock,
        ),
        staff=accounts,
        clients=clients,
        assertions=ClientAssertions(
            clients=clients,
            used=used,
            audit=trail,
            clock=clock,
            audience=frozenset({issuer, f"{issuer}/oauth2/token"}),
        ),
        tokens=tokens,
        ring=ring,
        enrolments=EnrolmentService(
            store=enrolments,
            people=people,
            commands=commands,
            standing=standing,
            keys=keys,
            sealer=sealer,
            audit=trail,
            clock=clock,
        ),
        references=PatientReferences(keys=keys, people=people, store=enrolments, sealer=sealer),
        openid=open_openid(
            settings,
            custodian=stores.tenant,
            keys=keys,
            used=used,
            staff=accounts,
            clients=clients,
            audit=trail,
            closing=stores.closing,
            clock=clock,
        ),
    )

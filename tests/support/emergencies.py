"""Somebody who breaks the glass on the chain, past every service."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from eth_account import Account
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes

from backend.adapters.ledger.emergencies import EmergencyAccess
from backend.audit.entry import Agent
from backend.consent.emergency_terms import OpenEmergency
from backend.consent.ledger_types import Receipt
from backend.consent.typed_data import EMERGENCY_NAME, Domain, digest
from backend.idempotency import Attempt
from backend.identity.roles import Role
from backend.types import Address, Bytes32, MemberId, SubjectId, UnixSeconds
from tests.integration.api.world import Service

HOUR = 3_600


@dataclass(frozen=True)
class Responder:
    account: LocalAccount
    member: MemberId


def contract(service: Service) -> EmergencyAccess:
    stores = service.world.stores
    return EmergencyAccess(stores.deployment.address("EmergencyAccess"), stores.chain)


def responder(service: Service) -> Responder:
    """An organisation that may open emergencies, just admitted."""
    account = Account.create()
    member = service.world.services.admissions.admit(
        "Emergency room",
        roles=frozenset({Role.RESPONDER}),
        account=Address(account.address),
        days=30,
        attempt=Attempt.only(now=int(time.time())),
        by=Agent.service("test"),
    )
    return Responder(account, member)


def opened(service: Service, by: Responder, subject: SubjectId) -> tuple[Receipt, Bytes32]:
    """Break the glass by a transaction that the service knows nothing of; its receipt, and the opening."""
    stores, access = service.world.stores, contract(service)
    wanted = OpenEmergency(
        subject=subject,
        responder=Address(by.account.address),
        reason=Bytes32(secrets.token_bytes(32)),
        duration=0,
        submit_by=UnixSeconds(int(time.time()) + HOUR),
    )
    domain = Domain(stores.chain.chain_id, access.address, EMERGENCY_NAME)
    signature = bytes(by.account.unsafe_sign_hash(HexBytes(digest(wanted, domain))).signature)
    receipt = stores.relayer.submit(access.open(wanted, signature))
    return receipt, access.opening_id(wanted, block=receipt.block_number)

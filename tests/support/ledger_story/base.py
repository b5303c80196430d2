"""The people of the story, its chain with a clock that jumps, and how commands are signed and sent."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.consent.emergency_terms import EmergencyCommand
from backend.consent.ledger_types import Receipt
from backend.consent.member_terms import MemberCommand
from backend.consent.terms import DelegatedDelegation, DelegatedGrant, Delegation, Grant
from backend.consent.typed_data import (
    consent_id,
)
from backend.types import MAX_UINT40, UnixSeconds
from tests.support.ledger_world import ANVIL, SENDERS, Person, World, person, settle
from tests.support.signing import domain_of

FOREVER = UnixSeconds(MAX_UINT40)
HOUR, DAY = 3600, 86_400
NOBODY = "0x" + "00" * 20
NOTHING = bytes(32)
CUSTODIAN, PROVIDER, RESEARCHER, ETHICS, AUDITOR, RESPONDER = 1, 2, 4, 8, 16, 32
DESK = Person(SENDERS[Sender.CUSTODIAN])  # the hospital's own account


def named(text: str) -> bytes:
    return bytes(keccak(text=text))


def word(account: str) -> bytes:
    return bytes(12) + bytes.fromhex(account[2:])


class Story:
    """The people, the chain, and what was done so far. ``ids``: name to id. The clock only jumps."""

    def __init__(self, directory: Path, token_code: bytes) -> None:
        self._clock = int(time.time())
        self.token_code = token_code
        self.directory = directory
        self.chain = EmbeddedChain(directory=directory, binary=ANVIL, clock=lambda: self._clock)
        self.deployment_file = directory / "deployment.json"
        self.world: World = settle(self.chain, self.deployment_file)
        self.ids: dict[str, bytes] = {}
        self.patient, self.child_guardian, self.carer, self.nurse = (person() for _ in range(4))
        self.clinic, self.board, self.witness, self.doctor, self.medic = (person() for _ in range(5))

    @property
    def now(self) -> int:
        return self.chain.view().head_timestamp

    def jump(self, seconds: int) -> None:
        self._clock += seconds
        self.chain.mine([])

    def send(self, contract: str, function: str, *values: Any, sender: Sender = Sender.RELAYER) -> Receipt:
        data = artifact(contract).functions[function].encode(values)
        to = self.world.deployment.address(contract)
        return self.world.relayer.submit(Call(to, data, 3_000_000, sender))

    def sign(self, who: Person, command: EmergencyCommand | MemberCommand) -> bytes:
        contracts = {name: made.address for name, made in self.world.deployment.contracts.items()}
        return who.sign(command, domain_of(command, self.chain.chain_id, contracts))

    def record(self, document: Grant | Delegation, who: Person, *, via: Delegation | None = None) -> bytes:
        if via is None:
            self.world.ledger.consents.record(document, who.sign(document, self.world.domain))
        else:
            wrap = DelegatedGrant if isinstance(document, Grant) else DelegatedDelegation
            command = wrap(document, consent_id(via))  # type: ignore[arg-type]
            self.world.ledger.consents.record(document, who.sign(command, self.world.domain), via=[via])
        return consent_id(document)

    def close(self) -> None:
        self.world.relayer.close()
        self.chain.close()

    def admit(self, member: bytes, account: str, roles: int, *, amend: bool = False) -> None:
        values = (member, account, roles, FOREVER, os.urandom(32), os.urandom(32))
        function = "amend" if amend else "admit"
        self.send("ParticipantRegistry", function, *values, sender=Sender.OPERATOR)

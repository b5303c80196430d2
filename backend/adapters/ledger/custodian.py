"""Makes the custodian that this service runs for a member of the registry, at its first start."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.adapters.durable import write_file
from backend.adapters.ledger.participants import RegistryParticipants
from backend.consent.ledger_types import MemberStanding
from backend.consent.member_registry import CUSTODIAN_ROLES, Credential, Hindrance, Widening
from backend.errors import Conflict, OperatorError
from backend.types import Address, MemberId, UnixSeconds, to_hex

_LOG = logging.getLogger("assent.members")
CREDENTIAL_SECONDS: Final = 5 * 365 * 24 * 3600


class CustodianAdmissionWaits(OperatorError):
    """The custodian's own admission is announced on the chain, and the registry's delay has not passed."""

    code = "custodian_admission_waits"
    remedy = "Start it again then, and within a week of that time. Until then there is nothing to do."


class CustodianNotAdmitted(OperatorError):
    """The registry refuses this service's account: somebody else admits members there."""

    code = "custodian_not_admitted"
    remedy = (
        "Ask the organisation that operates the registry to run 'assent members admit-custodian' with this"
        " member and account; then start again."
    )


def admit_custodian(
    registry: RegistryParticipants,
    tenant: MemberId,
    account: Address,
    *,
    wish: Path,
    clock: Callable[[], int],
) -> None:
    """Admit the custodian unless it is a member, announcing that first where the registry delays it.

    ``wish`` keeps what was announced, since the chain has to be asked for exactly the same afterwards.
    Raises CustodianAdmissionWaits, CustodianNotAdmitted, LedgerUnavailable.
    """
    now = clock()
    found = registry.member(tenant)
    if found.standing != MemberStanding.UNKNOWN:
        if found.standing != MemberStanding.ACTIVE or now >= found.expiry:
            # Stops are taken all the same, so the start is not refused.
            _LOG.error(
                "this custodian is not in standing: it reads and anchors nothing",
                extra={"standing": found.standing.name.lower(), "expired": now >= found.expiry},
            )
        if found.account != account:
            _LOG.error(
                "this custodian was admitted with another account: it anchors nothing and stores nothing",
                extra={"admitted": found.account, "own": account},
            )
        return
    widening = Widening(tenant, Credential(CUSTODIAN_ROLES, _expiry(wish, now), account))
    try:
        outcome = registry.widen(widening)
        if isinstance(outcome, Hindrance):
            due = datetime.fromtimestamp(registry.announce(widening), UTC)
            raise CustodianAdmissionWaits(
                f"The chain admits this custodian from {due:%Y-%m-%d %H:%M:%S} UTC on."
            )
    except Conflict as refusal:
        raise CustodianNotAdmitted(
            f"{refusal.code}: member {to_hex(tenant)}, account {account}."
        ) from refusal


def _expiry(wish: Path, now: int) -> UnixSeconds:
    """The end of the credential: as announced, or five years from now if too little is left of that."""
    try:
        kept = int(json.loads(wish.read_bytes())["expiry"])
    except (OSError, ValueError, KeyError, TypeError):
        kept = 0
    if kept < now + CREDENTIAL_SECONDS // 2:
        kept = now + CREDENTIAL_SECONDS
        write_file(wish, json.dumps({"expiry": kept}).encode())
    return UnixSeconds(kept)

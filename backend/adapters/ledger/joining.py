"""Takes over, for a service that never started, the contracts that another organisation deployed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.deployment import require_deployed
from backend.adapters.ledger.deployment_file import Deployment, read_deployment, write_deployment
from backend.adapters.ledger.errors import DeploymentDamaged, DeploymentThere, LogNameTaken
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.wiring import LedgerAdapters, ledger_adapters
from backend.consent.ledger_types import MemberStanding
from backend.consent.member_registry import CUSTODIAN
from backend.types import Address, MemberId


@dataclass(frozen=True, slots=True)
class Joining:
    """Who this service is on the chain. ``account`` stores and anchors; all of ``accounts`` pay for gas.

    ``standing`` unknown: not admitted yet. ``log_id``: of its audit log in ``AuditAnchor``, 32 bytes.
    """

    member: MemberId
    account: Address
    accounts: tuple[Address, ...]
    standing: MemberStanding
    log_id: bytes
    deployment: Deployment


def join_deployment(
    file: Path, path: Path, *, chain: Chain, relayer: Relayer, tenant: MemberId, origin: str
) -> Joining:
    """Check what ``file`` names against the chain and keep it at ``path``, where the service looks for it.

    Raise DeploymentDamaged where there is no such file or it is malformed, DeploymentThere, LogNameTaken,
    WrongChain, DeploymentIncomplete, ContractCodeDiffers or LedgerUnavailable; then nothing was kept.
    """
    deployment = read_deployment(file)
    if deployment is None:
        raise DeploymentDamaged(f"There is no file {file}.")
    require_deployed(deployment, chain)
    there = read_deployment(path)
    if there is not None and not _is_same(there, deployment):
        raise DeploymentThere(str(path))
    ledgers = ledger_adapters(chain=chain, relayer=relayer, deployment=deployment)
    _require_own_name(ledgers, tenant, origin)
    if there is None:
        write_deployment(path, deployment)
    return Joining(
        member=tenant,
        account=relayer.address(Sender.CUSTODIAN),
        accounts=tuple(dict.fromkeys(relayer.address(sender) for sender in Sender)),
        standing=MemberStanding(ledgers.members.member(tenant).standing),
        log_id=ledgers.anchor_of(tenant, origin).log_id,
        deployment=deployment,
    )


def _is_same(one: Deployment, other: Deployment) -> bool:
    return (one.genesis_hash, one.contracts) == (other.genesis_hash, other.contracts)


def _require_own_name(ledgers: LedgerAdapters, tenant: MemberId, origin: str) -> None:
    """Raise LogNameTaken where another custodian has anchored a log of this name."""
    for member, state in ledgers.members.members().items():
        is_other = member != tenant and state.credential.roles & CUSTODIAN
        if is_other and ledgers.anchor_of(member, origin).anchored() is not None:
            raise LogNameTaken(f"Another custodian's log is called {origin}.")

"""``assent ledger succeed``: new contracts take over from those of a stopped service, with all that stands
there."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.contracts_used import require_newest
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.index.paper_store import MongoPaperStore
from backend.adapters.ledger.calls import read_together
from backend.adapters.ledger.constants import Ask, differing_constants
from backend.adapters.ledger.deployment import deploy_successors, succession_file, verify_code
from backend.adapters.ledger.deployment_file import Deployment, read_deployment, write_deployment
from backend.adapters.ledger.errors import DeploymentDamaged
from backend.adapters.ledger.succession import (
    Documents,
    Progress,
    Successors,
    documents,
    require_none_pending,
)
from backend.consent.paper_recording import ACT as PAPER
from backend.consent.paper_types import PaperState
from backend.consent.revocations import ACT as REVOCATION
from backend.consent.service import ACT as CONSENT
from backend.consent.terms import Kind
from backend.errors import OperatorError
from backend.maintenance.fsck import require_deployment
from backend.outbox.types import Act
from backend.records.patient_keys import BINDING, WITHDRAWAL
from backend.recovery.steps import ACT as RECOVERY
from backend.recovery.steps import COMPLETION
from backend.settings import Settings
from backend.stores import Stores, open_stores
from backend.types import Address, ConsentId, SubjectId

_SIGNED: Final = (CONSENT, REVOCATION, PAPER, BINDING, WITHDRAWAL, RECOVERY, COMPLETION)
"""Acts that hold what somebody signed for one of the contracts."""


class SuccessionWaits(OperatorError):
    """What was signed for the contracts of before is not on the chain yet."""

    code = "succession_waits"
    remedy = (
        "Start the service, wait until /health/ready shows nothing waiting, stop it, and call this again. "
        "Nothing was changed."
    )


class NoSuccession(OperatorError):
    code = "no_succession"
    remedy = "There is nothing to abandon: no contracts are taking over."


class SuccessionForeign(OperatorError):
    """What another custodian handed out does not take over from the contracts of this service, or not yet."""

    code = "succession_foreign"
    remedy = (
        "Give 'chain/deployment.json' of a custodian with the same contracts whose 'assent ledger succeed' "
        "has ended. Nothing was changed."
    )


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The deployment that counts from now on, and how much was taken over of all custodians of the chain."""

    deployment: Deployment
    subjects: int
    documents: int


def succeed(settings: Settings, *, theirs: Path | None, dry_run: bool, progress: Progress) -> Succeeded:
    """Deploy the successors, or take those that ``theirs`` names, and have them count from now on.

    The same again goes on where it was killed. Raises SuccessionWaits, SuccessionHeld, SuccessionSpoiled,
    SuccessionForeign, DeploymentDamaged, and what opening the stores raises.
    """
    require_deployment(settings)
    stores = open_stores(settings, succeeding=True)
    with closing(stores.closing):
        current, path = stores.deployment, stores.directory.chain / "deployment.json"
        if theirs is None:
            require_newest(stores.database, current)
        _require_settled(stores)
        before = documents(stores.chain, current, len(current.predecessors))
        plan = read_deployment(succession_file(path))
        if plan is None:
            # Once something was adopted, what is pending is found when the rest is.
            require_none_pending(stores.chain, current.address("Recovery"), before)
        if dry_run:
            return _answer(current, before)
        progress("deploying")
        if theirs is None:
            plan = deploy_successors(path=path, current=current, chain=stores.chain, relayer=stores.relayer)
        else:
            plan = _theirs(theirs, current, stores)
        counting, taken = Successors(stores.chain, stores.relayer, plan).take_over(progress)
        verify_code(counting, stores.chain)
        write_deployment(path, counting)
        succession_file(path).unlink(missing_ok=True)
        return _answer(counting, taken)


def abandon(settings: Settings) -> None:
    """Forget contracts that were taking over; those of before were never changed and count on.

    Raises NoSuccession, and what opening the stores raises.
    """
    require_deployment(settings)
    stores = open_stores(settings, succeeding=True)
    with closing(stores.closing):
        file = succession_file(stores.directory.chain / "deployment.json")
        if not file.exists():
            raise NoSuccession
        file.unlink()


def _answer(deployment: Deployment, taken: Documents) -> Succeeded:
    return Succeeded(deployment, len(taken), sum(map(len, taken.values())))


def _theirs(file: Path, current: Deployment, stores: Stores) -> Deployment:
    """Return what another custodian of the chain deployed, once it is seen to succeed our contracts."""
    plan = read_deployment(file)
    if plan is None:
        raise DeploymentDamaged(f"There is no file {file}.")
    wanted = (current.genesis_hash, len(current.predecessors) + 1, dict(current.contracts))
    ours = {
        **plan.contracts,
        **(plan.predecessors[-1].contracts if plan.predecessors else {}),
    }
    # One that is not complete may be abandoned still, and may lack contracts.
    if not plan.complete or (plan.genesis_hash, len(plan.predecessors), ours) != wanted:
        raise SuccessionForeign(f"What {file} names does not succeed the contracts of this service.")
    verify_code(plan, stores.chain)
    for place in plan.places():
        for view, shown, expected in differing_constants(plan, place, _asker(stores)):
            raise SuccessionForeign(f"{view} of {place.artifact} is {shown}, not {expected}.")
    return plan


def _asker(stores: Stores) -> Ask:
    def ask(address: str, data: bytes) -> bytes:
        reads = [(Address(address), data)]
        return read_together(stores.chain, reads, block=stores.chain.view().head_number)[0]

    return ask


def _require_settled(stores: Stores) -> None:
    acts = MongoActStore(stores.database, stores.keys)
    waiting = Counter(act.kind for act in acts.unfinished(_SIGNED) if not _counts_later(act, stores))
    papers = len(MongoPaperStore(stores.database).in_state(PaperState.SIGNED))
    if papers and not waiting[PAPER]:
        waiting[PAPER] += papers
    claims = len(MongoEnrolmentStore(stores.database).unopened())
    if claims:
        waiting["enrolment"] += claims
    if waiting:
        said = ", ".join(f"{number} {kind}" for kind, number in sorted(waiting.items()))
        raise SuccessionWaits(f"Under way: {said}.")


def _counts_later(act: Act, stores: Stores) -> bool:
    """Whether it is a stop that counts in the successors wherever it is sent. The end of a deny does not."""
    if act.kind != REVOCATION or act.data["consent"] is None:
        return act.kind == REVOCATION
    view = stores.ledger.view()
    consent = ConsentId(act.data["consent"])
    slot = stores.ledger.evidence(SubjectId(1), (consent,), block=view.head_number).slots[0]
    return slot.kind not in (Kind.DENY, Kind.REFUSAL)

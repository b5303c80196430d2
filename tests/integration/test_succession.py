"""Contracts that take over from those of a service: deployed, every subject adopted, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger import deployment as deploying
from backend.adapters.ledger import succession
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.deployment import deploy_successors, succession_file
from backend.adapters.ledger.deployment_file import Deployment, read_deployment
from backend.adapters.ledger.errors import SuccessionHeld, SuccessionSpoiled
from backend.adapters.ledger.members import Credential
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.succession import Documents, Successors, documents
from backend.adapters.ledger.wiring import ledger_adapters
from backend.consent.terms import Grant, Kind, Revoke
from backend.consent.typed_data import consent_id
from backend.types import MAX_UINT40, SubjectId, UnixSeconds
from tests.integration.test_ledger_recovery import Family, family  # noqa: F401 - a fixture
from tests.support.ledger_world import CLINIC, Person, World, embedded_world, grant, person

DEPLOYED = 3  # by the operator's account; the registry of consents makes Recovery itself
PATIENT, NOBODY = SubjectId(900), SubjectId(901)
Run = Callable[[], tuple[Deployment, Documents]]


class Killed(Exception):
    """The process ended here."""


def dies(patching: pytest.MonkeyPatch, owner: Any, name: str, *, after: int) -> None:
    """Have a function end the process once it was called so often."""
    original, calls = getattr(owner, name), 0

    def dying(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Killed
        return original(*arguments, **options)

    patching.setattr(owner, name, dying)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with embedded_world(tmp_path) as made:
        yield made


def record(world: World, patient: Person, document: Grant) -> Grant:
    world.ledger.consents.record(document, patient.sign(document, world.domain))
    return document


@pytest.fixture
def patient(world: World) -> Person:
    return person()


@pytest.fixture
def documents_there(world: World, patient: Person) -> list[Grant]:
    """A permit, one that was revoked, and a deny. Another subject has nothing."""
    world.open_subject(PATIENT, patient)
    world.open_subject(NOBODY, person())
    made = [record(world, patient, each) for each in (grant(PATIENT), grant(PATIENT))]
    ended = consent_id(made[1])
    world.ledger.consents.revoke(ended, patient.sign(Revoke(ended), world.domain))
    return [*made, record(world, patient, grant(PATIENT, kind=Kind.DENY))]


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    return succession_file(tmp_path / "deployment.json")


@pytest.fixture
def run(world: World, tmp_path: Path) -> Run:
    """What the command does on the chain."""

    def take_over() -> tuple[Deployment, Documents]:
        plan = deploy_successors(
            path=tmp_path / "deployment.json",
            current=world.deployment,
            chain=world.chain,
            relayer=world.relayer,
        )
        return Successors(world.chain, world.relayer, plan).take_over()

    return take_over


def transactions(world: World) -> int:
    return int(world.chain.next_nonce(world.relayer.address(Sender.OPERATOR)))


def require_same(world: World, deployment: Deployment, there: list[Grant]) -> None:
    """Everything stands in the new registry as in the old one: one permit that is live, one that ended, a
    deny; and it counts."""
    assert deployment.complete
    assert deployment.address("ConsentRegistry") != world.deployment.address("ConsentRegistry")
    after = ledger_adapters(chain=world.chain, relayer=world.relayer, deployment=deployment).consents
    head = world.chain.view().head_number
    names = [consent_id(each) for each in there]
    for subject, ids in ((PATIENT, names), (NOBODY, [])):
        here = after.evidence(subject, ids, block=head)
        assert here == world.ledger.consents.evidence(subject, ids, block=head)
        assert here.opened
    live = [
        after._registry.are_live(names, kind, block=head)
        for kind in (Kind.PERMIT, Kind.DENY)
    ]  # fmt: skip
    assert live[0][:2] == (True, False)
    assert live[1][2] is True


def test_subjects_are_taken_over(world: World, documents_there: list[Grant], run: Run) -> None:
    deployment, taken = run()
    assert {subject: len(ids) for subject, ids in taken.items()} == {PATIENT: 3, NOBODY: 0}
    require_same(world, deployment, documents_there)


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (Relayer, "deploy", 0),
        (Relayer, "deploy", 1),
        (Relayer, "deploy", 2),
        (deploying, "write_deployment", 1),  # all are there, and the plan does not say so
        (Relayer, "submit_many", 0),
        (Relayer, "submit_many", 2),  # half of what the patient has
        (Successors, "_compare", 0),
    ],
)
def test_killed_anywhere_the_same_again_goes_on(
    world: World,
    documents_there: list[Grant],
    run: Run,
    plan_file: Path,
    owner: Any,
    name: str,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(succession, "_IDS_A_CALL", 1)
    monkeypatch.setattr(succession, "_CALLS_AT_ONCE", 1)
    before = transactions(world)
    with monkeypatch.context() as patching:
        dies(patching, owner, name, after=after)
        with pytest.raises(Killed):
            run()
    plan = read_deployment(plan_file)
    assert plan is not None
    assert not plan.complete
    deployment, _ = run()
    require_same(world, deployment, documents_there)
    assert transactions(world) == before + DEPLOYED
    assert (plan.deployer, plan.first_nonce) == (deployment.deployer, deployment.first_nonce)
    sent = transactions(world), world.chain.view().head_number
    assert run()[0].contracts == deployment.contracts
    assert (transactions(world), world.chain.view().head_number) == sent  # nothing was left to do


def test_account_that_was_used_between_deploys_all_of_them_anew(
    world: World, documents_there: list[Grant], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patching:
        dies(patching, Relayer, "deploy", after=1)
        with pytest.raises(Killed):
            run()
    credential = Credential(roles=2, expiry=UnixSeconds(MAX_UINT40), account=person().account)
    world.ledger.members.register_member(CLINIC, credential)
    before = transactions(world)
    deployment, _ = run()
    assert deployment.first_nonce == before
    require_same(world, deployment, documents_there)


def test_grant_recorded_in_the_old_contract_after_the_adoption_is_noticed(
    world: World,
    patient: Person,
    documents_there: list[Grant],
    run: Run,
    plan_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adopt = Successors._adopt

    def adopt_and_go_on(*arguments: Any) -> None:
        adopt(*arguments)
        record(world, patient, grant(PATIENT))

    with monkeypatch.context() as patching:
        patching.setattr(Successors, "_adopt", adopt_and_go_on)
        with pytest.raises(SuccessionSpoiled) as refusal:
            run()
    assert f"{PATIENT:024x}" in refusal.value.detail
    assert f"{NOBODY:024x}" not in refusal.value.detail
    with pytest.raises(SuccessionSpoiled):
        run()
    spoiled = read_deployment(plan_file)
    plan_file.unlink()
    deployment, taken = run()
    assert len(taken[PATIENT]) == 4
    require_same(world, deployment, documents_there)
    assert spoiled is not None
    assert deployment.address("ConsentRegistry") != spoiled.address("ConsentRegistry")


def test_grant_recorded_before_its_subject_was_adopted_is_taken_over_by_the_same_again(
    world: World,
    patient: Person,
    documents_there: list[Grant],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adopt = Successors._adopt

    def go_on_and_adopt(*arguments: Any) -> None:
        record(world, patient, grant(PATIENT))
        adopt(*arguments)

    with monkeypatch.context() as patching:
        patching.setattr(Successors, "_adopt", go_on_and_adopt)
        with pytest.raises(SuccessionSpoiled):
            run()
    deployment, taken = run()
    assert len(taken[PATIENT]) == 4
    require_same(world, deployment, documents_there)


def test_what_anybody_adopted_meanwhile_is_compared_as_all_else(
    world: World, documents_there: list[Grant], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Relayer.submit_many
    monkeypatch.setattr(Relayer, "submit_many", lambda relayer, calls: submit(relayer, [*calls, *calls])[2:])
    deployment, _ = run()
    require_same(world, deployment, documents_there)


def test_pending_recovery_holds_everything_up_until_it_is_over(
    world: World,
    documents_there: list[Grant],
    family: Family,  # noqa: F811 - the fixture
    run: Run,
    plan_file: Path,
) -> None:
    new = person()
    proposal = family.proposal(new)
    world.ledger.recoveries.propose(proposal, family.proof(proposal, new))
    with pytest.raises(SuccessionHeld) as refusal:
        run()
    assert f"{family.subject:024x}" in refusal.value.detail
    plan = read_deployment(plan_file)
    assert plan is not None
    assert documents(world.chain, plan, 1) == {}  # of nobody else either
    family.veto()
    deployment, taken = run()
    assert len(taken) == 3
    require_same(world, deployment, documents_there)
    assert deployment.contracts == plan.contracts

"""``assent ledger succeed`` where it does not come to its end: killed, held, spoiled, given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.deployment import succession_file
from backend.adapters.ledger.deployment_file import read_deployment
from backend.adapters.ledger.errors import SuccessionHeld, SuccessionSpoiled, SuccessionUnderWay
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.succession import Successors
from backend.adapters.ledger.wiring import ledger_adapters
from backend.bootstrap import open_world
from backend.consent.terms import Grant
from backend.consent.terms_json import from_json
from backend.maintenance import succeeding
from backend.maintenance.succeeding import SuccessionForeign
from backend.settings import Settings
from backend.stores import Stores, open_stores
from tests.integration.test_cli import invoke, refused
from tests.integration.test_ledger_recovery import Family, family  # noqa: F401 - a fixture
from tests.integration.test_succession import Killed, dies
from tests.integration.test_succession_service import (
    People,
    Site,
    may_read,
    people,
    site,  # noqa: F401 - a fixture
    wish,
)
from tests.support.ledger_world import World, person
from tests.support.testnet import until


def files(site: Site) -> tuple[Path, Path]:  # noqa: F811 - the fixture
    """The deployment that counts, and the plan of what is taking over."""
    deployment = site.directory / "chain" / "deployment.json"
    return deployment, succession_file(deployment)


def registry(file: Path) -> str:
    found = read_deployment(file)
    assert found is not None
    return found.address("ConsentRegistry")


def require_no_start(site: Site) -> None:  # noqa: F811 - the fixture
    with pytest.raises(SuccessionUnderWay):
        open_world(Settings(data_directory=site.directory))


def sign_in(people: People) -> None:
    for each in (people.clinic, people.other, people.hospital):
        each.sign_in()


def test_killed_half_way_it_goes_on_or_is_given_up(
    site: Site,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment, plan = files(site)
    with site.open() as service:
        all_ = people(service, site)
        kept, ended = all_.patient(40), all_.patient(41)
        consents = [each.permit(all_.clinic.member_id) for each in (kept, ended)]
        ended.end(consents[1])
    first = deployment.read_bytes()
    with monkeypatch.context() as patching:
        patching.setattr("backend.adapters.ledger.succession._CALLS_AT_ONCE", 1)
        dies(patching, Relayer, "submit_many", after=1)
        with pytest.raises(Killed):
            site.succeed()
    require_no_start(site)
    begun = registry(plan)
    refused(
        ["ledger", "succeed", "--with", str(plan), "--data-directory", str(site.directory)],
        SuccessionForeign.code,
    )
    given_up = invoke("ledger", "succeed", "--abandon", "--data-directory", site.directory)
    assert given_up.exit_code == 0, given_up.output
    assert deployment.read_bytes() == first
    refused(["ledger", "succeed", "--abandon", "--data-directory", str(site.directory)], "no_succession")

    with site.open():
        sign_in(all_)
        assert [may_read(all_.clinic, each) for each in (kept, ended)] == [True, False]
        kept.permit(all_.other.member_id)
        until(lambda: may_read(all_.other, kept), "what is granted now counts")

    with monkeypatch.context() as patching:
        dies(patching, succeeding, "write_deployment", after=0)
        with pytest.raises(Killed):
            site.succeed()
    require_no_start(site)
    second = registry(plan)
    assert second != begun
    assert deployment.read_bytes() == first
    with monkeypatch.context() as patching:
        unlink = Path.unlink

        def dying(path: Path, **options: Any) -> None:
            if path == plan:
                raise Killed
            unlink(path, **options)

        patching.setattr(Path, "unlink", dying)
        with pytest.raises(Killed):
            site.succeed()
    require_no_start(site)  # the new ones count, and the plan is there still
    assert registry(deployment) == second
    done = invoke("ledger", "succeed", "--json", "--data-directory", site.directory)
    assert done.exit_code == 0, done.output
    assert (json.loads(done.stdout)["consent_registry"], json.loads(done.stdout)["documents"]) == (second, 3)
    assert not plan.exists()
    found = read_deployment(deployment)
    assert found is not None
    assert len(found.predecessors) == 1
    with site.open():
        sign_in(all_)
        assert [may_read(all_.clinic, each) for each in (kept, ended)] == [True, False]
        assert may_read(all_.other, kept)


def test_what_is_recorded_in_the_old_contracts_meanwhile_spoils_it(
    site: Site,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, plan = files(site)
    with site.open() as service:
        all_ = people(service, site)
        patient = all_.patient(42)
        patient.permit(all_.clinic.member_id)
        signed = wish(patient, all_.other.member_id)
        current = service.world.stores.deployment
    adopt = Successors._adopt

    def adopt_and_go_on(self: Successors, *arguments: Any) -> None:
        adopt(self, *arguments)
        ledgers = ledger_adapters(chain=self.chain, relayer=self.relayer, deployment=current)
        document = from_json(Grant, signed.body["message"])
        ledgers.consents.record(document, bytes.fromhex(signed.body["signature"][2:]))

    with monkeypatch.context() as patching:
        patching.setattr(Successors, "_adopt", adopt_and_go_on)
        with pytest.raises(SuccessionSpoiled) as refusal:
            site.succeed()
    assert patient.subject[2:] in refusal.value.detail
    again = invoke("ledger", "succeed", "--data-directory", site.directory)
    assert (again.exit_code, "succession_spoiled" in again.stderr) == (2, True)
    require_no_start(site)
    spoiled = registry(plan)
    assert invoke("ledger", "succeed", "--abandon", "--data-directory", site.directory).exit_code == 0
    with site.open():  # it was recorded behind this service's back, and is handed in now
        sign_in(all_)
        assert signed.hand_in(patient.api).status_code in (200, 201)
        until(lambda: may_read(all_.other, patient), "it counts")
        assert may_read(all_.clinic, patient)
    done = site.succeed()
    assert (done.subjects, done.documents) == (1, 2)
    assert done.deployment.address("ConsentRegistry") != spoiled
    with site.open():
        sign_in(all_)
        assert may_read(all_.other, patient)
        assert may_read(all_.clinic, patient)


# A pending recovery


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    opened = open_stores(Settings(data_directory=tmp_path / "data"))
    yield opened
    opened.closing.close()


@pytest.fixture
def world(stores: Stores) -> World:
    ledgers = ledger_adapters(chain=stores.chain, relayer=stores.relayer, deployment=stores.deployment)
    return World(stores.chain, stores.relayer, stores.deployment, ledgers)


def test_pending_recovery_holds_it_before_anything_is_deployed(
    stores: Stores,
    world: World,
    family: Family,  # noqa: F811 - the fixture
) -> None:
    new = person()
    proposal = family.proposal(new)
    world.ledger.recoveries.propose(proposal, family.proof(proposal, new))

    def stands(of: Stores) -> tuple[int, int]:
        return of.chain.view().head_number, of.chain.next_nonce(of.relayer.address(Sender.OPERATOR))

    before, first = stands(stores), stores.deployment
    stores.closing.close()
    with httpx.Client() as http:
        held = Site(stores.directory.root, http)
        with pytest.raises(SuccessionHeld) as refusal:
            held.succeed()
    assert f"{family.subject:024x}" in refusal.value.detail
    assert not files(held)[1].exists()
    again = open_stores(stores.settings)
    try:
        assert (again.deployment, stands(again)) == (first, before)
    finally:
        again.closing.close()

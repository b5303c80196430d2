"""Two custodians of one chain whose contracts were succeeded: one deploys, the other follows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from backend.adapters.ledger.deployment_file import read_deployment
from backend.consent.revocations import Revocation
from backend.demo.actors import Api, Provider
from backend.explorer.stop_file import HeldStop
from backend.explorer.stopping import Outcome, Payer, send_stop
from backend.identity.roles import Role
from backend.maintenance.succeeding import SuccessionForeign, succeed
from backend.settings import Settings
from backend.stores import sending_accounts
from backend.types import ConsentId, SubjectId, to_hex
from scripts.testnet.description import GAS_PRICE_WEI
from scripts.testnet.links import head
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff
from tests.networks.acts import read, under_way
from tests.networks.custodians import hand_in, join, member_id, open_custodian
from tests.support.testnet import Testnet, until

WITHIN_SECONDS = 10.0  # of a stop: heard before its block, or at the head


@dataclass
class Site:
    """A custodian's service that is stopped and started again; its people keep their client."""

    directory: Path
    settings: dict[str, Any]
    http: httpx.Client
    people: list[Provider | Patient] = field(default_factory=list)
    running: ExitStack = field(default_factory=ExitStack)
    port: int = 0

    @property
    def deployment(self) -> Path:
        return self.directory / "chain" / "deployment.json"

    def start(self, opened: AbstractContextManager[Service] | None = None) -> Service:
        again = open_service(
            self.directory, port=self.port, http=self.http, access_token_minutes=60, **self.settings
        )
        service = self.running.enter_context(opened or again)
        self.port = httpx.URL(service.url).port or 0
        for each in self.people:
            (each.wallet if isinstance(each, Patient) else each).sign_in()
        return service

    def stop(self) -> None:
        self.running.close()

    def succeed(self, theirs: Path | None = None) -> Any:
        settings = Settings(data_directory=self.directory, **self.settings)
        return succeed(settings, theirs=theirs, dry_run=False, progress=lambda _: None)


@dataclass
class Custodian:
    site: Site
    service: Service
    operator: Api
    desk: Api
    hospital: Provider
    clinic: Provider

    def patient(self, number: int) -> Patient:
        made = enrol(self.service, self.desk, self.hospital, number)
        self.site.people.append(made)
        return made

    def restart(self) -> None:
        self.site.stop()
        self.service = self.site.start()


def custodian(site: Site, service: Service, clinic: str | None = None) -> Custodian:
    """``clinic``: the member that is it; None admits one."""
    operator, desk = staff(service, "operator", Role.OPERATOR), staff(service, "desk", Role.IDENTITY_DESK)
    hospital = provider(service, operator, "own system", member_id(service))
    made = Custodian(
        site, service, operator, desk, hospital, provider(service, operator, "Lakeside Clinic", clinic)
    )
    site.people += [made.hospital, made.clinic]
    return made


def sheet(patient: Patient) -> dict[str, Any]:
    """The printed stop sheet."""
    draft = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})["typed_data"]
    signature = patient.wallet.sign_typed(draft)
    return {"subject": patient.subject, "epoch": int(draft["message"]["epoch"]), "signature": signature}


def single(patient: Patient, consent: str) -> dict[str, Any]:
    draft = patient.api.post("/v1/revocations/draft", {"consent_id": consent})["typed_data"]
    return {"consent_id": consent, "signature": patient.wallet.sign_typed(draft)}


def may_read(at: Custodian, patient: Patient) -> bool:
    answer = read(at.clinic, patient)
    assert answer.status_code in (200, 403), answer.text
    assert answer.status_code == 200 or answer.json()["code"] == "consent_required", answer.text
    return answer.status_code == 200


def stops_in_log(patient: Patient) -> list[dict[str, Any]]:
    """Newest first."""
    kinds = ("consent.revoked", "consent.revoked_all")
    return [entry for entry in patient.accesses() if entry["type"] in kinds]


@dataclass
class Story:
    """``old`` and ``new``: registries of consents. Of each patient: the permit, and what was signed for the
    old one."""

    network: Testnet
    a: Custodian
    b: Custodian
    kept: Patient
    ended: Patient
    heard: Patient
    missed: Patient
    sheeted: Patient
    ended_at_b: Patient
    permits: dict[str, str]
    sheets: dict[str, dict[str, Any]]
    stops: dict[str, dict[str, Any]]
    old: str
    new: str = ""

    def at_a(self) -> list[Patient]:
        return [self.kept, self.ended, self.heard, self.missed]

    def at_b(self) -> list[Patient]:
        return [self.sheeted, self.ended_at_b]


@pytest.fixture(scope="module")
def before(network: Testnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Both stopped, on the contracts that A deployed."""
    with ExitStack() as closing:
        sites = [
            Site(
                tmp_path_factory.mktemp(name),
                {**network.settings(plain.node.rpc_url), "tenant": name},
                closing.enter_context(httpx.Client(timeout=60)),
            )
            for name, plain in zip(("riverside", "hillside"), network.plain, strict=True)
        ]
        for site in sites:
            closing.callback(site.stop)
        first, second = sites
        network.fund(sending_accounts(Settings(data_directory=first.directory)).values())
        a = custodian(first, first.start())
        joining = open_custodian(
            second.directory,
            "hillside",
            beside=a.service,
            operator=a.operator,
            network=network,
            url=network.plain[1].node.rpc_url,
            http=second.http,
        )
        b = custodian(second, second.start(joining), a.clinic.member_id)
        with ThreadPoolExecutor() as beside:  # each waits for blocks of its own
            all_ = list(beside.map(Custodian.patient, (a, a, a, a, b, b), range(600, 606)))
            given = list(beside.map(lambda each: each.permit(a.clinic.member_id), all_))
        at_a, at_b = all_[:4], all_[4:]
        permits = {each.subject: consent for each, consent in zip(all_, given, strict=True)}
        until(lambda: all(may_read(a, each) for each in at_a), "A's permits are final")
        until(lambda: all(may_read(b, each) for each in at_b), "B's permits are final")
        kept, ended, heard, missed, sheeted, ended_at_b = all_
        story = Story(
            network,
            a,
            b,
            kept,
            ended,
            heard,
            missed,
            sheeted,
            ended_at_b,
            permits,
            sheets={each.subject: sheet(each) for each in all_},
            stops={each.subject: single(each, permits[each.subject]) for each in all_},
            old=a.service.http.get("/v1/ledger").json()["consent_registry"],
        )
        for each in (story.ended, story.ended_at_b):
            each.wallet.revoke(permits[each.subject])
        for one in (a, b):
            until(lambda one=one: not under_way(one.service, "revocation", "consent"), "all is settled")  # type: ignore[misc]
            one.site.stop()
        yield story


@pytest.fixture(scope="module")
def story(before: Story, network: Testnet) -> Story:
    """Both succeeded and started again."""
    a, b = before.a.site, before.b.site
    with pytest.raises(SuccessionForeign):
        b.succeed(a.deployment)  # A has not succeeded yet
    done = a.succeed()
    assert (done.subjects, done.documents) == (6, 6)  # B's as well
    height = head(network.plain[0])
    until(lambda: head(network.plain[1]) >= height, "B's node has the contracts")
    followed = b.succeed(a.deployment)
    assert (followed.subjects, followed.documents) == (6, 6)
    assert followed.deployment.contracts == done.deployment.contracts
    before.new = done.deployment.address("ConsentRegistry")
    for each in (before.a, before.b):
        each.service = each.site.start()
    return before


def test_what_stood_stands_at_both_and_new_grants_count(story: Story, tmp_path: Path) -> None:
    a, b = story.a, story.b
    for at in (a, b):
        ledger = at.service.http.get("/v1/ledger").json()
        assert ledger["consent_registry"] == story.new != story.old
        assert set(at.service.http.get("/health/ready").json()["parts"].values()) == {"up"}
    for at, patients in ((a, story.at_a()), (b, story.at_b())):
        ended = (story.ended, story.ended_at_b)
        assert [may_read(at, each) for each in patients] == [each not in ended for each in patients]
    for at, patient in ((a, story.ended), (b, story.ended_at_b)):
        patient.permit(at.clinic.member_id)
        until(lambda at=at, patient=patient: may_read(at, patient), "the new grant is final")  # type: ignore[misc]
    # Whoever joins now joins the contracts that count, and reads those of before on the chain.
    settings = {**story.network.settings(story.network.plain[0].node.rpc_url), "tenant": "third"}
    joined = join(tmp_path, a.site.deployment, **settings)
    assert (joined["consent_registry"], joined["standing"]) == (story.new, "unknown")


def test_old_sheet_handed_to_the_other_custodian_denies_at_both(story: Story) -> None:
    a, b, patient = story.a, story.b, story.sheeted
    later = patient.permit(b.clinic.member_id, purposes=["TREAT"], categories=["laboratory"])
    until(lambda: not under_way(b.service, "consent"), "the new one is final")
    assert may_read(b, patient)
    held = story.sheets[patient.subject]
    assert hand_in(a.service, held).status_code == 200
    until(lambda: not may_read(b, patient), "B denies", seconds=WITHIN_SECONDS)
    subject = SubjectId(int(patient.subject, 16))
    for at in (a, b):
        until(lambda at=at: not under_way(at.service, "revocation"), "it is settled")  # type: ignore[misc]
        stores = at.service.world.stores
        names = tuple(ConsentId(bytes.fromhex(each[2:])) for each in (story.permits[patient.subject], later))
        found = stores.ledger.evidence(subject, names, block=stores.chain.view().final_number)
        assert found.epoch == held["epoch"] + 1
    assert not may_read(b, patient)
    (entry,) = stops_in_log(patient)
    assert (entry["type"], entry["detail"]["epoch"]) == ("consent.revoked_all", held["epoch"])
    assert entry["detail"]["contract"] == story.old
    # It ended that epoch and no other, whoever hands it in once more.
    patient.permit(b.clinic.member_id)
    until(lambda: may_read(b, patient), "what is permitted afterwards counts")
    for at in (a, b):
        assert hand_in(at.service, held).status_code == 200
    assert may_read(b, patient)
    assert len(stops_in_log(patient)) == 1


def test_stop_that_a_stranger_sends_to_the_old_contract_denies_at_once_and_is_logged_once(
    story: Story,
) -> None:
    a, network = story.a, story.network
    node = network.validators[1]
    stranger = Account.create()
    network.fund([stranger.address])
    until(lambda: int(node.ask("eth_getBalance", stranger.address, "latest"), 16) > 0, "the node knows it")

    def send(patient: Patient, *, everything: bool) -> Outcome:
        held = (story.sheets if everything else story.stops)[patient.subject]
        signature = bytes.fromhex(held["signature"][2:])
        stop = (
            Revocation(signature, subject=SubjectId(int(patient.subject, 16)), epoch=held["epoch"])
            if everything
            else Revocation(signature, ConsentId(bytes.fromhex(held["consent_id"][2:])))
        )
        return send_stop(
            HeldStop(stop, network.network.chain_id, None),
            url=node.node.rpc_url,
            # Of the two registries in the file it finds the one that the stop was signed for.
            deployment=read_deployment(a.site.deployment) if everything else None,
            contract=None if everything else story.old,  # type: ignore[arg-type]
            payer=Payer(bytes(stranger.key), GAS_PRICE_WEI),
            wait_seconds=60,
        )

    assert may_read(a, story.heard)
    send(story.heard, everything=False)
    until(lambda: not may_read(a, story.heard), "the running service denies", seconds=WITHIN_SECONDS)
    until(lambda: bool(stops_in_log(story.heard)), "its log has it")
    until(lambda: not under_way(a.service, "revocation"), "it is settled")
    (running,) = stops_in_log(story.heard)
    assert running["consents"] == [story.permits[story.heard.subject]]
    assert running["detail"]["contract"] == story.old

    assert may_read(a, story.missed)
    a.site.stop()
    sent = send(story.missed, everything=True)
    network.await_blocks(network.network.finality_blocks + 1)
    a.service = a.site.start()
    assert not may_read(a, story.missed)
    until(lambda: bool(stops_in_log(story.missed)), "the log has what came while it was down")
    (missed,) = stops_in_log(story.missed)
    assert sent.transaction is not None
    assert missed["detail"] == {
        "epoch": story.sheets[story.missed.subject]["epoch"],
        "contract": story.old,
        "block": sent.block,
        "transaction": to_hex(sent.transaction),
        "sender": stranger.address.lower(),
    }

    logged = {each.subject: stops_in_log(each) for each in story.at_a()}
    a.service.world.stores.database["chain_positions"].delete_many({})
    a.restart()  # and it reads the whole chain again
    positions = a.service.world.stores.database["chain_positions"]
    until(lambda: positions.find_one({"_id": "stops"}) is not None, "it has read the chain")
    assert {each.subject: stops_in_log(each) for each in story.at_a()} == logged
    assert not any(may_read(a, each) for each in (story.heard, story.missed))
    assert may_read(a, story.kept)

"""Every port call of an act about money breaks once, before or after its effect; then it is done, once.

Funding, committing to a result, naming a payee, proposing a payout and claiming, on real stores.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.index.money_store import (
    MongoFundingStore,
    MongoPayeeStore,
    MongoPayoutStore,
    MongoResultStore,
    MongoShareStore,
)
from backend.audit.entry import Agent, AgentKind
from backend.demo.actors import Api
from backend.idempotency import Attempt
from backend.identity.roles import Role
from backend.outbox.service import Outbox
from backend.outbox.types import Act
from backend.research.jobs.kept import KeptResult
from backend.research.money import claims, funding, payees, payouts, results, settling
from backend.research.money.claims import Claims
from backend.research.money.entries import MoneyEntries
from backend.research.money.funding import Funding
from backend.research.money.payees import Payees
from backend.research.money.payouts import Payouts
from backend.research.money.results import Results, late_result
from backend.research.money.settling import Settling
from backend.research.money.shares import PerPatient
from backend.research.money.types import EscrowTerms, Payee, PayeeKind, RoundId, RunId
from backend.research.result import ProtectedRange, RunResult
from backend.research.study import Study
from backend.research.types import StudyId
from backend.sealed import DocumentSealer
from backend.types import Address, Bytes32, MemberId, SubjectId
from tests.integration.api.study_world import StudyWorld, new_account, open_study_world, signed_text
from tests.integration.api.world import Patient, staff
from tests.support.breaking_process import LEASE_IS_OVER, Laid, break_at_each_call
from tests.support.faults import Faults

BY = Agent(AgentKind.STAFF, "faults")
KINDS = [claims.ACT, funding.ACT, payees.ACT, payouts.ACT, results.ACT, settling.ACT]


@dataclass(slots=True)
class Stage:
    world: StudyWorld
    auditor: Api
    study: Study
    terms: EscrowTerms
    deposits: list[int] = field(default_factory=list)

    @property
    def subject(self) -> SubjectId:
        return SubjectId(int(self.patient.subject, 16))

    @property
    def patient(self) -> Patient:
        return self.world.patients[0]

    def entries(self, kind: str, **detail: str) -> int:
        """How many entries of this kind have these details."""
        found = self.auditor.get("/v1/log/entries", limit=200)["entries"]
        return sum(entry["type"] == kind and detail.items() <= entry["detail"].items() for entry in found)

    def own_entries(self, kind: str, **detail: str | int) -> int:
        return sum(
            entry["type"] == kind and detail.items() <= entry["detail"].items()
            for entry in self.patient.accesses()
        )


class Process:
    """The services of one process over ports that break. ``late``: a lease of before is over for it."""

    def __init__(self, stage: Stage, faults: Faults, *, late: bool = False) -> None:
        stores, wrap = stage.world.service.world.stores, faults.wrap

        def clock() -> int:
            return int(time.time()) + (LEASE_IS_OVER if late else 0)

        self.outbox = Outbox(
            store=wrap(MongoActStore(stores.database, stores.keys), "acts"),
            clock=clock,
            holder=secrets.token_hex(8),
        )
        self.driver: Any = Laid()
        sealer = DocumentSealer(stores.keys)
        services = stage.world.service.world.services
        entries = MoneyEntries(audit=wrap(services.audit, "audit"), clock=lambda: int(time.time()))
        ledger = wrap(stores.money, "money")
        members = wrap(stores.participants, "members")
        shares = wrap(MongoShareStore(stores.database, stores.keys), "shares")
        payout_rows = wrap(MongoPayoutStore(stores.database, stores.keys), "payouts")
        payee_rows = wrap(MongoPayeeStore(stores.database, stores.keys), "payees")
        result_rows = wrap(MongoResultStore(stores.database, stores.keys), "results")
        shared: dict[str, Any] = {"ledger": ledger, "outbox": self.outbox, "entries": entries}
        self.funding = Funding(
            **shared,
            members=members,
            names=wrap(SealedMemberNames(stores.database, sealer), "names"),
            fundings=wrap(MongoFundingStore(stores.database, stores.keys), "fundings"),
            office=MemberId(stores.keys.get_or_create("salt", "payments-office").reveal()),
            driver=self.driver,
            clock=lambda: int(time.time()),
        )
        self.results = Results(**shared, results=result_rows, clock=lambda: int(time.time()))
        self.payees = Payees(
            **shared,
            members=members,
            payees=payee_rows,
            shares=shares,
            may_decide=services.erasure.may_erase,
            contracts=stores.ledger,
            sealer=sealer,
            account_key=stores.keys.get_or_create("salt", "payee-accounts").reveal(),
        )
        self.payouts = Payouts(
            **shared,
            results=self.results,
            shares=shares,
            payouts=payout_rows,
            payee_rows=payee_rows,
            payees=self.payees,
            sealer=sealer,
            clock=lambda: int(time.time()),
        )
        self.claims = Claims(
            **shared,
            results=result_rows,
            shares=shares,
            payouts=self.payouts,
            payout_rows=payout_rows,
            payee_rows=payee_rows,
            sealer=sealer,
            driver=self.driver,
        )
        self.settling = Settling(**shared, results=self.results, payouts=self.payouts, driver=self.driver)

    def go_on(self) -> None:
        for act in self.driver.handed:
            self.outbox.drive(act)

    def recover(self) -> None:
        self.outbox.recover()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_study_world(
        tmp_path_factory.mktemp("money-faults") / "data", payout_objection_seconds=0
    ) as world:
        auditor = staff(world.service, "faults-auditor", Role.AUDITOR)
        services = world.service.world.services
        study = services.studies.get(StudyId(bytes.fromhex(world.approved_study()[2:])))
        world.fund("0x" + study.study_id.hex(), 10**9)
        yield Stage(world, auditor, study, services.money.book.by_invoice(study), [10**9])


Run = Callable[[Process], object]
Deed = tuple[Run, Callable[[], None]]  # the act, and what must hold once it was done


def funding_it(stage: Stage) -> Deed:
    invoice, amount = f"INV-{secrets.token_hex(8)}", 1000 + len(stage.deposits)
    before = list(stage.deposits)
    stage.deposits.append(amount)

    def check() -> None:
        money = stage.world.service.world.stores.money
        assert [deposit.received for deposit in money.deposits(stage.terms)] == [*before, amount]
        assert stage.entries("escrow.funded", invoice=invoice) == 1

    return lambda process: process.funding.fund(stage.terms, amount, invoice=invoice, by=BY), check


def committing(stage: Stage) -> Deed:
    result = result_of(stage)
    digest, commitment = Bytes32(result.digest), KeptResult.of(stage.study, result, None).commitment

    def check() -> None:
        money = stage.world.service.world.stores.money
        study = Bytes32(stage.study.study_id)
        assert money.committed_at(study, digest)
        assert money.committed_at(study, late_result(digest, 1))
        assert stage.entries("study.result_committed", result="0x" + digest.hex()) == 1
        services = stage.world.service.world.services
        assert [row.result for row in services.money.results.of_study(study)].count(digest) == 1

    return lambda process: process.results.commit(stage.study, commitment, by=BY), check


def naming(stage: Stage) -> Deed:
    services, account = stage.world.service.world.services, Address(new_account())
    study = Bytes32(stage.study.study_id)
    MongoShareStore(stage.world.service.world.stores.database, stage.world.service.world.stores.keys).put(
        study, RunId(b"\1" * 32), [stage.subject]
    )
    text, number = services.money.payees.draft(study, stage.subject, account, PayeeKind.OWN)
    payee = Payee(
        study=study,
        subject=stage.subject,
        account=account,
        kind=PayeeKind.OWN,
        number=number,
        signer=Address(stage.patient.wallet.address),
        signature=bytes.fromhex(signed_text(stage.patient.wallet, text)[2:]),
    )

    def check() -> None:
        assert services.money.payees.of(study, stage.subject) == payee
        named = {"study": "0x" + study.hex(), "number": number}
        assert stage.own_entries("payee.named", **named) == 1

    return lambda process: process.payees.name(payee, by=BY), check


def paying_out(stage: Stage) -> Deed:
    digest = committed(stage)
    money = stage.world.service.world.services.money
    attempt = Attempt(begun_at=int(time.time()), seed=secrets.token_bytes(32))  # type: ignore[arg-type]
    before = money.ledger.escrow(stage.terms).available

    def check() -> None:
        (found,) = [each for each in money.payouts.of_study(stage.terms.study) if each.tree.base == digest]
        assert found.state.remaining == found.tree.total == 500
        assert money.ledger.escrow(stage.terms).available == before - 500
        assert stage.entries("payout.proposed", round="0x" + found.tree.round.hex()) == 1

    def run(process: Process) -> object:
        return process.payouts.propose(stage.terms, digest, PerPatient(50), missing=0, attempt=attempt, by=BY)

    return run, check


def claiming(stage: Stage) -> Deed:
    digest = committed(stage)
    money = stage.world.service.world.services.money
    account = money.payees.of(stage.terms.study, stage.subject)
    assert account is not None
    tree = money.payouts.propose(
        stage.terms,
        digest,
        PerPatient(70),
        missing=0,
        attempt=Attempt.only(now=int(time.time())),
        by=BY,
    )
    before = stage.world.balance(account.account)

    def check() -> None:
        state = money.ledger.payout(tree.round)
        assert state.remaining == tree.total - 70
        assert stage.world.balance(account.account) == before + 70
        assert stage.own_entries("payment.claimed", round="0x" + tree.round.hex()) == 1

    return lambda process: process.claims.claim(stage.subject, RoundId(tree.round), by=BY), check


def committed(stage: Stage) -> Bytes32:
    """A result of one patient, who has named where to be paid; committed to."""
    world = stage.world.service.world
    study, result = Bytes32(stage.study.study_id), result_of(stage)
    MongoShareStore(world.stores.database, world.stores.keys).put(
        study, RunId(result.run_id), [stage.subject]
    )
    if world.services.money.payees.of(study, stage.subject) is None:
        stage.world.name_payee(stage.patient, "0x" + study.hex(), new_account())
    commitment = KeptResult.of(stage.study, result, None).commitment
    world.services.money.results.commit(stage.study, commitment, by=BY)
    return Bytes32(result.digest)


def result_of(stage: Stage) -> RunResult:
    """What a run of one patient could give."""
    return RunResult(
        study=stage.study.study_id,
        run_id=secrets.token_bytes(32),
        block=stage.world.service.world.stores.chain.view().head_number,
        included=ProtectedRange(0, 10),
        excluded=ProtectedRange(0, 10),
        answers=(),
        table=None,
        table_refusal="",
        epsilon="0.100000",
        delta_exponent=6,
        participants=("00" * 16,),  # type: ignore[arg-type]
        thresholds=(),
        threshold_refusal="",
        snapshot=secrets.token_bytes(32),
        row_pseudonyms=(),
        export=None,
        export_refusal="",
    )


# So many calls the shortest act makes; the suite breaks after each of them.
FEWEST: dict[Callable[[Stage], Deed], int] = {
    funding_it: 14,
    committing: 9,
    naming: 9,
    paying_out: 12,
    claiming: 8,
}


@pytest.mark.parametrize("make", list(FEWEST))
def test_act_broken_at_each_port_call_is_complete_exactly_once_after_a_restart(
    stage: Stage, make: Callable[[Stage], Deed]
) -> None:
    number = break_at_each_call(
        lambda: make(stage),
        lambda faults, late: Process(stage, faults, late=late),
        lambda: unfinished(stage),
    )
    assert number >= FEWEST[make]


def unfinished(stage: Stage) -> list[Act]:
    stores = stage.world.service.world.stores
    return MongoActStore(stores.database, stores.keys).unfinished(KINDS)

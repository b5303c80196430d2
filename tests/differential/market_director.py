"""Sequences about studies and money: a few studies, escrows in two tokens, payouts that are disputed and
claimed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from tests.differential.acts import Act
from tests.differential.directing import CLINIC, HOSPITAL, Director, Weights
from tests.differential.documents import FOREVER, NOBODY, ZERO, InPerson
from tests.differential.market_acts import (
    BlockAccount,
    ByBoard,
    Claim,
    ClaimBatch,
    ClosePayout,
    CommitResult,
    Fund,
    NameDonation,
    ObjectToPayout,
    PermitStudy,
    ProposePayout,
    Refund,
    RefuseStudy,
    Release,
    ResumeStudy,
    RevokeStudy,
    SettlePayout,
    SuspendStudy,
)
from tests.differential.market_terms import Escrow, Payment, merkle_proof
from tests.differential.member_model import CUSTODIAN, ETHICS_BOARD, RESEARCHER
from tests.differential.timing import DAY

BODO, BIBI, BERTA, FUNDER, FRED = (bytes([0x30 + n]) * 32 for n in range(5))
ROLES = {
    HOSPITAL: CUSTODIAN,
    CLINIC: CUSTODIAN,
    FUNDER: RESEARCHER,
    FRED: RESEARCHER,
    BODO: ETHICS_BOARD,
    BIBI: ETHICS_BOARD,
    BERTA: ETHICS_BOARD,
}
RULES = b"\x55" * 32
STUDIES = [bytes([0x61 + n]) * 32 for n in range(3)]
PAYEES = ("payee one", "payee two", "payee three", "charity")


class MarketDirector(Director):
    calm = 0.9

    def begin(self) -> None:
        accounts = {HOSPITAL: "hospital", CLINIC: "desk's wallet", FUNDER: "funder", FRED: "fred's wallet"}
        accounts |= {BODO: "bodo", BIBI: "bibi", BERTA: "berta's wallet"}
        for member, name in accounts.items():
            self.admit(member, self.account(name), ROLES[member])
        self.drafts: list[ProposePayout] = []  # with their trees, to claim from
        for study in STUDIES:
            escrow = replace(self.escrow(), study=study)
            if self.chance(0.9):
                self.play(Fund(self.now, escrow, 10_000, self.received(escrow, 10_000), escrow.funder))
            if self.chance(0.9):
                end = self.now + self.one((20 * DAY, 60 * DAY, 400 * DAY))
                self.play(PermitStudy(self.now, self.board(), study, RULES, self.now, end, FOREVER))

    def full_roles(self, member: bytes) -> int:
        return ROLES.get(member, CUSTODIAN)

    def holder(self, member: bytes) -> str:
        return self.world.members.members[member].held.account

    def board(self, least: int = 2) -> tuple[InPerson, ...]:
        """Enough members, ascending, all by signature or one as the sender."""
        members = self.world.members
        able = [m for m in (BODO, BIBI, BERTA) if members.member_has_role(m, ETHICS_BOARD)] or [BODO, BIBI]
        chosen = self.rng.sample(able, min(len(able), self.rng.randint(least, 3)))
        accounts = sorted((self.holder(member) for member in chosen), key=lambda account: int(account, 16))
        sends = self.rng.randrange(len(accounts)) if self.chance(0.5) else -1
        return tuple(InPerson(a, "sends" if n == sends else "signs") for n, a in enumerate(accounts))

    def escrow(self) -> Escrow:
        custodian = self.one((HOSPITAL, CLINIC))
        funder = self.holder(self.one((FUNDER, FRED)))
        token = self.chain.addresses[self.one(("Coin", "Coin", "FeeCoin"))]
        return Escrow(self.one(STUDIES), custodian, funder, token)

    def known_escrow(self) -> Escrow:
        known = self.funded()
        rich = [escrow for escrow in known if self.world.market.money(escrow).free]
        return self.one(rich or known or [self.escrow()])

    def funded(self) -> list[Escrow]:
        """The escrows that somebody tried to fund, of custodians that there are."""
        escrows = dict.fromkeys(act.escrow for act in self.acts if isinstance(act, Fund))
        return [escrow for escrow in escrows if escrow.custodian in self.world.members.members]

    def received(self, escrow: Escrow, amount: int) -> int:
        return amount - amount // 10 if escrow.token == self.chain.addresses["FeeCoin"] else amount

    def payout(self, *, of: str = "") -> ProposePayout | None:
        """One that stands; of one kind, if there is one."""
        market = self.world.market
        found = [d for d in self.drafts if market.payouts.get(d.escrow.round_of(d.result))]
        if of == "waiting":
            waiting = [d for d in found if self.now < market.payouts[d.escrow.round_of(d.result)].opens_at]
            found = waiting if waiting or self.chance(0.8) else found
        return self.one(found) if found else None

    # --- studies

    def permit(self) -> Act:
        study = self.one([*STUDIES, self.salt()])
        end = self.now + self.one((20 * DAY, 60 * DAY, 400 * DAY, 3660 * DAY))
        return PermitStudy(self.now, self.board(), study, RULES, self.now - self.one((0, 5)), end, FOREVER)

    def refuse(self) -> Act:
        return RefuseStudy(
            self.now, self.board(), self.one([*STUDIES, self.salt(), self.salt(), self.salt()])
        )

    def revoke(self) -> Act | None:
        return RevokeStudy(self.now, self.board(), self.one(STUDIES)) if self.chance(0.4) else None

    def suspend(self) -> Act:
        study = self.one(STUDIES)
        return SuspendStudy(self.now, self.board(1), study, self.world.market.permit(study).round)

    def resume(self) -> Act | None:
        permits = self.world.market.permits
        stopped = [study for study, permit in permits.items() if permit.is_suspended or self.chance(0.1)]
        if not stopped:
            return None
        study = self.one(stopped)
        return ResumeStudy(self.now, self.board(), study, permits[study].round)

    def name_donation(self) -> Act:
        return NameDonation(
            self.now, self.board(), self.account(self.one(("charity", "charity", "payee one")))
        )

    # --- money

    def fund(self) -> Act:
        escrow, amount = self.escrow(), self.one((10, 1000, 5000))
        return Fund(self.now, escrow, amount, self.received(escrow, amount), escrow.funder)

    def release(self) -> Act | None:
        escrow = self.known_escrow()
        return Release(self.now, escrow, self.holder(escrow.custodian)) if self.chance(0.4) else None

    def refund(self) -> Act:
        escrow = self.known_escrow()
        if self.chance(0.1):
            until = self.world.market.locked_until(escrow.study)
            if self.now < until < self.now + 100 * DAY:
                self.world.clock.now = until + self.one((-1, 0, 1))
        if self.chance(0.3):
            return Refund(self.now, escrow, self.account("payee three"), escrow.funder)
        return Refund(self.now, escrow, escrow.funder, self.account("stranger"))

    def block(self) -> Act:
        token = self.chain.addresses[self.one(("Coin", "FeeCoin"))]
        account = self.one((self.account(self.one(PAYEES)), self.holder(FUNDER)))
        return BlockAccount(self.now, token, account, (token, account) not in self.world.market.blocked)

    def commit_result(self) -> Act:
        sender = self.holder(self.one((HOSPITAL, CLINIC)))
        return CommitResult(self.now, self.one(STUDIES), RULES, self.salt(), sender)

    def propose(self) -> Act | None:
        market = self.world.market
        choices = [
            (escrow, result)
            for study, custodian, result in market.results
            for escrow in self.funded()
            if escrow.study == study and escrow.custodian == custodian
        ]
        fresh = [c for c in choices if c[0].round_of(c[1]) not in market.payouts and market.money(c[0]).free]
        rejected = [c for c in choices if (p := market.payouts.get(c[0].round_of(c[1]))) and p.is_rejected]
        if not choices:
            return None
        pool = rejected if rejected and self.chance(0.5) else fresh
        escrow, result = self.one(sorted(pool or choices, key=lambda c: (c[0].id, c[1])))
        payments = tuple(self.payment(number) for number in range(self.rng.randint(1, 7)))
        free = market.money(escrow).free
        total = min(free, sum(payment.amount for payment in payments) - self.one((0, 0, 1)))
        act = ProposePayout(self.now, escrow, result, payments, total, self.holder(escrow.custodian))
        self.drafts = [d for d in self.drafts if (d.escrow, d.result) != (escrow, result)] + [act]
        return act

    def payment(self, index: int) -> Payment:
        names = ("payee one", "payee one", "payee two", "payee three", "charity", "charity", "bodo")
        account = self.one(
            (*(self.account(name) for name in names), NOBODY, self.chain.addresses["ResearchMarket"])
        )
        return Payment(index, account, self.rng.randint(1, 300), self.salt())

    def object_to_payout(self) -> Act | None:
        draft = self.payout(of="waiting")
        if draft is None:
            return None
        account = self.one((draft.escrow.funder, self.holder(self.one((BODO, BERTA)))))
        attempt = self.world.market.payouts[draft.escrow.round_of(draft.result)].attempt
        return ObjectToPayout(
            self.now, draft.escrow, draft.result, attempt, self.in_person(account, "sends", "signs")
        )

    def settle(self) -> Act | None:
        draft = self.payout(of="waiting")
        if draft is None:
            return None
        payout = self.world.market.payouts[draft.escrow.round_of(draft.result)]
        stands = payout.is_objected and self.chance(0.5)
        return SettlePayout(self.now, self.board(), draft.escrow, draft.result, payout.attempt, stands)

    def wait_for_payout(self) -> None:
        draft = self.payout(of="waiting")
        if draft:
            opens = self.world.market.payouts[draft.escrow.round_of(draft.result)].opens_at
            self.world.clock.now = max(self.now, opens + self.one((-1, 0, 0, 1)))
        return

    def claim(self) -> Act | None:
        draft = self.payout()
        if draft is None:
            return None
        payout = self.world.market.payouts[draft.escrow.round_of(draft.result)]
        if self.now < payout.opens_at and self.chance(0.7):
            self.world.clock.now = payout.opens_at
        return self.claim_of(draft, self.rng.randrange(len(draft.payments)))

    def claim_of(self, draft: ProposePayout, position: int) -> Claim:
        proof = merkle_proof(draft.escrow.round_of(draft.result), draft.payments, position)
        return Claim(self.now, draft.escrow, draft.result, draft.payments[position], tuple(proof))

    def claim_batch(self) -> Act | None:
        draft = self.payout()
        if draft is None:
            return None
        items = [self.claim_of(draft, n) for n in range(len(draft.payments)) if self.chance(0.7)]
        items = [self.spoilt_claim(item) if self.chance(0.1) else item for item in items]
        return ClaimBatch(self.now, tuple(items)) if items else None

    def close(self) -> Act | None:
        draft = self.payout()
        if draft is None:
            return None
        closes = self.world.market.payouts[draft.escrow.round_of(draft.result)].closes_at
        if self.now < closes and self.chance(0.15):
            self.world.clock.now = closes + self.one((-1, 0, 0, 1))
        return ClosePayout(self.now, draft.escrow, draft.result)

    weights: ClassVar[Weights] = {
        permit: 3,
        refuse: 2,
        revoke: 1,
        suspend: 2,
        resume: 4,
        name_donation: 2,
        fund: 6,
        release: 2,
        refund: 6,
        block: 3,
        commit_result: 8,
        propose: 18,
        object_to_payout: 14,
        settle: 14,
        wait_for_payout: 5,
        claim: 14,
        claim_batch: 5,
        close: 4,
        Director.change_member: 1,
    }

    # --- spoiling

    def spoil(self, act: Act) -> Act | None:
        draws: list[dict[str, Any]] = []
        if isinstance(act, ByBoard):
            draws += [{"approvals": self.spoilt_board(act.approvals)}]
        if isinstance(act, PermitStudy):
            draws += [{"study": ZERO}, {"submit_by": self.now - 1}, {"not_after": self.now}]
            draws += [{"not_after": self.now + 3660 * DAY + 1}, {"study": self.one(STUDIES)}]
        if isinstance(act, RefuseStudy):
            draws += [{"study": self.one((ZERO, self.salt(), *STUDIES))}]
        if isinstance(act, ResumeStudy):
            draws += [{"round": act.round + 1}, {"study": self.salt()}]
        if isinstance(act, NameDonation):
            draws += [{"account": self.one((NOBODY, self.chain.addresses["ResearchMarket"]))}]
        if isinstance(act, Fund | Release | CommitResult | ProposePayout):
            others = ("stranger", "hospital", "desk's wallet", "funder", "fred's wallet")
            draws += [{"sender": self.account(self.one(others))}]
        if isinstance(act, Fund):
            unknown = replace(act.escrow, custodian=self.one((FUNDER, self.salt())))
            draws += [
                {"escrow": unknown},
                {"amount": 0, "received": 0},
                {"escrow": replace(act.escrow, study=ZERO)},
            ]
            stranger = self.account("stranger")
            draws += [
                {
                    "escrow": replace(act.escrow, funder=stranger),
                    "sender": stranger,
                    "amount": 0,
                    "received": 0,
                }
            ]
        if isinstance(act, CommitResult):
            draws += [{"rules": self.salt()}, {"study": self.salt()}]
            known = [each for each in self.acts if isinstance(each, CommitResult)]
            if known and self.chance(0.5):
                return replace(known[-1], time=self.now)
        if isinstance(act, ProposePayout):
            draws += [{"total": 0}, {"total": 10**6}, {"result": self.salt()}]
        if isinstance(act, Refund):
            bad = self.one((NOBODY, self.chain.addresses["ResearchMarket"]))
            draws += [{"to": self.account("payee one"), "sender": self.account("stranger")}]
            draws += [
                {"to": bad, "sender": act.escrow.funder},
                {"escrow": replace(act.escrow, study=self.salt())},
            ]
        if isinstance(act, ObjectToPayout):
            draws += [{"by": self.spoilt_by(act.by)}, {"by": InPerson(self.account("stranger"), "signs")}]
        if isinstance(act, ObjectToPayout | SettlePayout):
            draws += [{"attempt": act.attempt + 1}]
        if isinstance(act, SettlePayout):
            draws += [{"stands": not act.stands}]
        if isinstance(act, ObjectToPayout | SettlePayout | ClosePayout):
            draws += [{"result": self.salt()}]
        if isinstance(act, Claim):
            return self.spoilt_claim(act)
        if isinstance(act, ClaimBatch) and self.chance(0.3):
            draws += [{"missing": 1}]
        return replace(act, **self.one(draws)) if draws else self.spoilt_member_act(act)

    def spoilt_board(self, approvals: tuple[InPerson, ...]) -> tuple[InPerson, ...]:
        first, *others = approvals
        spoilt = self.spoilt_by(first)
        assert isinstance(spoilt, InPerson)
        return self.one(
            [
                (first,),
                (first, *others, first),
                approvals[::-1],
                (spoilt, *others),
                self.ascending((*approvals, InPerson(self.account("stranger"), "signs"))),
            ]
        )

    def ascending(self, approvals: tuple[InPerson, ...]) -> tuple[InPerson, ...]:
        return tuple(sorted(approvals, key=lambda by: int(by.account, 16)))

    def spoilt_claim(self, act: Claim) -> Claim:
        payment = act.payment
        draws: list[dict[str, Any]] = [
            {"payment": replace(payment, amount=payment.amount + 1)},
            {"payment": replace(payment, account=self.account("payee two"))},
            {"payment": replace(payment, index=payment.index + 1)},
            {"proof": (*act.proof, self.salt())},
            {"proof": act.proof[:-1]},
            {"escrow": replace(act.escrow, study=self.salt())},
        ]
        return replace(act, **self.one(draws[: -1 if len(self.acts) % 2 else None]))

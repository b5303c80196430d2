"""Sequences about records: a few commitments that go back and forth between custodians, some withdrawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from tests.differential.acts import Act
from tests.differential.directing import CLINIC, HOSPITAL, Director, Weights
from tests.differential.documents import FOREVER, ZERO, InPerson
from tests.differential.record_acts import Commit, CommitBatch, TransferCustody, Withdraw
from tests.differential.timing import DAY

WARD = b"\x03" * 32


class RecordDirector(Director):
    def begin(self) -> None:
        self.admit(HOSPITAL, self.account("hospital"), 1)
        self.admit(CLINIC, self.account("desk's wallet"), 1)
        self.admit(WARD, self.account("clinic"), 1)
        self.pool = [self.salt() for _ in range(6)]

    def custodian(self) -> str:
        return self.one([member.held.account for member in self.world.members.members.values()])

    def commit(self) -> Act:
        return Commit(self.now, self.one(self.pool), self.custodian())

    def commit_batch(self) -> Act:
        listed = tuple(self.rng.choices(self.pool, k=self.rng.randint(1, 4)))
        return CommitBatch(self.now, listed, self.custodian())

    def withdraw(self) -> Act | None:
        held = list(self.world.records.held)
        if not held:
            return None
        custodian, commitment = self.one(held)
        if self.chance(0.5):
            self.pool.append(self.salt())
        return Withdraw(self.now, commitment, custodian)

    def transfer(self) -> Act | None:
        records = self.world.records
        held = [key for key, found in records.held.items() if not found.withdrawn_at or self.chance(0.2)]
        if not held:
            return None
        giver, taker = self.one(held)[0], self.custodian()
        mine = [commitment for custodian, commitment in held if custodian == giver]
        listed = tuple(self.rng.sample(mine, self.rng.randint(1, len(mine))))
        sends = self.one(("", "", "giver", "taker"))
        return TransferCustody(
            self.now,
            InPerson(giver, "sends" if sends == "giver" else "signs"),
            InPerson(taker, "sends" if sends == "taker" else "signs"),
            listed,
            self.one((FOREVER, self.now, self.now + DAY)),
        )

    def back(self) -> Act | None:
        """What was passed on last, the other way."""
        made = [act for act in self.acts if isinstance(act, TransferCustody)]
        if not made:
            return None
        giver, taker = (InPerson(by.account, "signs") for by in (made[-1].taker, made[-1].giver))
        return TransferCustody(self.now, giver, taker, made[-1].commitments, FOREVER)

    def again(self) -> Act | None:
        """A transfer that was made, played once more."""
        made = [act for act in self.acts if isinstance(act, TransferCustody)]
        return replace(self.one(made[-3:]), time=self.now) if made else None

    weights: ClassVar[Weights] = {
        commit: 8,
        commit_batch: 6,
        withdraw: 4,
        transfer: 14,
        back: 4,
        again: 3,
        Director.change_member: 3,
    }

    def spoil(self, act: Act) -> Act | None:
        if isinstance(act, TransferCustody):
            draws: list[dict[str, Any]] = [
                {"giver": self.flawed(act.giver)},
                {"taker": self.flawed(act.taker)},
                {"taker": replace(act.taker, account=act.giver.account)},
                {"taker": replace(act.taker, account=self.account("stranger"))},
                {"submit_by": self.now - 1},
                {"commitments": act.commitments * 2},
                {"commitments": (*act.commitments, self.salt())},
                {"commitments": (*act.commitments, ZERO)},
            ]
            return replace(act, **self.one(draws))
        if isinstance(act, Commit):
            draws = [{"commitment": ZERO}, {"sender": self.account("stranger")}, {"commitment": self.salt()}]
            return replace(act, **self.one(draws))
        if isinstance(act, CommitBatch):
            draws = [{"commitments": (*act.commitments, ZERO)}, {"sender": self.account("stranger")}]
            return replace(act, **self.one(draws))
        return self.spoilt_member_act(act)

    def flawed(self, by: InPerson) -> InPerson:
        spoilt = self.spoilt_by(replace(by, way="signs"))
        return InPerson(by.account, "signs", spoilt.flaw or "other command")

"""Sequences about recovery: policies, proposals, vetoes and lapses, with grants and revocations in
between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from tests.differential.acts import Act
from tests.differential.consent_acts import Delegate, Revoke
from tests.differential.consent_director import ConsentDirector
from tests.differential.consent_drawing import ANNA, BEN, CHILD, GUARDIANS
from tests.differential.directing import HOSPITAL, Director, Weights
from tests.differential.documents import (
    GUARDIANSHIP,
    NOBODY,
    REVOKE,
    ZERO,
    Delegation,
    InPerson,
    RecoveryPolicy,
)
from tests.differential.recovery_acts import Complete, Propose, SetPolicy, Veto, VetoByGuardian
from tests.differential.recovery_model import STANDING
from tests.differential.timing import DAY
from tests.differential.views import UNUSED_SUBJECT

UNSET = RecoveryPolicy((), 1, ZERO)


class RecoveryDirector(ConsentDirector):
    def begin(self) -> None:
        super().begin()
        self.policies: dict[bytes, RecoveryPolicy] = {}
        for subject in (ANNA, BEN):
            controller = self.controller(subject)
            guardians = [self.account(guardian) for guardian in self.rng.sample(GUARDIANS, 3)]
            guardians += [self._custodian(HOSPITAL)] * self.chance(0.3)
            for guardian in guardians:
                header = self.guardianship(subject, guardian)
                end = self.now + self.one((20 * DAY, 3000 * DAY))
                header = replace(header, not_before=self.now, not_after=end, submit_by=self.now)
                self.play(Delegate(self.now, InPerson(controller, "signs"), header))
            self.play(self.set_policy_of(subject))
        if self.chance(0.25):
            self.revoke_former_guardians()
        elif self.chance(0.5):
            self.world.clock.now += self.one((1, 12 * DAY, 13 * DAY))

    def revoke_former_guardians(self) -> None:
        """Long after they ended; it must not make them count again."""
        self.world.clock.now += 33 * DAY
        for subject in (ANNA, BEN):
            for each in self.guardianships(subject):
                if each.not_after < self.now:
                    self.play(Revoke(self.now, InPerson(self.controller(subject), "signs"), each.id))

    def guardianships(self, subject: int) -> list[Delegation]:
        return [
            each
            for each in self.book.values()
            if isinstance(each, Delegation)
            and each.subject == subject
            and each.kind == GUARDIANSHIP
            and each.id in self.world.consents.entries
        ]

    def set_policy(self) -> Act | None:
        subject = self.one([s for s in self.world.consents.subjects if self.controller(s) != NOBODY])
        return self.set_policy_of(subject)

    def set_policy_of(self, subject: int) -> SetPolicy:
        named = [each.id for each in self.guardianships(subject)]
        named = [id_ for id_ in named if self.chance(0.85)]
        policy = RecoveryPolicy(tuple(named), self.one((2, 2, 1, 1, 0)), self.salt())
        self.policies[policy.hash] = policy
        by = self.in_person(self.controller(subject), "sends", "signs")
        round_ = self.world.recovery.state(subject).policy_round
        return SetPolicy(self.now, subject, policy, round_, self.submit_by(), by)

    def propose(self) -> Act | None:
        subject = CHILD if self.chance(0.3) else self.subject()
        state = self.world.recovery.state(subject)
        policy = self.policies.get(state.policy, UNSET)
        is_child = self.controller(subject) == NOBODY
        usable = [g for g in self.guardianships(subject) if is_child or g.id in policy.guardianships]
        if not usable and self.chance(0.8):
            return None
        if is_child and self.chance(0.3):
            self.world.clock.now += STANDING  # until its guardian has stood long enough
        as_of = state.guardians_as_of or self.now
        entries, recovery = self.world.consents.entries, self.world.recovery
        good = [g for g in usable if recovery.is_guardian(entries[g.id], as_of, is_child)]
        guardians = self.guardians(good if good and self.chance(0.8) else usable)
        needed = 1 if is_child else policy.threshold
        if len(guardians) > needed and self.chance(0.7):
            guardians = guardians[:needed]
        needs_desk = is_child or state.is_veto_spent or self.world.recovery.is_pending(subject)
        new = self.account(self.one(("cora", "nora's wallet", "nils", "anna")))
        return Propose(
            time=self.now,
            subject=subject,
            controller=new,
            round=state.round,
            submit_by=self.submit_by(),
            policy=policy,
            guardians=tuple(guardians),
            signers=tuple(InPerson(g.delegate, "signs") for g in guardians),
            acceptance=InPerson(new, "signs"),
            desk_by=self.desk(subject) if self.chance(0.85 if needs_desk else 0.2) else None,
        )

    def guardians(self, usable: list[Delegation]) -> list[Delegation]:
        """By ascending account, each once."""
        return [each for _, each in sorted({int(g.delegate, 16): g for g in usable}.items())]

    def desk(self, subject: int) -> InPerson:
        custodian = self.world.consents.subjects[subject].custodian
        return InPerson(self._custodian(custodian), "signs")

    def pending(self) -> list[int]:
        return [
            subject for subject in self.world.consents.subjects if self.world.recovery.is_pending(subject)
        ]

    def veto(self) -> Act | None:
        pending = self.pending()
        subject = self.one(pending) if pending and self.chance(0.9) else self.subject()
        subject = CHILD if CHILD in pending and self.chance(0.5) else subject
        round_ = self.world.recovery.state(subject).round
        if self.controller(subject) != NOBODY:
            by = self.in_person(self.controller(subject), "sends", "signs")
            return Veto(self.now, subject, round_, by)
        live = [g for g in self.guardianships(subject) if self.world.consents.is_live(g.id, GUARDIANSHIP)]
        strong = [g for g in live if g.powers & REVOKE or self.chance(0.5)]
        if not strong:
            return None
        guardianship = self.one(strong)
        by = InPerson(guardianship.delegate, "signs")
        return VetoByGuardian(self.now, guardianship, round_, by)

    def complete(self) -> Act | None:
        pending = self.pending()
        if not pending:
            return Complete(self.now, self.subject()) if self.chance(0.1) else None
        subject = self.one(pending)
        ready = self.world.recovery.ready_at(subject)
        if self.now < ready and self.chance(0.6):
            self.world.clock.now = ready + self.one((-1, 0, 0, 1, DAY))
        return Complete(self.now, subject)

    weights: ClassVar[Weights] = {
        ConsentDirector.open_subject: 1,
        ConsentDirector.add_guardian: 3,
        ConsentDirector.give: 6,
        ConsentDirector.give_batch: 1,
        ConsentDirector.revoke: 4,
        ConsentDirector.revoke_all: 1,
        ConsentDirector.delegate: 8,
        ConsentDirector.end_delegation: 3,
        ConsentDirector.end_guardianship: 1,
        ConsentDirector.end_for_cause: 2,
        Director.change_member: 2,
        set_policy: 8,
        propose: 25,
        veto: 12,
        complete: 10,
    }

    # --- spoiling

    def spoil(self, act: Act) -> Act | None:
        if isinstance(act, Propose):
            return self.spoilt_proposal(act)
        if isinstance(act, Complete):
            return replace(act, subject=self.one((UNUSED_SUBJECT, ANNA, BEN, CHILD)))
        if isinstance(act, SetPolicy | Veto):
            draws: list[dict[str, Any]] = [{"subject": UNUSED_SUBJECT}, {"subject": CHILD}]
            draws += [
                {"round": act.round + 1},
                {"by": self.spoilt_by(act.by)},
                {"by": self.spoilt_by(act.by)},
            ]
            if isinstance(act, SetPolicy):
                draws.append({"submit_by": self.now - 1})
            return replace(act, **self.one(draws))
        if isinstance(act, VetoByGuardian):
            others = [g for g in self.book.values() if isinstance(g, Delegation)]
            other = self.one(others)
            draws = [{"round": act.round + 1}, {"by": self.spoilt_by(act.by)}]
            draws += [{"guardianship": other, "by": InPerson(other.delegate, "signs")}] * 2
            return replace(act, **self.one(draws))
        return super().spoil(act)

    def spoilt_proposal(self, act: Propose) -> Propose:
        unknown = replace(self.guardianship(act.subject, self.account("greg")), terms=self.salt())
        known = [g for g in self.book.values() if isinstance(g, Delegation)]
        custodian = self._custodian(HOSPITAL)
        draws: list[dict[str, Any]] = [
            {"subject": UNUSED_SUBJECT},
            {"round": act.round + 1},
            {"submit_by": self.now - 1},
            {"controller": self.account("stranger")},
            {"controller": NOBODY, "acceptance": InPerson(NOBODY, "signs")},
            {"acceptance": self.spoilt_by(act.acceptance)},
            {"policy": replace(act.policy, salt=self.salt())},
            {"policy": replace(act.policy, threshold=act.policy.threshold + 1)},
            {"desk_by": None},
            {"desk_by": InPerson(self.account(self.one(("stranger", "clinic", "hospital"))), "signs")},
            self.guardians_changed(act, list(act.guardians)[:-1]),
            self.guardians_changed(act, list(act.guardians)[::-1]),
            self.guardians_changed(act, [*act.guardians, *act.guardians[-1:]]),
            self.guardians_changed(act, self.guardians([*act.guardians, unknown])),
            self.guardians_changed(act, self.guardians([*act.guardians, self.one(known)])),
            self.guardians_changed(
                act, self.guardians([*act.guardians, replace(unknown, delegate=custodian)])
            ),
            {"signers": act.signers[:-1]},
        ]
        if act.signers:
            draws.append({"signers": (*act.signers[:-1], self.spoilt_by(act.signers[-1]))})
        if act.desk_by:
            draws.append({"desk_by": self.spoilt_by(act.desk_by)})
        return replace(act, **self.one(draws))

    def guardians_changed(self, act: Propose, guardians: list[Delegation]) -> dict[str, Any]:
        return {
            "guardians": tuple(guardians),
            "signers": tuple(InPerson(g.delegate, "signs") for g in guardians),
        }

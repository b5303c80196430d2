"""Sequences about encryption keys: bound, replaced and withdrawn, while recoveries come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from tests.differential.acts import Act
from tests.differential.consent_drawing import CHILD
from tests.differential.directing import Weights
from tests.differential.documents import NOBODY, ZERO, InPerson
from tests.differential.key_acts import BindKey, CheckMediated, WithdrawKey
from tests.differential.recovery_director import RecoveryDirector
from tests.differential.views import UNUSED_SUBJECT


class KeyDirector(RecoveryDirector):
    def patient(self) -> int:
        return self.one([s for s in self.world.consents.subjects if self.controller(s) != NOBODY])

    def bind_key(self) -> Act:
        subject = self.patient()
        by = self.in_person(self.controller(subject), "sends", "signs")
        following = self.world.keys.stored(subject).sequence + 1
        return BindKey(self.now, subject, self.salt(), following, self.submit_by(), by)

    def withdraw_key(self) -> Act:
        subject = self.patient()
        by = self.in_person(self.controller(subject), "sends", "signs")
        last = self.world.keys.stored(subject).sequence
        return WithdrawKey(self.now, subject, last + self.one((0, 0, 1)), by)

    def check_mediated(self) -> Act:
        bound = [s for s in self.world.consents.subjects if self.world.keys.counts(s)]
        subject = self.one(bound) if bound and self.chance(0.9) else self.patient()
        by = InPerson(self.controller(subject), "signs")
        last = self.world.keys.stored(subject).sequence
        return CheckMediated(self.now, subject, self.salt(), last, self.submit_by(), by)

    def again(self) -> Act | None:
        """A binding or withdrawal of before, as it was signed."""
        made = [act for act in self.acts if isinstance(act, BindKey | WithdrawKey)]
        return replace(self.one(made[-4:]), time=self.now) if made else None

    weights: ClassVar[Weights] = {
        bind_key: 20,
        withdraw_key: 10,
        check_mediated: 12,
        again: 4,
        RecoveryDirector.propose: 12,
        RecoveryDirector.veto: 2,
        RecoveryDirector.complete: 12,
    }

    def spoil(self, act: Act) -> Act | None:
        if not isinstance(act, BindKey | WithdrawKey | CheckMediated):
            return super().spoil(act)
        by = replace(act.by, way="signs") if isinstance(act, CheckMediated) else act.by
        draws: list[dict[str, Any]] = [
            {"subject": UNUSED_SUBJECT},
            {"subject": CHILD},
            {"sequence": self.one((act.sequence + 1, act.sequence + 2, 2**32 - 1, 0))},
            {"by": self.spoilt_by(by)},
            {"by": self.spoilt_by(by)},
        ]
        if not isinstance(act, WithdrawKey):
            draws.append({"submit_by": self.now - 1})
        if isinstance(act, BindKey):
            draws.append({"key_hash": ZERO})
        return replace(act, **self.one(draws))

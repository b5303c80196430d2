"""Sequences about members alone: admitted, amended, suspended, reinstated, reduced and removed."""

from __future__ import annotations

from typing import ClassVar

from tests.differential.acts import Act
from tests.differential.directing import CLINIC, HOSPITAL, Director, Weights


class MemberDirector(Director):
    def begin(self) -> None:
        self.admit(HOSPITAL, self.account("hospital"), 1, days=30)
        self.admit(CLINIC, self.account("desk's wallet"), 33)

    def full_roles(self, _member: bytes) -> int:
        return self.one((1, 33, 511))

    def spoil(self, act: Act) -> Act | None:
        return self.spoilt_member_act(act)

    weights: ClassVar[Weights] = {Director.change_member: 1}

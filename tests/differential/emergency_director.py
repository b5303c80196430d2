"""Sequences about emergencies: openings in time and late, policies that change, reviews that come too
late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from tests.differential.acts import Act
from tests.differential.consent_acts import OpenSubject, OpenUnderGuardian
from tests.differential.consent_director import ConsentDirector
from tests.differential.consent_drawing import ANNA, BEN, CHILD, GUARDIANS
from tests.differential.directing import CLINIC, HOSPITAL, Director, Weights
from tests.differential.documents import FOREVER, GUARDIANSHIP, NOBODY, ZERO, Delegation, InPerson
from tests.differential.emergency_acts import (
    Close,
    OpenLate,
    OpenNow,
    Review,
    SetEmergencyPolicy,
    SetEmergencyPolicyByGuardian,
)
from tests.differential.emergency_model import ALLOW, FORBID, HOUR, LIMIT, REVIEW
from tests.differential.member_model import CUSTODIAN, ETHICS_BOARD, RESPONDER
from tests.differential.views import UNUSED_SUBJECT

FIRST, SECOND, BOARD = b"\x21" * 32, b"\x22" * 32, b"\x23" * 32
ROLES = {
    HOSPITAL: CUSTODIAN,
    CLINIC: CUSTODIAN | RESPONDER,
    FIRST: RESPONDER,
    SECOND: RESPONDER,
    BOARD: ETHICS_BOARD,
}


class EmergencyDirector(ConsentDirector):
    def begin(self) -> None:
        accounts = {
            HOSPITAL: "hospital",
            CLINIC: "clinic",
            FIRST: "rita",
            SECOND: "resi's wallet",
            BOARD: self.one(("bodo", "berta's wallet")),
        }
        for member, name in accounts.items():
            self.admit(member, self.account(name), ROLES[member])
        for subject, name in ((ANNA, "anna"), (BEN, "ben's wallet")):
            by = InPerson(self.account(name), "signs")
            self.play(OpenSubject(self.now, subject, by, FOREVER, self.account("hospital")))
        guardianship = self.guardianship(CHILD, self.account(self.one(GUARDIANS)))
        guardianship = replace(guardianship, submit_by=self.now)
        by = InPerson(guardianship.delegate, "signs")
        self.play(OpenUnderGuardian(self.now, guardianship, by, self.account("hospital")))

    def full_roles(self, member: bytes) -> int:
        return ROLES.get(member, RESPONDER)

    def responders(self) -> list[str]:
        members = self.world.members
        ids = [id_ for id_ in members.members if members.member_has_role(id_, RESPONDER)]
        return [members.members[id_].held.account for id_ in ids]

    def open_emergency(self) -> Act | None:
        responders = self.responders()
        if not responders:
            return None
        ways = ["sends", "signs"]
        self.rng.shuffle(ways)
        by = InPerson(self.one(responders), ways[0])
        others = [account for account in responders if account != by.account]
        is_overdue = self.world.emergencies.overdue(self.world.members.member_of(by.account))
        countersigner = None
        if others and self.chance(0.9 if is_overdue else 0.2):
            countersigner = InPerson(
                self.one(others), "signs" if by.way == "sends" else self.one(("sends", "signs"))
            )
        duration = self.one((0, 0, 1, 600, HOUR, 4 * HOUR))
        act = OpenNow(
            self.now, self.subject(), by, self.salt(), duration, self.one((FOREVER, self.now)), countersigner
        )
        if self.chance(0.4):
            ago = self.one((0, 1, 600, HOUR, 3 * HOUR, 4 * HOUR))
            return OpenLate(**{**vars_of(act), "when": self.now - ago})
        return act

    def close(self) -> Act | None:
        emergencies = self.world.emergencies
        running = [id_ for id_ in emergencies.openings if emergencies.is_open(id_) or self.chance(0.1)]
        if not running:
            return None
        id_ = self.one(running)
        closers = {emergencies.openings[id_].responder, self.controller(emergencies.openings[id_].subject)}
        closer = self.one(sorted(closers - {NOBODY}))
        return Close(self.now, id_, self.in_person(closer, "sends", "signs"))

    def review(self) -> Act | None:
        openings = self.world.emergencies.openings
        waiting = [id_ for id_, each in openings.items() if not each.reviewed_at or self.chance(0.05)]
        if not waiting:
            return None
        id_ = self.one(waiting[:3])
        if not self.world.emergencies.is_over(openings[id_]) and self.chance(0.7):
            return None
        members = self.world.members
        reviewers = [i for i in members.members for r in (1, 8) if members.member_has_role(i, r)]
        if not reviewers:
            return None
        account = members.members[self.one(reviewers)].held.account
        return Review(self.now, id_, self.salt(), self.in_person(account, "sends", "signs"))

    def wait_for_review(self) -> None:
        """Let a review become overdue, or nearly so."""
        openings = self.world.emergencies.openings
        ahead = [each.recorded_at + REVIEW for each in openings.values() if not each.reviewed_at]
        ahead = [time for time in ahead if time > self.now + 1]
        if ahead:
            self.world.clock.now = ahead[0] + self.one((-1, 0, 1))
        return

    def wait_for_end(self) -> None:
        emergencies = self.world.emergencies
        ends = [emergencies.ends_at(each) for each in emergencies.openings.values()]
        ahead = sorted(end for end in ends if end > self.now + 1)
        if ahead:
            self.world.clock.now = ahead[0] + self.one((-1, 0, 1))
        return

    def set_emergency_policy(self) -> Act | None:
        subject = self.subject()
        policy = self.one((LIMIT, ALLOW, ALLOW, FORBID))
        round_ = self.world.emergencies.round(subject)
        controller = self.controller(subject)
        if controller != NOBODY:
            by = self.in_person(controller, "sends", "signs")
            return SetEmergencyPolicy(self.now, subject, policy, round_, by)
        consents = self.world.consents
        live = [
            each
            for each in self.book.values()
            if isinstance(each, Delegation)
            and each.subject == subject
            and consents.is_live(each.id, GUARDIANSHIP)
        ]
        if not live:
            return None
        guardianship = self.one(live)
        by = self.in_person(guardianship.delegate, "sends", "signs")
        policy = self.one((LIMIT, ALLOW, ALLOW))
        return SetEmergencyPolicyByGuardian(self.now, guardianship, policy, round_, by)

    weights: ClassVar[Weights] = {
        open_emergency: 24,
        close: 6,
        review: 10,
        wait_for_review: 2,
        wait_for_end: 4,
        set_emergency_policy: 12,
        ConsentDirector.add_guardian: 2,
        ConsentDirector.end_guardianship: 1,
        Director.change_member: 3,
    }

    def spoil(self, act: Act) -> Act | None:
        draws: list[dict[str, Any]]
        if isinstance(act, OpenNow):
            draws = [
                {"subject": UNUSED_SUBJECT},
                {"reason": ZERO},
                {"duration": self.one((4 * HOUR + 1, 2**32 - 1))},
            ]
            draws += [{"by": self.spoilt_by(act.by)}, {"by": self.spoilt_by(act.by)}]
            draws += [{"countersigner": None}, {"countersigner": InPerson(act.by.account, "signs")}]
            if act.countersigner:
                draws.append({"countersigner": self.spoilt_by(replace(act.countersigner, way="signs"))})
            times = (
                (self.now - 1, self.now + 1, self.now - 4 * HOUR - 1)
                if isinstance(act, OpenLate)
                else (self.now - 1,)
            )
            draws += [{"when": self.one(times)}] * 2
            known = [each for each in self.acts if type(each) is type(act)]
            if known and self.chance(0.15):
                return replace(self.one(known[-3:]), time=self.now)
            return replace(act, **self.one(draws))
        if isinstance(act, Close | Review):
            draws = [{"opening": self.salt()}, {"by": self.spoilt_by(act.by)}]
            if isinstance(act, Review):
                openings = list(self.world.emergencies.openings)
                took_part = self.world.emergencies.openings[act.opening].responder
                draws += [
                    {"finding": ZERO},
                    {"opening": self.one(openings)},
                    {"by": InPerson(took_part, "signs")},
                ]
            return replace(act, **self.one(draws))
        if isinstance(act, SetEmergencyPolicy):
            draws = [{"policy": 3}, {"round": act.round + 1}, {"subject": UNUSED_SUBJECT}, {"subject": CHILD}]
            return replace(act, **self.one([*draws, {"by": self.spoilt_by(act.by)}]))
        if isinstance(act, SetEmergencyPolicyByGuardian):
            other = self.guardianship(self.one((CHILD, ANNA, UNUSED_SUBJECT)), act.by.account)
            draws = [{"policy": 3}, {"policy": FORBID}, {"round": act.round + 1}, {"guardianship": other}]
            return replace(act, **self.one([*draws, {"by": self.spoilt_by(act.by)}]))
        return super().spoil(act)


def vars_of(act: OpenNow) -> dict[str, Any]:
    named = ("time", "subject", "by", "reason", "duration", "when", "countersigner")
    return {name: getattr(act, name) for name in named}

"""Sequences of acts of consent, and what can be wrong with one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from tests.differential.acts import Act
from tests.differential.consent_acts import (
    AddGuardian,
    Delegate,
    EndDelegation,
    EndForCause,
    EndGuardianship,
    GiveGrant,
    GrantBatch,
    OpenSubject,
    OpenUnderGuardian,
    Revoke,
    RevokeAhead,
    RevokeAll,
    RevokeBatch,
)
from tests.differential.consent_drawing import ANNA, BEN, CHILD, ConsentDrawing
from tests.differential.directing import Director, Weights
from tests.differential.documents import (
    FOREVER,
    NOBODY,
    ZERO,
    Delegation,
    Deputy,
    Grant,
    InPerson,
)
from tests.differential.views import UNUSED_SUBJECT


class ConsentDirector(ConsentDrawing):
    weights: ClassVar[Weights] = {
        ConsentDrawing.open_subject: 5,
        ConsentDrawing.add_guardian: 3,
        ConsentDrawing.give: 26,
        ConsentDrawing.give_batch: 6,
        ConsentDrawing.again: 4,
        ConsentDrawing.nearly_allowed: 5,
        ConsentDrawing.revoke: 16,
        ConsentDrawing.revoke_batch: 4,
        ConsentDrawing.revoke_ahead: 6,
        ConsentDrawing.revoke_all: 3,
        ConsentDrawing.delegate: 20,
        ConsentDrawing.end_delegation: 5,
        ConsentDrawing.end_guardianship: 2,
        ConsentDrawing.end_for_cause: 5,
        Director.change_member: 3,
    }

    # --- spoiling

    def spoil(self, act: Act) -> Act | None:
        if type(act).__module__.endswith("member_acts"):
            return self.spoilt_member_act(act)
        if isinstance(act, GrantBatch | RevokeBatch):
            return replace(act, missing=1)
        if isinstance(act, EndGuardianship):
            sender = self.account(self.one(("hospital", "clinic", "stranger")))
            return replace(act, sender=sender) if self.chance(0.5) else replace(act, id=self.other_id())
        draw = self.rng.random()
        if isinstance(act, AddGuardian) and draw < 0.3:
            return self.added_to_a_patient(act)
        if isinstance(act, OpenSubject | OpenUnderGuardian) and draw < 0.3:
            return replace(act, sender=self.account(self.one(("stranger", "hospital", "clinic", "rita"))))
        changed = self.spoilt_document(act) if draw < 0.7 else None
        if changed:
            return changed
        by: Any = getattr(act, "by", None)
        if isinstance(by, Deputy) and self.chance(0.6):
            return replace(act, by=self.spoilt_chain(by))  # type: ignore[call-arg]
        return replace(act, by=self.spoilt_by(by)) if by else None  # type: ignore[call-arg]

    def added_to_a_patient(self, act: AddGuardian) -> AddGuardian:
        """A guardian that the custodian adds to a subject with a controller of its own."""
        subject = self.one((ANNA, BEN))
        made = replace(act.guardianship, subject=subject, epoch=self.epoch(subject))
        return replace(
            act, guardianship=made, sender=self._custodian(self.world.consents.subjects[subject].custodian)
        )

    def spoilt_document(self, act: Act) -> Act | None:
        """The act on another document, id or subject."""
        if isinstance(act, GiveGrant):
            return replace(act, header=self.spoilt_grant(act.header))
        if isinstance(act, Delegate):
            return replace(act, header=self.spoilt_delegation(act.header))
        if isinstance(act, OpenUnderGuardian):
            return replace(act, guardianship=self.spoilt_delegation(act.guardianship))
        if isinstance(act, RevokeAhead):
            spoilt = self.spoilt_grant if isinstance(act.document, Grant) else self.spoilt_delegation
            return replace(act, document=spoilt(act.document))  # type: ignore[arg-type]
        if isinstance(act, OpenSubject):
            draws: list[dict[str, Any]] = [{"subject": 0}, {"subject": ANNA}, {"submit_by": self.now - 1}]
            draws.append({"by": InPerson(NOBODY, "signs")})
            return replace(act, **self.one(draws))
        if isinstance(act, RevokeAll):
            draws = [{"subject": UNUSED_SUBJECT}, {"epoch": act.epoch + 1}]
            return replace(act, **self.one(draws))
        if isinstance(act, Revoke | EndForCause):
            return replace(act, id=self.other_id())
        if isinstance(act, EndDelegation):
            return self.spoilt_end(act)
        return None

    def spoilt_grant(self, header: Grant) -> Grant:
        others = [id_ for id_, each in self.book.items() if each.subject != header.subject]
        delegations = [id_ for id_, each in self.book.items() if isinstance(each, Delegation)]
        draws: list[dict[str, Any]] = [
            {"kind": self.one((0, 3, 4, 6, 255))},
            {"epoch": header.epoch + 1},
            {"submit_by": self.now - 1},
            {"not_after": self.one((self.now, header.not_before, 0))},
            {"subject": self.one((0, UNUSED_SUBJECT))},
            {"supersedes": self.salt()},
            {"not_after": FOREVER},
        ]
        draws += [{"supersedes": self.one(ids)} for ids in (others, delegations) if ids]
        recorded = [
            each for each in self.book.values() if isinstance(each, Grant) and each.kind == header.kind
        ]
        if recorded and self.chance(0.2):
            return self.one(recorded)
        return replace(header, **self.one(draws))

    def spoilt_delegation(self, header: Delegation) -> Delegation:
        recorded = [id_ for id_, each in self.book.items() if isinstance(each, Delegation)]
        draws: list[dict[str, Any]] = [
            {"kind": self.one((0, 1, 3, 4, 5, 6))},
            {"epoch": header.epoch + 1},
            {"submit_by": self.now - 1},
            {"not_after": self.one((self.now, header.not_before, 0))},
            {"not_after": FOREVER},
            {"subject": self.one((0, UNUSED_SUBJECT, ANNA, BEN, CHILD))},
            {"powers": self.one((0, 16, 31))},
            {"powers": 15},
            {"depth": self.one((3, 4, 255))},
            {"parent": self.one([self.salt(), *recorded, ZERO])},
            {"delegate": NOBODY},
        ]
        known = [self.book[id_] for id_ in recorded]
        if known and self.chance(0.15):
            return self.one(known)  # type: ignore[return-value]
        return replace(header, **self.one(draws))

    def other_id(self) -> bytes:
        return self.one([self.salt(), *self.book])

    def spoilt_chain(self, by: Deputy) -> Deputy:
        """Another chain: incomplete, out of order, too long, of somebody else, or not live."""
        chain, extra = by.chain, self.new_delegation(by.chain[0].subject)
        everyone = [
            one for subject in self.world.consents.subjects for one in self.chains(subject, 0, live=False)
        ]
        draws = [
            (),
            chain[:-1],
            chain[::-1],
            (*chain, extra),
            (chain * 5)[:5],
            (extra,),
            chain[:1] + chain[2:],
        ]
        draws += [self.one(everyone)] * 6
        weak = [one for one in self.chains(by.chain[0].subject, 0) if one[0].powers != 15]
        draws += [self.one(weak)] * 8 if weak else []
        if len(chain) > 1:
            draws += [chain[:1], chain[:-1]] * 3
        draws += [(chain[0], self.one(everyone)[-1])] * 2
        made = self.one(draws)
        return Deputy(made[0].delegate if made else by.account, tuple(made), by.way)

    def spoilt_end(self, act: EndDelegation) -> EndDelegation:
        chain = act.chain
        draws = [(), chain[:-1], (*chain, self.new_delegation(chain[0].subject)), (chain * 5)[:5]]
        changed = self.one(draws)
        position = min(act.position, max(0, len(changed) - 1))
        if self.chance(0.2):
            changed, position = chain, len(chain)
        elif changed:
            return replace(
                act, chain=changed, position=position, by=InPerson(changed[position].delegate, "signs")
            )
        return replace(act, chain=changed, position=position)

"""Acts of consent, drawn so that deep states are reached: each is good as far as the models can tell."""

from __future__ import annotations

from dataclasses import replace

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
from tests.differential.directing import CLINIC, HOSPITAL, Director
from tests.differential.documents import (
    DELEGATE,
    DELEGATION,
    DENY,
    FOREVER,
    GRANT,
    GUARDIANSHIP,
    NOBODY,
    PERMIT,
    REFUSAL,
    REVOKE,
    ZERO,
    Delegation,
    Deputy,
    Grant,
    InPerson,
)
from tests.differential.timing import DAY
from tests.differential.views import chain_of

ANNA, BEN, CHILD = 7001, 7002, 7003
DELEGATES = ("cody", "carl's wallet", "cleo", "nora's wallet", "cato", "gabi")
GUARDIANS = ("gabi", "gina's wallet", "greg", "gus")


class ConsentDrawing(Director):
    def begin(self) -> None:
        self.admit(HOSPITAL, self.account("hospital"), 1)
        self.admit(CLINIC, self.account("desk's wallet" if self.chance(0.5) else "clinic"), 1)
        for subject, name in ((ANNA, "anna"), (BEN, "ben's wallet")):
            by = InPerson(self.account(name), "signs")
            sender = self._custodian(self.one((HOSPITAL, CLINIC)))
            self.play(OpenSubject(self.now, subject, by, self.now + DAY, sender))
        guardianship = self.guardianship(CHILD, self.account(self.one(GUARDIANS)))
        by = InPerson(guardianship.delegate, "signs")
        self.play(OpenUnderGuardian(self.now, guardianship, by, self._custodian(HOSPITAL)))
        for subject in (ANNA, BEN, CHILD):
            self.build_chain(subject)

    def build_chain(self, subject: int) -> None:
        """One to four delegations, one below the other, so that there is something to use from the start."""
        header = self.lasting(subject, self.rng.randrange(4))
        by = self.agreeing(subject, DELEGATE, "signs")
        if isinstance(by, Deputy):
            header = self.child(header, by.chain[0])
        while by and header.depth >= 0:
            self.play(Delegate(self.now, by, header))
            by = Deputy(header.delegate, chain_of(header, self.book))
            header = self.child(self.lasting(subject, 3), header)

    def lasting(self, subject: int, depth: int) -> Delegation:
        powers = self.one((15, 15, 15, 15, DELEGATE | GRANT, DELEGATE | REVOKE))
        header = replace(self.new_delegation(subject), kind=DELEGATION, powers=powers, depth=depth)
        window = {"not_before": self.now, "not_after": self.now + self.one((20 * DAY, 3000 * DAY))}
        return replace(header, submit_by=self.now, **window)

    def _custodian(self, member: bytes) -> str:
        return self.world.members.members[member].held.account

    # --- documents

    def subject(self) -> int:
        return self.one(list(self.world.consents.subjects))

    def controller(self, subject: int) -> str:
        found = self.world.consents.subjects.get(subject)
        return found.controller if found else NOBODY

    def epoch(self, subject: int) -> int:
        found = self.world.consents.subjects.get(subject)
        return found.epoch if found else 0

    def window(self) -> tuple[int, int]:
        begin = self.now + self.one((-1000, -1, 0, 0, 0, 60, 4000))
        length = self.one((900, 4000, 2 * DAY, 30 * DAY, 400 * DAY, 400 * DAY))
        return begin, FOREVER if self.chance(0.1) else max(begin, self.now) + length

    def submit_by(self) -> int:
        return self.one((FOREVER, self.now, self.now + 300, self.now + 5 * DAY))

    def new_grant(self, subject: int) -> Grant:
        kind = self.one((PERMIT, PERMIT, PERMIT, DENY, REFUSAL))
        header = Grant(subject, self.salt(), *self.window(), kind, self.epoch(subject), self.salt())
        header = replace(header, submit_by=self.submit_by())
        old = [id_ for id_ in self._recorded(subject, {PERMIT, DENY, REFUSAL}) if self.chance(0.5)]
        return replace(header, supersedes=self.one(old)) if old and self.chance(0.4) else header

    def new_delegation(self, subject: int) -> Delegation:
        kind = GUARDIANSHIP if self.chance(0.35) else DELEGATION
        account = self.account(self.one(GUARDIANS if kind == GUARDIANSHIP else DELEGATES))
        powers = self.one((15, 15, 15, 15, 11, 3, 2, 2, 1, 8 | 4))
        begin, end = self.now - self.one((0, 100)), self.now + self.one((2 * DAY, 60 * DAY, 3000 * DAY))
        if self.chance(0.1):
            begin, end = self.window()
        depth = self.one((3, 3, 2, 1, 0))
        made = Delegation(subject, account, powers, begin, end, kind, depth, self.epoch(subject))
        return replace(made, terms=self.salt(), submit_by=self.submit_by())

    def guardianship(self, subject: int, guardian: str) -> Delegation:
        made = self.new_delegation(subject)
        end = min(made.not_after, self.now + 5000 * DAY)
        powers = self.one((15, 15, 15, 3, 1))
        return replace(made, delegate=guardian, kind=GUARDIANSHIP, powers=powers, not_after=end)

    def _recorded(self, subject: int, kinds: set[int]) -> list[bytes]:
        entries = self.world.consents.entries.items()
        return [id_ for id_, entry in entries if entry.subject == subject and entry.kind in kinds]

    # --- who agrees

    def chains(self, subject: int, powers: int, *, live: bool = True) -> list[tuple[Delegation, ...]]:
        leaves = [
            each for each in self.book.values() if isinstance(each, Delegation) and each.subject == subject
        ]
        chains = [chain_of(leaf, self.book) for leaf in leaves]
        consents = self.world.consents
        return [chain for chain in chains if not live or not consents.chain_faults(subject, chain, powers)]

    def deputy(self, subject: int, powers: int, *, guardian: bool = False) -> Deputy | None:
        chains = self.chains(subject, powers)
        if guardian:
            chains = [chain for chain in chains if chain[0].kind == GUARDIANSHIP]
        if not chains:
            return None
        weak = [chain for chain in chains if chain[0].powers != 15]
        chains = weak if weak and self.chance(0.4) else chains
        longest = max(map(len, chains))
        chain = self.one([each for each in chains if len(each) == longest or self.chance(0.5)] or chains)
        return Deputy(chain[0].delegate, chain)

    def agreeing(
        self, subject: int, powers: int, *ways: str, guardian: bool = False
    ) -> InPerson | Deputy | None:
        controller = self.controller(subject)
        if controller == NOBODY or self.chance(0.5):
            deputy = self.deputy(subject, powers, guardian=guardian)
            if deputy or controller == NOBODY:
                return deputy
        ways = tuple(way for way in ways if way != "batch" or not self.chain.cast.is_wallet(controller))
        return self.in_person(controller, *ways)

    # --- acts

    def open_subject(self) -> Act:
        subject = self.rng.randint(8000, 8999)
        member = self.one((HOSPITAL, CLINIC))
        if self.chance(0.4):
            guardianship = self.guardianship(subject, self.account(self.one(GUARDIANS)))
            by = InPerson(guardianship.delegate, "signs")
            return OpenUnderGuardian(self.now, guardianship, by, self._custodian(member))
        by = InPerson(self.account(self.one(("cora", "nora's wallet", "nils"))), "signs")
        return OpenSubject(self.now, subject, by, self.submit_by(), self._custodian(member))

    def add_guardian(self) -> Act | None:
        subject = self.world.consents.subjects.get(CHILD)
        if subject is None or subject.custodian not in self.world.members.members:
            return None
        guardianship = self.guardianship(CHILD, self.account(self.one(GUARDIANS)))
        by = InPerson(guardianship.delegate, "signs")
        return AddGuardian(self.now, guardianship, by, self._custodian(subject.custodian))

    def give(self) -> Act | None:
        header = self.new_grant(self.subject())
        if self.chance(0.12):
            self.book[header.id] = header  # signed and kept; perhaps revoked ahead, perhaps recorded later
            return None
        kept = [
            each
            for each in self.book.values()
            if isinstance(each, Grant) and each.id not in self.world.consents.entries
        ]
        if kept and self.chance(0.25):
            header = self.one(kept)
        if self.chance(0.08):
            entries = self.world.consents.entries
            blocked = [b for b in self.book.values() if b.id in entries and not entries[b.id].not_before]
            header = self.one([b for b in blocked if isinstance(b, Grant)] or [header])
        supersedes = header.supersedes != ZERO and self.chance(0.6)
        needed = GRANT | (REVOKE if supersedes else 0)
        by = self.agreeing(header.subject, needed, "sends", "signs", "signs", "batch")
        if isinstance(by, Deputy) and header.id not in self.book:
            header = replace(header, not_after=min(header.not_after, by.chain[0].not_after))
        return GiveGrant(self.now, by, header) if by else None

    def give_batch(self) -> Act | None:
        items = [self.give() for _ in range(self.rng.randint(2, 5))]
        signed = [item for item in items if isinstance(item, GiveGrant) and isinstance(item.by, InPerson)]
        spoilt = [self.spoil(item) if self.chance(0.3) else item for item in signed]
        kept = [item for item in spoilt if isinstance(item, GiveGrant) and isinstance(item.by, InPerson)]
        items = [replace(item, by=replace(item.by, way="batch")) for item in kept]
        return GrantBatch(self.now, tuple(items), self.chance(0.05)) if items else None

    def nearly_allowed(self) -> Act | None:
        """What a delegate may do but for one power."""
        subject = self.subject()
        chains = [chain for chain in self.chains(subject, 0) if chain[0].powers != 15]
        lacking = [chain for chain in chains if chain[0].powers & (GRANT | REVOKE) == REVOKE]
        entries = self.world.consents.entries
        denies = [id_ for id_ in self._recorded(subject, {DENY}) if not entries[id_].revoked_at]
        if lacking and denies and self.chance(0.5):
            chain = self.one(lacking)
            return Revoke(self.now, Deputy(chain[0].delegate, chain), self.one(denies))
        above = [chain for chain in chains if chain[0].powers & DELEGATE and chain[0].depth]
        if not above:
            return None
        chain = self.one(above)
        wider = replace(self.child(self.lasting(subject, 0), chain[0]), powers=15)
        return Delegate(self.now, Deputy(chain[0].delegate, chain), wider)

    def again(self) -> Act | None:
        """What was recorded just now, sent once more."""
        sent = [act for act in self.acts[-4:] if isinstance(act, GiveGrant | Delegate)]
        return replace(self.one(sent), time=self.now) if sent else None

    def revoke(self) -> Act | None:
        subject = self.subject()
        ids = self._recorded(subject, {PERMIT, DENY, REFUSAL, DELEGATION, GUARDIANSHIP})
        if not ids:
            return None
        id_ = self.one(ids)
        kind = self.world.consents.entries[id_].kind
        if kind in {DELEGATION, GUARDIANSHIP} and self.chance(0.5):
            return None
        powers = REVOKE if self.chance(0.3) else self.world.consents.powers_to_revoke(kind)
        ways = ("sends", "signs", "signs", "batch")
        by = self.agreeing(subject, powers, *ways, guardian=kind == DELEGATION)
        return Revoke(self.now, by, id_) if by else None

    def revoke_batch(self) -> Act | None:
        items = [item for item in (self.revoke() for _ in range(4)) if isinstance(item, Revoke)]
        items = [
            replace(item, by=replace(item.by, way="batch")) for item in items if isinstance(item.by, InPerson)
        ]
        spoilt = [self.spoil(item) if self.chance(0.3) else item for item in items]
        kept = [item for item in spoilt if isinstance(item, Revoke) and isinstance(item.by, InPerson)]
        return RevokeBatch(self.now, tuple(kept), self.chance(0.05)) if kept else None

    def revoke_ahead(self) -> Act | None:
        subject = self.subject()
        document: Grant | Delegation
        document = self.new_grant(subject) if self.chance(0.75) else self.new_delegation(subject)
        known = [each for each in self.book.values() if each.subject == subject]
        if known and self.chance(0.5):
            document = self.one(known)
        if isinstance(document, Delegation):
            controller = self.controller(subject)
            return (
                RevokeAhead(self.now, InPerson(controller, "signs"), document)
                if controller != NOBODY
                else None
            )
        by = self.agreeing(subject, self.world.consents.powers_to_revoke(document.kind), "signs")
        return RevokeAhead(self.now, by, document) if by else None

    def revoke_all(self) -> Act | None:
        subject = self.subject()
        by = self.agreeing(subject, REVOKE, "sends", "signs", guardian=True)
        if by is None or self.chance(0.6):
            return None
        return RevokeAll(
            self.now, by, subject, self.epoch(subject) - self.chance(0.15) * (self.epoch(subject) > 0)
        )

    def delegate(self) -> Act | None:
        subject = self.subject()
        header = self.new_delegation(subject)
        by = self.agreeing(subject, DELEGATE, "sends", "signs")
        if isinstance(by, Deputy):
            chains = [chain for chain in self.chains(subject, DELEGATE) if chain[0].depth]
            if not chains:
                return None
            longest = max(map(len, chains))
            chain = self.one([each for each in chains if len(each) == longest or self.chance(0.4)])
            by = Deputy(chain[0].delegate, chain)
            header = self.child(header, chain[0])
        return Delegate(self.now, by, header) if by else None

    def child(self, header: Delegation, parent: Delegation) -> Delegation:
        powers = header.powers & parent.powers or parent.powers
        end, depth = min(header.not_after, parent.not_after), min(header.depth, parent.depth - 1)
        account = self.account(self.one(DELEGATES))
        narrowed = replace(header, powers=powers, not_after=end, depth=depth, delegate=account)
        return replace(narrowed, kind=DELEGATION, parent=parent.id)

    def end_delegation(self) -> Act | None:
        chains = self.chains(self.subject(), 0, live=self.chance(0.6))
        if not chains:
            return None
        chain = self.one(chains)
        if chain[0].depth and len(chain) < 4 and self.chance(0.3):
            child = self.child(self.new_delegation(chain[0].subject), chain[0])
            chain = (child, *chain)
        position = self.rng.randrange(len(chain))
        return EndDelegation(self.now, chain, position, InPerson(chain[position].delegate, "signs"))

    def end_guardianship(self) -> Act | None:
        ids = self._recorded(CHILD, {GUARDIANSHIP})
        custodian = self.world.consents.subjects[CHILD].custodian if ids else HOSPITAL
        if not ids or self.chance(0.5):
            return None
        return EndGuardianship(self.now, self.one(ids), self._custodian(custodian))

    def end_for_cause(self) -> Act | None:
        subject = self.subject()
        ids = self._recorded(subject, {DELEGATION, GUARDIANSHIP})
        used = [id_ for id_ in ids if any(e.given_under == id_ for e in self.world.consents.entries.values())]
        if not ids:
            return None
        id_ = self.one(used or ids)
        kind = self.world.consents.entries[id_].kind
        if self.controller(subject) == NOBODY and kind == GUARDIANSHIP:
            custodian = self.world.consents.subjects[subject].custodian
            return EndForCause(self.now, InPerson(self._custodian(custodian), "sends"), id_)
        by = self.agreeing(subject, REVOKE, "sends", "signs", guardian=True)
        return EndForCause(self.now, by, id_) if by else None

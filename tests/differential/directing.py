"""What the directors of all families share: the cast's accounts, the documents so far, and the clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any, ClassVar, TypeVar

from tests.differential.acts import Act
from tests.differential.chain import Chain
from tests.differential.documents import Delegation, Deputy, Grant, InPerson
from tests.differential.member_acts import Admit, Amend, ReduceRoles, Reinstate, Remove, Suspend
from tests.differential.member_model import ALL_ROLES, SUSPENDED, Credential
from tests.differential.outcome import Refused
from tests.differential.people import FLAWS, account_of
from tests.differential.timing import DAY, next_time
from tests.differential.views import documents_in
from tests.differential.world import World, new_world

Item = TypeVar("Item")
Weights = dict[Callable[..., Any], int]
HOSPITAL, CLINIC = b"\x01" * 32, b"\x02" * 32
OPERATOR = account_of("operator")


class Director(ABC):
    """Draws sequences. Looks at the models only, so that a sequence is a value that can be played again."""

    weights: ClassVar[Weights]
    calm = 0.0

    def __init__(self, chain: Chain, rng: Random) -> None:
        self.chain, self.rng = chain, rng
        self.world: World = new_world(chain)
        self.world.clock.now = chain.start + 10
        self.book: dict[bytes, Grant | Delegation] = {}
        self.acts: list[Act] = []
        self.wallets = {owner: chain.cast.wallet_of(owner) for owner in chain.cast.wallet_owners}

    @property
    def now(self) -> int:
        return self.world.clock.now

    def account(self, name: str) -> str:
        """The account of a person, or with "NAME's wallet" of a wallet."""
        return (
            self.wallets[name.removesuffix("'s wallet")] if name.endswith("'s wallet") else account_of(name)
        )

    def draw(self, length: int) -> list[Act]:
        """Return a sequence: a beginning, then acts as they come."""
        self.begin()
        while len(self.acts) < length:
            self.world.clock.now = next_time(self.rng, self.world, self.book, self.calm)
            makers, weights = zip(*self.weights.items(), strict=True)
            act = self.rng.choices(makers, weights)[0](self)
            if act is not None and self.rng.random() < 0.3:
                act = self.spoil(act) or act
            if act is not None:
                self.play(act)
        return self.acts

    def play(self, act: Act) -> None:
        self.acts.append(act)
        self.book |= {document.id: document for document in documents_in(act)}
        with suppress(Refused):
            act.apply(self.world)

    @abstractmethod
    def begin(self) -> None:
        """Do what every sequence begins with."""

    @abstractmethod
    def spoil(self, act: Act) -> Act | None:
        """Return the act with one thing wrong, as far as one can tell."""

    # --- drawing

    def one(self, items: Sequence[Item]) -> Item:
        return self.rng.choice(items)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def salt(self) -> bytes:
        return self.rng.randbytes(32)

    def in_person(self, account: str, *ways: str) -> InPerson:
        return InPerson(account, self.one(ways or ("signs",)))

    def spoilt_by(self, by: InPerson | Deputy) -> InPerson | Deputy:
        """The same with a signature that is not good, or from somebody else."""
        account, flaw = by.account, self.one(FLAWS)
        if by.way == "sends" or self.chance(0.4):
            account, flaw = self.account("stranger"), ""
        if isinstance(by, Deputy):
            return Deputy(account, by.chain, by.way, flaw)
        return InPerson(account, by.way, flaw)

    # --- members

    def admit(self, member: bytes, account: str, roles: int, days: int = 4000) -> None:
        expiry = self.now + days * DAY
        self.play(Admit(self.now, member, Credential(account, roles, expiry), OPERATOR))

    def change_member(self) -> Act | None:
        """Mostly a suspension that soon ends; sometimes a new account, fewer roles or an expiry."""
        members = self.world.members.members
        suspended = [id_ for id_, member in members.items() if member.standing == SUSPENDED]
        if suspended and self.chance(0.6):
            return Reinstate(self.now, self.one(suspended), OPERATOR)
        id_ = self.one(list(members))
        held = members[id_].held
        draw = self.rng.random()
        if draw < 0.35:
            return Suspend(self.now, id_, OPERATOR)
        if draw < 0.75:
            account = self.one((held.account, held.account, self.account("rita")))
            expiry = self.now + self.one((DAY, 400 * DAY, 4000 * DAY))
            roles = self.full_roles(id_)
            return Amend(
                self.now, id_, Credential(account, roles, expiry, self.salt(), self.salt()), OPERATOR
            )
        if draw < 0.85:
            return ReduceRoles(self.now, id_, self.one((1, 2, 4, 8, 32)), OPERATOR)
        if draw < 0.93:
            expiry = self.now + 100 * DAY
            account = self.account(self.one(("stranger", "cleo", "cato")))
            return Admit(self.now, self.salt(), Credential(account, self.one((2, 16, 64)), expiry), OPERATOR)
        return Remove(self.now, id_, OPERATOR)

    def full_roles(self, _member: bytes) -> int:
        return 1

    def spoilt_member_act(self, act: Act) -> Act | None:
        if isinstance(act, Admit):
            new, stranger = act.new, self.account("stranger")
            draws = [
                (b"\0" * 32, new, OPERATOR),
                (HOSPITAL if not isinstance(act, Amend) else b"\x99" * 32, new, OPERATOR),
                (act.member, Credential(new.account, self.one((0, ALL_ROLES + 1)), new.expiry), OPERATOR),
                (act.member, Credential(new.account, new.roles, self.now), OPERATOR),
                (act.member, Credential(self._taken(act.member), new.roles, new.expiry), OPERATOR),
                (act.member, new, stranger),
            ]
            return type(act)(act.time, *self.one(draws))
        if isinstance(act, ReduceRoles):
            changed = self.one([(b"\x99" * 32, OPERATOR), (act.member, self.account("stranger"))])
            return ReduceRoles(act.time, changed[0], act.roles, changed[1])
        if isinstance(act, Suspend):
            kind = self.one((Suspend, Reinstate, Remove))
            member = self.one((b"\x99" * 32, act.member, *self.world.members.members))
            return kind(act.time, member, self.one((OPERATOR, OPERATOR, self.account("stranger"))))
        return None

    def _taken(self, member: bytes) -> str:
        others = [found.held.account for id_, found in self.world.members.members.items() if id_ != member]
        return self.one(others) if others else self.account("stranger")

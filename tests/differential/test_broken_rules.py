"""The sequences notice a broken rule: each test changes one rule of the model, and the two no longer agree.

To break the model or the contract is the same to a comparison, and breaking the model needs no compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.differential import emergency_model, recovery_model
from tests.differential.acts import Act
from tests.differential.chain import Answer, Chain
from tests.differential.documents import DENY, GUARDIANSHIP, NOBODY, REVOKE, ZERO
from tests.differential.families import FAMILIES
from tests.differential.member_model import ACTIVE
from tests.differential.playing import Expectation, compare, on_chain, on_model
from tests.differential.world import World, new_world

Patch = pytest.MonkeyPatch
_MOST_SEQUENCES = 100


@dataclass(frozen=True)
class Break:
    family: str
    rule: str
    spoil: Callable[[World, Patch], None]


def _without(error: str, owner: str, method: str) -> Callable[[World, Patch], None]:
    """Forget one error of one method of a model."""

    def spoil(world: World, patch: Patch) -> None:
        model = getattr(world, owner)
        kept = getattr(model, method)
        patch.setattr(model, method, lambda *args, **named: kept(*args, **named) - {error})

    return spoil


def _with(
    owner: str, method: str, changed: Callable[[Any], Callable[..., Any]]
) -> Callable[[World, Patch], None]:
    """Replace one method of a model."""
    return lambda world, patch: patch.setattr(getattr(world, owner), method, changed(getattr(world, owner)))


def _constant(module: Any, name: str, value: int) -> Callable[[World, Patch], None]:
    return lambda _world, patch: patch.setattr(module, name, value)


def _closed_window(consents: Any) -> Callable[..., Any]:
    return lambda entry: entry.not_before <= consents.now() <= entry.not_after


def _last_date_stays(recovery: Any) -> Callable[..., Any]:
    """The fault that these sequences found: a late revocation made a former guardian count again."""

    def is_guardian(entry: Any, as_of: int, is_child: bool) -> bool:
        begin = entry.not_before + (recovery_model.STANDING if is_child else 0)
        ended = entry.revoked_at or entry.not_after
        is_one = entry.kind == GUARDIANSHIP and entry.not_before > 0
        return is_one and begin <= as_of < ended + recovery_model.STANDING

    return is_guardian


def _paying_twice(market: Any) -> Callable[..., Any]:
    kept = market._payment_faults
    return lambda *args: kept(*args) - {"AlreadyClaimed"}


BREAKS = [
    Break(
        "members",
        "an expired credential counts",
        lambda world, patch: patch.setattr(
            world.members,
            "member_has_role",
            lambda id_, roles: (
                (found := world.members.members.get(id_)) is not None
                and found.standing == ACTIVE
                and roles != 0
                and found.roles & roles == roles
            ),
        ),
    ),
    Break("consent", "a consent counts at its end", _with("consents", "is_in_window", _closed_window)),
    Break(
        "consent",
        "revoke-all ends denies",
        _with("consents", "ends_with_epoch", lambda _m: lambda kind: kind != GUARDIANSHIP),
    ),
    Break(
        "consent",
        "a delegate supersedes without the power to revoke",
        _without("PowerMissing", "consents", "_superseding_faults"),
    ),
    Break(
        "consent",
        "a child delegation outlives its parent",
        _without("OutlivesDelegation", "consents", "_passing_on_faults"),
    ),
    Break(
        "consent",
        "a child delegation has wider powers",
        _without("PowerMissing", "consents", "_passing_on_faults"),
    ),
    Break(
        "consent", "a child delegation is as deep", _without("DepthInvalid", "consents", "_passing_on_faults")
    ),
    Break(
        "consent",
        "a broken chain counts",
        _with("consents", "_order_faults", lambda _m: lambda _chain: set()),
    ),
    Break(
        "consent",
        "a delegate ends a deny without the power to grant",
        _with("consents", "powers_to_revoke", lambda _m: lambda _kind: REVOKE),
    ),
    Break(
        "consent",
        "a contract wallet signs in a batch",
        _with("consents", "is_wallet", lambda _m: lambda _account: False),
    ),
    Break(
        "consent",
        "ending for cause leaves the permits",
        _with("consents", "ended_at", lambda _m: lambda entry: entry.revoked_at),
    ),
    Break(
        "consent",
        "an id is recorded twice",
        _without("AlreadyRecorded", "consents", "_document_faults"),
    ),
    Break(
        "consent",
        "a grant of a past epoch is recorded",
        _without("EpochNotCurrent", "consents", "_document_faults"),
    ),
    Break(
        "recovery",
        "a pending recovery freezes nothing",
        _with("consents", "is_recovery_pending", lambda _m: lambda _subject: False),
    ),
    Break(
        "recovery",
        "a pending recovery freezes denies too",
        _with("consents", "widens", lambda _m: lambda kind: kind >= DENY - 1),
    ),
    Break(
        "recovery",
        "the delay is a second shorter",
        _constant(recovery_model, "DELAY", recovery_model.DELAY - 1),
    ),
    Break(
        "recovery",
        "a later policy waits a second less",
        _constant(recovery_model, "STANDING", recovery_model.STANDING - 1),
    ),
    Break(
        "recovery",
        "a proposal lapses a second early",
        _constant(recovery_model, "LAPSE", recovery_model.LAPSE - 1),
    ),
    Break(
        "recovery", "a late revocation revives a guardian", _with("recovery", "is_guardian", _last_date_stays)
    ),
    Break(
        "recovery",
        "the guardians need no desk after a veto",
        _without("DeskNeeded", "recovery", "_desk_faults"),
    ),
    Break(
        "records",
        "what was withdrawn passes on",
        lambda world, patch: patch.setattr(world.records, "withdraw", lambda *_: []),
    ),
    Break(
        "emergencies",
        "limit gives the whole duration",
        _constant(emergency_model, "LIMIT", emergency_model.ALLOW),
    ),
    Break(
        "emergencies",
        "a review may wait a second more",
        _constant(emergency_model, "REVIEW", emergency_model.REVIEW + 1),
    ),
    Break(
        "emergencies",
        "an overdue responder opens alone",
        _without("CountersignatureNeeded", "emergencies", "_countersignature_faults"),
    ),
    Break(
        "keys",
        "a key of a former controller counts",
        _with("keys", "counts", lambda model: lambda subject: model.stored(subject).key_hash != ZERO),
    ),
    Break(
        "keys",
        "a binding that was replaced comes back",
        _without("SequenceNotNext", "keys", "_sequence_faults"),
    ),
    Break(
        "keys",
        "a key is bound while a recovery is pending",
        _without("RecoveryPending", "keys", "_widening_faults"),
    ),
    Break("market", "a payment is made twice", _with("market", "_payment_faults", _paying_twice)),
    Break(
        "market",
        "an account is paid for two studies",
        _without("AccountOfAnotherStudy", "market", "_payment_faults"),
    ),
    Break(
        "market",
        "an account has the balance of nobody",
        lambda world, patch: patch.setattr(world.market, "market", NOBODY),
    ),
]


@dataclass(frozen=True)
class Played:
    """A sequence, what the sound model expects of it and what the chain answered."""

    acts: list[Act]
    sound: list[Expectation]
    answers: list[list[Answer]]


@pytest.fixture(scope="module")
def played(chain: Chain) -> Callable[[str, int], Played]:
    """Each sequence is played on the chain once; it answers every broken model the same."""

    @cache
    def play(name: str, seed: int) -> Played:
        family = FAMILIES[name]
        acts = family.draw(chain, seed)
        sound = list(on_model(new_world(chain), acts, family.views))
        answers = on_chain(chain, sound)
        assert compare(chain, sound, answers) is None
        return Played(acts, sound, answers)

    return play


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.rule)
def test_brokenRule_isNoticed(
    broken: Break, chain: Chain, played: Callable[[str, int], Played], monkeypatch: Patch
) -> None:
    for seed in range(1, 1 + _MOST_SEQUENCES):
        sequence = played(broken.family, seed)
        with monkeypatch.context() as patch:
            world = new_world(chain)
            broken.spoil(world, patch)
            found = list(on_model(world, sequence.acts, FAMILIES[broken.family].views))
        if _questions(found) != _questions(sequence.sound) or compare(chain, found, sequence.answers):
            return
    pytest.fail(f"{_MOST_SEQUENCES} sequences did not notice that {broken.rule}")


def _questions(expected: list[Expectation]) -> list[list[bytes]]:
    """What the chain would be asked: other subjects or payouts, other questions."""
    return [[view.data for view in each.views] for each in expected]

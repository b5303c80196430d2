"""When the next act happens: soon, at a boundary and one second around it, or after days or years."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.differential.documents import FOREVER, Delegation, Grant
from tests.differential.emergency_model import REVIEW
from tests.differential.recovery_model import DELAY, LAPSE, STANDING
from tests.differential.world import World

DAY = 86_400
LATEST = 2**39 - 400 * 366 * DAY  # a slot's revoked-at of 2**39 or more is no time


def next_time(rng: Random, world: World, book: dict[bytes, Grant | Delegation], calm: float = 0.0) -> int:
    """``calm``: how often time only creeps, for families whose acts wait for each other."""
    now = world.clock.now
    draw = rng.random() * (0.7 if rng.random() < calm else 1)
    if draw < 0.15:
        return now
    if draw < 0.70:
        return now + rng.randint(1, 900)
    if draw < 0.94:
        horizon = now + 5000 * DAY if rng.random() < 0.03 else now + 30 * DAY
        ahead = sorted({time for time in _boundaries(world, book) if now + 1 < time < min(horizon, FOREVER)})
        if ahead:
            # Mostly one of the next; what is far off is mostly left for later.
            return ahead[min(int(rng.expovariate(0.7)), len(ahead) - 1)] + rng.choice((-1, 0, 1))
        if rng.random() < 0.7:
            return now + rng.randint(1, 900)
    jump = rng.choice((3600, DAY, 3 * DAY)) if draw < 0.995 else rng.randint(1, 40) * 366 * DAY
    return min(now + jump, LATEST)


def _boundaries(world: World, book: dict[bytes, Grant | Delegation]) -> Iterator[int]:
    for entry in world.consents.entries.values():
        yield from (entry.not_before, entry.not_after)
    for document in book.values():
        if document.id not in world.consents.entries:
            yield document.submit_by
    for member in world.members.members.values():
        yield member.held.expiry
    for opening in world.emergencies.openings.values():
        yield from (opening.expires_at, opening.recorded_at + REVIEW)
    for payout in world.market.payouts.values():
        yield from (payout.opens_at, payout.closes_at)
    for study, permit in world.market.permits.items():
        yield from (permit.not_after, world.market.locked_until(study))
    for subject, state in world.recovery.states.items():
        yield from (state.next_from, state.proposed_at + DELAY, state.proposed_at + DELAY + LAPSE)
        for entry in world.consents.entries.values():
            if entry.subject == subject and entry.kind == 4:
                ended = min(entry.not_after, entry.revoked_at or entry.not_after)
                yield from (ended + STANDING, entry.not_before + STANDING)

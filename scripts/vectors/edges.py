"""Cases about instants: every window is half-open, so the first second is in and the end is out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backend.consent.decision_types import DecisionInput
from backend.consent.terms import Kind, Rule
from backend.consent.uses import Taken
from backend.types import UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.case import DENY, NONE, PERMIT, Case

_SECOND: tuple[tuple[str, int, bool], ...] = (
    ("second_before_start", w.START - 1, False),
    ("first_second", w.START, True),
    ("last_second", w.END - 1, True),
    ("end", w.END, False),
)


def edges() -> Iterator[Case]:
    yield from _validity()
    yield from _windows_of_rules()
    yield from _window_of_a_deny()
    yield from _deadlines()


def _validity() -> Iterator[Case]:
    always = w.final(w.grant(label="always", not_before=1, not_after=2**40 - 1))
    # The world's members and delegations last longer than the consents here.
    for name, now, inside in _SECOND:
        at = {"now": UnixSeconds(now)}
        deny = w.final(w.grant(Kind.DENY))
        yield _case(f"deny_{name}", w.ask(always, deny, **at), DENY if inside else PERMIT)
        received = w.received(w.grant(Kind.DENY))
        yield _case(f"deny_received_{name}", w.ask(always, received, **at), DENY if inside else PERMIT)
        forbids = w.final(w.grant(Kind.PERMIT, Rule(permit=False), label="forbids"))
        yield _case(f"prohibition_{name}", w.ask(always, forbids, **at), DENY if inside else PERMIT)
        demands = Rule(permit=True, obligations=w.obligations("notify"))
        demanding = w.final(w.grant(Kind.PERMIT, demands, label="demands"))
        unfulfilled = ("deny", "obligation_unfulfilled")
        yield _case(f"obligation_{name}", w.ask(always, demanding, **at), unfulfilled if inside else PERMIT)
        mother = w.ask(w.final(w.delegation()), **w.FAMILY, **at)
        yield _case(f"delegation_{name}", mother, ("permit", "delegated_reading") if inside else NONE)
        guardian = w.ask(w.final(w.delegation(Kind.GUARDIANSHIP)), **w.FAMILY, **at)
        yield _case(f"guardianship_{name}", guardian, ("permit", "delegated_reading") if inside else NONE)


def _windows_of_rules() -> Iterator[Case]:
    start, end = w.DATA_TIME, UnixSeconds(w.DATA_TIME + 100)
    lab = w.categories("laboratory")
    deny_all = Rule(permit=False)
    for name, data_from, data_to, covered, touched in (
        ("second_before", start - 1, start, False, False),
        ("first_second", start, start + 1, True, True),
        ("last_second", end - 1, end, True, True),
        ("second_after", end, end + 1, False, False),
        ("whole_window", start, end, True, True),
        ("over_the_start", start - 1, start + 1, False, True),
        ("over_the_end", end - 1, end + 1, False, True),
        ("around_it", start - 1, end + 1, False, True),
    ):
        segment = w.segment("laboratory", data_from=data_from, data_to=data_to)
        permitting = (deny_all, Rule(permit=True, categories=lab, data_from=start, data_to=end))
        asked = w.ask(w.final(w.grant(Kind.PERMIT, *permitting)), segment=segment)
        yield _case(f"permit_rule_{name}", asked, PERMIT if covered else DENY)
        prohibiting = Rule(permit=False, data_from=start, data_to=end)
        asked = w.ask(w.final(w.grant(Kind.PERMIT, prohibiting)), segment=segment)
        yield _case(f"deny_rule_{name}", asked, DENY if touched else PERMIT)


def _window_of_a_deny() -> Iterator[Case]:
    start, end = w.DATA_TIME, UnixSeconds(w.DATA_TIME + 100)
    deny = w.final(w.grant(Kind.DENY, data_from=start, data_to=end))
    for name, data_from, data_to, touched in (
        ("second_before", start - 1, start, False),
        ("first_second", start, start + 1, True),
        ("last_second", end - 1, end, True),
        ("second_after", end, end + 1, False),
        ("around_it", start - 1, end + 1, True),
    ):
        segment = w.segment("laboratory", data_from=data_from, data_to=data_to)
        asked = w.ask(w.final(w.grant()), deny, segment=segment)
        yield _case(f"deny_of_a_period_{name}", asked, DENY if touched else PERMIT)
    before_1970 = w.segment("laboratory", data_from=-10, data_to=0)
    early = w.final(w.grant(Kind.DENY, data_from=0, data_to=1))
    yield _case(
        "data_before_1970_counts_as_of_1970", w.ask(w.final(w.grant()), early, segment=before_1970), DENY
    )


def _deadlines() -> Iterator[Case]:
    other = w.final(w.grant(label="other"))
    forbids = w.received(w.grant(Kind.PERMIT, Rule(permit=False), submit_by=w.NOW))
    yield _case("prohibition_at_its_last_second_to_be_recorded", w.ask(other, forbids), DENY)
    late = w.ask(other, forbids, now=UnixSeconds(w.NOW + 1))
    yield _case("prohibition_a_second_too_late_to_be_recorded", late, PERMIT)
    mined = w.at_head(w.grant(Kind.PERMIT, Rule(permit=False), submit_by=w.NOW))
    in_time = w.ask(other, mined, now=UnixSeconds(w.NOW + 1))
    yield _case("prohibition_recorded_in_time_and_not_final", in_time, DENY)
    erase = w.final(w.grant(erase_by=w.NOW))
    yield _case("erased_in_the_last_second", w.ask(erase, now=UnixSeconds(w.NOW - 1)), PERMIT)
    yield _case("erased_at_the_instant", w.ask(erase), (*NONE, "erase_by_passed"))
    past = w.final(w.grant(Kind.PERMIT, Rule(permit=False), label="past", erase_by=w.NOW))
    yield _case("prohibition_stands_when_copies_are_erased", w.ask(past, other), DENY)
    used = w.final(w.grant(Kind.PERMIT, Rule(permit=False), label="used", max_uses=1), taken=Taken(1))
    yield _case("prohibition_stands_when_uses_are_over", w.ask(used, other), DENY)
    over = w.ask(other, w.final(w.grant(Kind.PERMIT, Rule(permit=False), label="old")))
    over = replace(over, head=replace(over.head, epoch=1))
    yield _case("prohibition_stands_until_revoke_all_is_final", over, DENY)
    settled = replace(over, final=replace(over.final, epoch=1))
    yield _case("prohibition_ends_with_the_final_epoch", settled, NONE)
    pending = w.final(w.grant(Kind.PERMIT, Rule(permit=False), label="ending"), revocation_pending=True)
    yield _case("prohibition_stands_while_its_revocation_is_pending", w.ask(other, pending), DENY)
    ahead = w.grant(epoch=1)
    yield _case("permit_of_an_epoch_to_come", w.ask(w.final(ahead)), (*NONE, "epoch_ended"))
    both = w.ask(w.final(w.grant()), ended_epoch=5)
    yield _case("pending_revoke_all_of_a_later_epoch_ends_the_earlier", both, (*NONE, "epoch_ended"))


def _case(name: str, request: DecisionInput, expect: tuple[str, ...]) -> Case:
    return Case("edges", name, request, expect)

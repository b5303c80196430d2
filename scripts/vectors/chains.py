"""Cases about those who read for a patient: each action and purpose, and chains of delegations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from backend.consent.decision_types import DecisionInput, Evidence, Requester
from backend.consent.ledger_types import NOBODY
from backend.consent.terms import Delegation, Kind, Power
from backend.types import ConsentId
from scripts.vectors import world as w
from scripts.vectors.case import NONE, Case

_READING: Final = ("permit", "delegated_reading")
_OWN: Final = ("permit", "own_records")
_PURPOSES: Final = w.purposes("PATRQT", "FAMRQT", "PWATRNY", "SUPNWK")


def acting() -> Iterator[Case]:
    own = w.ask(requester=Requester(account=w.PATIENT), purpose=w.purposes("PATRQT"))
    delegate = w.ask(w.final(w.delegation(purposes=_PURPOSES | w.purposes("TREAT"))), **w.FAMILY)
    for code in w.TABLES.actions.bits:
        asked: dict[str, Any] = {"action": w.actions(code)}
        mine = _OWN if code in {"access", "use", "export"} else NONE
        yield Case("acting", f"patient_{code}", replace(own, **asked), mine)
        theirs = _READING if code in {"access", "use"} else NONE
        yield Case("acting", f"delegate_{code}", replace(delegate, **asked), theirs)
    for code in ("PATRQT", "FAMRQT", "PWATRNY", "SUPNWK", "TREAT"):
        purpose: dict[str, Any] = {"purpose": w.purposes(code)}
        yield Case(
            "acting", f"patient_for_{code}", replace(own, **purpose), _OWN if code == "PATRQT" else NONE
        )
        expect = NONE if code == "TREAT" else _READING
        yield Case("acting", f"delegate_for_{code}", replace(delegate, **purpose), expect)
    guarded = replace(own.final, controller=NOBODY)
    under_guardians = replace(own, requester=Requester(account=NOBODY), final=guarded, head=guarded)
    yield Case("acting", "nobody_controls_a_subject_under_guardians", under_guardians, NONE)


def chains() -> Iterator[Case]:
    broken: tuple[tuple[str, int, dict[int, dict[str, Any]], tuple[str, ...]], ...] = (
        ("of_two", 2, {}, _READING),
        ("of_four", 4, {}, _READING),
        ("with_a_link_revoked", 3, {1: {"revoked_at": w.NOW}}, NONE),
        ("with_the_root_revoked", 3, {0: {"revoked_at": w.NOW}}, NONE),
    )
    for name, links, lost, expect in broken:
        yield _chain(name, _links(links), expect, lost=lost)
    narrow = _links(3)
    # Whoever gives no ``via`` is not checked against the links above, and five are too many all the same.
    five = [*map(w.final, _links(5))]
    asked = w.ask(*five, requester=Requester(account=w.CARER), purpose=w.purposes("FAMRQT"))
    yield Case("chains", "of_five_is_too_long", asked, NONE)
    weakened: tuple[tuple[str, int, dict[str, Any], tuple[str, ...]], ...] = (
        ("with_a_link_that_may_not_pass_on", 1, {"powers": int(Power.READ)}, NONE),
        ("with_a_root_that_may_not_pass_on", 0, {"powers": int(Power.READ)}, NONE),
        ("with_a_link_for_another_purpose", 1, {"purposes": w.purposes("PWATRNY")}, NONE),
        ("with_a_link_for_another_category", 1, {"categories": w.categories("notes")}, NONE),
        ("with_the_last_link_without_reading", 2, {"powers": int(Power.GRANT)}, NONE),
        ("with_a_root_under_guardianship", 0, {"kind": int(Kind.GUARDIANSHIP)}, _READING),
        ("with_a_link_that_has_ended", 1, {"not_after": w.NOW}, NONE),
        ("with_a_link_that_begins_later", 1, {"not_before": w.NOW + 1}, NONE),
    )
    for name, place, changes, expect in weakened:
        yield _chain(name, _linked([*narrow], place, changes), expect)
    missing = _chain("with_its_parent_unknown", narrow, NONE)
    alone = w.final(narrow[2], via=(narrow[1], narrow[0]))
    yield missing._replace(request=w.ask(alone, **_reader(narrow[2])))
    permit = w.grant(label="parent")
    under = w.delegation(parent=w.final(permit).prepared.consent_id, label="under a permit")
    yield Case(
        "chains", "under_what_is_no_delegation", w.ask(w.final(permit), w.final(under), **w.FAMILY), NONE
    )
    mother = w.final(w.delegation())
    permitted = w.final(w.grant(purposes=w.purposes("FAMRQT")))
    both = Requester(w.DOCTOR, (w.CLINIC,), w.MOTHER)
    asked = w.ask(mother, permitted, requester=both, purpose=w.purposes("FAMRQT"))
    yield Case("chains", "of_a_delegate_who_has_a_permit_too", asked, ("permit", "permitted"))
    foreign = w.ask(w.final(w.delegation(subject=w.OTHER_SUBJECT)), **w.FAMILY)
    yield Case("chains", "of_another_subject", foreign, (*NONE, "other_subject"))
    labelled = w.segment("laboratory", sensitive=("MH",))
    given = w.ask(w.final(w.delegation(sensitivities=w.sensitivities("MH"))), segment=labelled, **w.FAMILY)
    yield Case("chains", "protected_data_given_to_the_delegate", given, _READING)
    bare = w.ask(w.final(w.delegation()), segment=w.segment(), **w.FAMILY)
    yield Case("chains", "data_without_category_for_the_delegate", bare, (*NONE, "other_category"))
    slots: tuple[tuple[str, dict[str, Any]], ...] = (
        ("slot_of_another_subject", {"subject": w.OTHER_SUBJECT}),
        ("slot_of_another_epoch", {"epoch": 1}),
        ("slot_with_another_end", {"not_after": w.END + 1}),
        ("slot_with_an_earlier_start", {"not_before": w.START - 1}),
    )
    for name, changes in slots:
        document = w.grant()
        slot = w.slot_of(document, **changes)
        asked = w.ask(w.final(document, final=slot, head=slot))
        yield Case("chains", name, asked, (*NONE, "slot_mismatch"))


def _links(number: int) -> list[Delegation]:
    """Return a chain from the root on; each link is to an account of its own, the last to the carer."""
    accounts = [w.MOTHER, w.STRANGER, w.MOTHER, w.STRANGER, w.MOTHER]
    found: list[Delegation] = []
    for place in range(number):
        account = w.CARER if place == number - 1 else accounts[place]
        label = f"link {place} of {number}"
        link = w.delegation(delegate=account, powers=15, depth=max(0, 3 - place), label=label)
        found.append(_below(link, found))
    return found


def _below(link: Delegation, above: Sequence[Delegation]) -> Delegation:
    return replace(link, parent=w.final(above[-1]).prepared.consent_id) if above else link


def _linked(links: Sequence[Delegation], place: int, changes: dict[str, Any]) -> list[Delegation]:
    """Return the chain with one link changed, and the links below it given under the changed one."""
    found: list[Delegation] = []
    for number, given in enumerate(links):
        terms = {name: changes[name] for name in changes if hasattr(given.terms, name)}
        outer = {name: changes[name] for name in changes if name not in terms}
        link = replace(given, terms=replace(given.terms, **terms), **outer) if number == place else given
        found.append(_below(link, found))
    return found


def _chain(
    name: str,
    links: Sequence[Delegation],
    expect: tuple[str, ...],
    *,
    lost: dict[int, dict[str, Any]] | None = None,
) -> Case:
    evidence: list[Evidence] = []
    via: dict[ConsentId, tuple[Delegation, ...]] = {}
    for place, link in enumerate(links):
        above = tuple(reversed(links[:place]))
        item = w.final(link, via=above)
        if lost and place in lost:
            item = replace(item, head=w.slot_of(link, **lost[place]))
        evidence.append(item)
        if above:
            via[item.prepared.consent_id] = above
    request: DecisionInput = w.ask(*evidence, **_reader(links[-1]))
    return Case("chains", name, request, expect, via)


def _reader(link: Delegation) -> dict[str, Any]:
    return {"requester": Requester(account=link.delegate), "purpose": w.purposes("FAMRQT")}

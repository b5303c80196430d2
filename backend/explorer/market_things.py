"""Studies, escrows, results and payouts, in the words of "Life of a study" (docs/contracts.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backend.adapters.ledger.rebuild.market import Escrow, Payout
from backend.adapters.ledger.studies import StudyState
from backend.explorer.thing import Thing, View
from backend.explorer.wording import iso
from backend.types import to_hex


def study_things(view: View, word: bytes) -> Iterator[Thing]:
    market = view.state.market
    escrows = [name for name, escrow in market.escrows.items() if escrow.study == word]
    payouts = [name for name, payout in market.payouts.items() if payout.escrow in escrows]
    permit = market.permits.get(word)
    if permit is None and not escrows:
        return
    facts: dict[str, Any] = {}
    if permit is not None and permit.not_after:
        facts |= {
            "rules": to_hex(permit.rules),
            "from": iso(permit.not_before),
            "until": iso(permit.not_after),
            "suspended or resumed": f"{permit.round} times",
        }
    results = [result for study, _, result in market.results if study == word]
    for name, found in (("escrows", escrows), ("results", results), ("payouts", payouts)):
        if found:
            facts[name] = list(map(to_hex, found))
    yield Thing("study", _study_state(view, permit), facts)


def _study_state(view: View, permit: StudyState | None) -> str:
    if permit is None:
        return "not decided"
    if not permit.not_after:
        return f"Refused {iso(permit.revoked_at)}"
    if permit.revoked_at:
        return f"Revoked {iso(permit.revoked_at)}"
    if view.now >= permit.not_after:
        return f"Ended {iso(permit.not_after)}"
    if permit.suspended:
        return "Suspended"
    return "Permitted" if view.now >= permit.not_before else f"Permitted, from {iso(permit.not_before)}"


def money_things(view: View, word: bytes) -> Iterator[Thing]:
    market = view.state.market
    escrow = market.escrows.get(word)
    if escrow is not None:
        yield _escrow(view, word, escrow)
    payout = market.payouts.get(word)
    if payout is not None:
        yield _payout(view, payout)
    for (study, custodian, result), time in market.results.items():
        if result == word:
            facts = {"study": to_hex(study), "custodian": to_hex(custodian)}
            yield Thing("result", f"committed {iso(time)}", facts)


def _escrow(view: View, word: bytes, escrow: Escrow) -> Thing:
    facts: dict[str, Any] = {"free part": str(escrow.available)}
    if escrow.funder:
        facts |= {
            "study": to_hex(escrow.study),
            "custodian": to_hex(escrow.custodian),
            "funder": escrow.funder,
            "token": escrow.token,
        }
    payouts = [name for name, payout in view.state.market.payouts.items() if payout.escrow == word]
    facts["payouts"] = list(map(to_hex, payouts))
    return Thing("escrow", _escrow_state(view, escrow), facts)


def _escrow_state(view: View, escrow: Escrow) -> str:
    if escrow.released:
        return "released: the funder may take the free part back"
    permit = view.state.market.permits.get(escrow.study)
    if permit is None or not permit.not_after:
        return "not locked: its study is not permitted"
    end = min(permit.revoked_at or permit.not_after, permit.not_after) + view.constants.grace
    return f"locked until {iso(end)}" if view.now < end else f"free since {iso(end)}"


def _payout(view: View, payout: Payout) -> Thing:
    facts: dict[str, Any] = {
        "escrow": to_hex(payout.escrow),
        "result": to_hex(payout.result),
        "attempt": payout.attempt,
        "payments made": len(payout.claimed),
        "owed and not yet claimed": str(payout.remaining),
    }
    if not payout.opens_at:
        return Thing("payout", "rejected by the board; it may be proposed again", facts)
    facts |= {
        "root": to_hex(payout.root),
        "open from": iso(payout.opens_at),
        "open until": iso(payout.closes_at),
    }
    if view.now < payout.opens_at:
        return Thing("payout", "Disputed" if payout.objected else "Waiting", facts)
    if view.now < payout.closes_at:
        return Thing("payout", "Open", facts)
    return Thing(
        "payout", "Closed" if not payout.remaining else "over, the unclaimed is not returned yet", facts
    )

"""Studies and their money."""

from __future__ import annotations

import os
from dataclasses import astuple
from typing import Any

from eth_abi import encode
from eth_utils.crypto import keccak

from backend.adapters.ledger.calls import Call, Sender
from backend.consent.member_terms import (
    NameDonation,
    PermitStudy,
    RefuseStudy,
    ResearchCommand,
    ResumeStudy,
    RevokeStudy,
    SettlePayout,
    SuspendStudy,
)
from backend.types import Bytes32, UnixSeconds
from tests.support.ledger_story.base import DAY, FOREVER, RESEARCHER, Story, named, word
from tests.support.ledger_world import HOSPITAL, SENDERS, Person, person

FUNDER = Person(SENDERS[Sender.RELAYER])
RESULTS = {name: named(name) for name in ("paid", "rejected", "upheld")}
RULES = Bytes32(named("rules"))


def studies(story: Story) -> None:
    """Studies that are permitted, refused, suspended, resumed and revoked, and a donation account."""
    story.jump(DAY)
    story.ids |= {name: named(name) for name in ("study", "refused", "suspended", "ended")}
    for name in ("study", "suspended", "ended"):
        begin, end = UnixSeconds(story.now - 60), UnixSeconds(story.now + 400 * DAY)
        _decide(story, "permitStudy", PermitStudy(_study(story, name), RULES, begin, end, FOREVER))
    _decide(story, "refuseStudy", RefuseStudy(_study(story, "refused")))
    for name in ("study", "suspended"):
        stop = story.sign(story.board, SuspendStudy(_study(story, name), 0))
        story.send("ResearchMarket", "suspendStudy", story.ids[name], 0, story.board.account, stop)
    _decide(story, "resumeStudy", ResumeStudy(_study(story, "study"), 1))
    _decide(story, "revokeStudy", RevokeStudy(_study(story, "ended")))
    donation = person().account
    _decide(story, "nameDonation", NameDonation(donation))
    story.ids["donation"] = word(donation)


def _study(story: Story, name: str) -> Bytes32:
    return Bytes32(story.ids[name])


def _decide(story: Story, function: str, command: ResearchCommand, *before: Any) -> None:
    """Send what one member of the board decides; a deployment's threshold is one by default."""
    approval = (story.board.account, story.sign(story.board, command))
    values = before or astuple(command)
    story.send("ResearchMarket", function, *values, [approval])


def payouts(story: Story) -> None:
    """Money comes in, payouts are claimed, rejected, upheld and closed, and the rest goes back."""
    study, donation = story.ids["study"], "0x" + story.ids["donation"][12:].hex()
    token = _token(story)
    terms = (study, bytes(HOSPITAL), FUNDER.account, token)
    escrow = bytes(keccak(encode(["bytes32", "bytes32", "address", "address"], terms)))
    rounds = {name: Bytes32(keccak(escrow + result)) for name, result in RESULTS.items()}
    payee = person().account
    story.ids |= {"escrow": escrow, "payee": word(payee), "result": RESULTS["paid"]}
    story.ids |= {f"payout {name}": round_ for name, round_ in rounds.items()}

    def market(function: str, *values: Any, custodian: bool = False) -> None:
        sender = Sender.CUSTODIAN if custodian else Sender.RELAYER
        story.send("ResearchMarket", function, *values, sender=sender)

    def propose(name: str, leaves: list[bytes], total: int) -> None:
        root = leaves[0] if len(leaves) == 1 else bytes(keccak(b"".join(sorted(leaves))))
        market("proposePayout", terms, RESULTS[name], root, total, custodian=True)

    for amount in (1000, 500):
        market("fund", terms, amount)
    for result in RESULTS.values():
        market("commitResult", study, RULES, result, custodian=True)
    first, second = _payment(rounds["paid"], 3, payee, 100), _payment(rounds["paid"], 700, donation, 50)
    propose("paid", [first[1], second[1]], 200)
    again = _payment(rounds["rejected"], 0, payee, 70)
    propose("rejected", [again[1]], 70)
    propose("upheld", [_payment(rounds["upheld"], 0, payee, 10)[1]], 10)
    for name, stands in (("rejected", False), ("upheld", True)):
        market("objectToPayout", terms, RESULTS[name], 1, FUNDER.account, b"")
        command = SettlePayout(rounds[name], 1, stands)
        _decide(story, "settlePayout", command, terms, RESULTS[name], 1, stands)
    propose("rejected", [again[1]], 70)
    story.jump(4 * DAY)
    market("claim", terms, RESULTS["paid"], first[0], [second[1]])
    market("claimBatch", terms, RESULTS["paid"], [first[0], second[0]], [[second[1]], [first[1]]])
    story.jump(200 * DAY)
    market("closePayout", terms, RESULTS["paid"])
    market("release", terms, custodian=True)
    market("release", (named("never funded"), *terms[1:]), custodian=True)
    market("refund", terms, FUNDER.account)


def _token(story: Story) -> str:
    """Return a token that the market may take from the funder."""
    story.admit(b"\x51" * 32, FUNDER.account, RESEARCHER)
    token, _ = story.world.relayer.deploy(story.token_code, gas=5_000_000, sender=Sender.RELAYER)
    market = story.world.deployment.address("ResearchMarket")
    for function, account in (("mint", FUNDER.account), ("approve", market)):
        selector = keccak(text=f"{function}(address,uint256)")[:4]
        data = selector + encode(["address", "uint256"], [account, 10_000])
        story.world.relayer.submit(Call(token, data, 300_000))
    return token


def _payment(round_: bytes, index: int, account: str, amount: int) -> tuple[tuple[Any, ...], bytes]:
    """Return a payment and its leaf (``IResearchMarket``)."""
    payment = (index, account, amount, os.urandom(32))
    kinds = ["bytes32", "uint256", "address", "uint256", "bytes32"]
    return payment, bytes(keccak(keccak(encode(kinds, [round_, *payment]))))

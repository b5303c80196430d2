"""A study from its deposit to the last refund: board of two, a dispute, claims through a relayer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from brownie import Contract, chain
from eth_account import Account
from eth_utils.crypto import keccak
from payments import Payment, proof, root
from people import Person
from refusals import refuses
from typed_data import FOREVER, domain, message

DAY = 86_400
STUDY, RULES, RESULT = (keccak(text=name) for name in ("study", "rules", "result"))
HOSPITAL_ID = (1).to_bytes(32, "big")
TOKEN = Path(__file__).resolve().parents[2] / "out" / "Tokens.sol" / "Token.json"


@pytest.fixture(scope="module")
def second():
    """Another member of the ethics board."""
    return Person(Account.create())


@pytest.fixture(scope="module")
def researcher(participants, operator, accounts, second):
    expiry = chain.time() + 3650 * DAY
    nothing = bytes(32)
    participants.admit(b"second".ljust(32), second.address, 8, expiry, nothing, nothing, {"from": operator})
    participants.admit(b"researcher".ljust(32), accounts[4], 4, expiry, nothing, nothing, {"from": operator})
    return accounts[4]


@pytest.fixture(scope="module")
def token(researcher, operator):
    built = json.loads(TOKEN.read_text())
    made = operator.transfer(data=built["bytecode"]["object"])
    found = Contract.from_abi("Token", made.contract_address, built["abi"])
    found.mint(researcher, 1_000, {"from": operator})
    return found


@pytest.fixture(scope="module")
def market_of_two(ResearchMarket, participants, operator):  # noqa: N803 - Brownie names it
    terms = (2, 3 * DAY, 14 * DAY, 180 * DAY, 30 * DAY)
    return ResearchMarket.deploy(participants, terms, {"from": operator})


def _approved(market, board, primary, content):
    """Return both members' signatures over the full typed data, in ascending order of account."""
    signed = message(domain(market, "Assent Research"), primary, content)
    ordered = sorted(board, key=lambda member: int(member.address, 16))
    return [(member.address, member.sign(signed)) for member in ordered]


def test_study_from_deposit_through_a_dispute_to_claims_and_refund(
    market_of_two, token, researcher, hospital, relayer, board, second
):
    market, both = market_of_two, [board, second]
    escrow = (STUDY, HOSPITAL_ID, researcher.address, token.address)
    token.approve(market, 1_000, {"from": researcher})
    market.fund(escrow, 1_000, {"from": researcher})

    end = chain.time() + 100 * DAY
    permit = {
        "study": STUDY,
        "rules": RULES,
        "notBefore": chain.time() - 60,
        "notAfter": end,
        "submitBy": FOREVER,
    }
    approvals = _approved(market, both, "PermitStudy", permit)
    with refuses("ApprovalsTooFew", 1, 2):
        market.permitStudy(*permit.values(), approvals[:1], {"from": relayer})
    market.permitStudy(*permit.values(), approvals, {"from": relayer})

    market.commitResult(STUDY, RULES, RESULT, {"from": hospital})
    round_ = bytes(market.roundIdOf(market.escrowIdOf(escrow), RESULT))
    payees = [Account.create().address for _ in range(5)]
    payments = [Payment(at, payee, 100, keccak(bytes([at]))) for at, payee in enumerate(payees)]
    market.proposePayout(escrow, RESULT, root(round_, payments), 500, {"from": hospital})

    # The researcher objects by signature, the board rejects, the hospital corrects the tree.
    market.objectToPayout(escrow, RESULT, 1, researcher, b"", {"from": researcher})
    verdict = {"round": round_, "attempt": 1, "stands": False}
    approvals = _approved(market, both, "SettlePayout", verdict)
    market.settlePayout(escrow, RESULT, 1, False, approvals, {"from": relayer})
    payments = payments[:4]
    market.proposePayout(escrow, RESULT, root(round_, payments), 400, {"from": hospital})

    items, proofs = (
        [each.item() for each in payments],
        [proof(round_, payments, at) for at in range(4)],
    )
    with refuses("PayoutNotOpen", round_, market.payoutOf(round_)[2]):
        market.claim(escrow, RESULT, items[0], proofs[0], {"from": relayer})
    chain.sleep(3 * DAY)
    market.claim(escrow, RESULT, items[0], proofs[0], {"from": relayer})
    market.claimBatch(escrow, RESULT, items[:3], proofs[:3], {"from": relayer})
    assert [token.balanceOf(payee) for payee in payees] == [100, 100, 100, 0, 0]

    # One member stops the study at once; what is owed is owed.
    stop = message(domain(market, "Assent Research"), "SuspendStudy", {"study": STUDY, "round": 0})
    market.suspendStudy(STUDY, 0, second.address, second.sign(stop), {"from": relayer})
    assert not market.isPermitted(STUDY, RULES)
    with refuses("StudyNotPermitted", STUDY, RULES):
        market.commitResult(STUDY, RULES, keccak(text="late"), {"from": hospital})

    chain.sleep(200 * DAY)
    chain.mine()
    market.closePayout(escrow, RESULT, {"from": relayer})
    market.refund(escrow, researcher, {"from": relayer})
    assert token.balanceOf(researcher) == 700
    assert token.balanceOf(market) == 0

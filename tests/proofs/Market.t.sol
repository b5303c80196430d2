// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IResearchMarket} from "../../contracts/interfaces/IResearchMarket.sol";
import {
    Approval,
    EscrowTerms,
    MarketTerms,
    Payment,
    PayoutRound,
    StudyPermit
} from "../../contracts/interfaces/IResearchTypes.sol";
import {Token} from "../forge/support/Tokens.sol";
import {Proof, VM} from "./support/Proof.sol";

/// @notice Each step that moves money keeps, for its escrow, free + owed + paid out = paid in, from every storage.
/// @dev With an honest token. The board's threshold is one, so that its member is the sender and nothing is signed.
contract MarketProof is Proof {
    /// @dev Where ReentrancyGuard keeps its flag (ERC-7201), and the flag of a market that nobody is in.
    bytes32 private constant GUARD = 0x9b779b17422d0df92223018b32b4d1fa46e071723d6817e2486d003becc55f00;

    IResearchMarket private market;
    Token private token;

    struct Money {
        uint256 free;
        uint256 owed;
        uint256 held;
    }

    function setUp() public {
        address participants = _deploy("ParticipantRegistry", abi.encode(address(this), 1 days));
        MarketTerms memory terms = MarketTerms(1, 7 days, 7 days, 90 days, 30 days);
        market = IResearchMarket(_deploy("ResearchMarket", abi.encode(participants, terms)));
        token = new Token();
        _anyStorage(participants);
        _anyStorage(address(market));
        _anyStorage(address(token));
        VM.store(address(market), GUARD, bytes32(uint256(1)));
    }

    /// RM-S3, RM-S6: what arrived is credited, to this escrow and no other.
    function check_fund_creditsWhatArrived(
        EscrowTerms memory terms,
        uint256 amount,
        bytes32 other,
        address sender,
        uint40 time
    ) public {
        (Money memory before, bytes32 escrow) = _before(terms, 0, time);
        VM.assume(sender != address(market) && other != escrow);
        (uint256 otherFree,) = market.escrowOf(other);
        VM.prank(sender);
        market.fund(terms, amount);
        Money memory made = _money(escrow, 0);
        assert(sender == terms.funder);
        assert(made.free == before.free + amount && made.held == before.held + amount && amount != 0);
        (uint256 otherMade,) = market.escrowOf(other);
        assert(otherMade == otherFree);
    }

    /// RM-S3, RM-S10: what a payout owes leaves the free part, and is never more than it.
    function check_proposePayout_owesWhatWasFree(
        EscrowTerms memory terms,
        bytes32 result,
        bytes32 root,
        uint128 total,
        address sender,
        uint40 time
    ) public {
        (Money memory before, bytes32 escrow) = _before(terms, result, time);
        VM.prank(sender);
        bytes32 round = market.proposePayout(terms, result, root, total);
        Money memory made = _money(escrow, round);
        assert(made.owed == total && total != 0 && total <= before.free);
        assert(made.free + made.owed == before.free && made.held == before.held);
        assert(market.payoutOf(round).opensAt == time + 7 days);
    }

    /// RM-S3, RM-S4: a claim pays its amount out of what is owed, inside the window.
    function check_claim_paysOutOfWhatIsOwed(
        EscrowTerms memory terms,
        bytes32 result,
        Payment memory payment,
        bytes32 sibling,
        uint8 length,
        uint40 time
    ) public {
        (Money memory before, bytes32 escrow) = _before(terms, result, time);
        bytes32 round = market.roundIdOf(escrow, result);
        PayoutRound memory payout = market.payoutOf(round);
        uint256 had = token.balanceOf(payment.account);
        market.claim(terms, result, payment, _proof(sibling, length));
        Money memory made = _money(escrow, round);
        assert(payout.opensAt != 0 && payout.opensAt <= time && time < payout.closesAt);
        assert(made.free == before.free && made.owed + payment.amount == before.owed);
        assert(payment.account != address(market) && payment.account != address(0));
        unchecked {
            assert(made.held == before.held - payment.amount);
            assert(token.balanceOf(payment.account) == had + payment.amount);
        }
    }

    /// RM-S4: no index of a round is paid twice, whatever leaf and proof come with it, and whenever.
    function check_claim_noIndexTwice(
        EscrowTerms memory terms,
        bytes32 result,
        Payment memory payment,
        Payment memory again,
        bytes32 sibling,
        bytes32 other,
        uint40 time,
        uint40 later
    ) public {
        _before(terms, result, time);
        market.claim(terms, result, payment, _proof(sibling, 1));
        _at(later);
        VM.assume(again.index == payment.index);
        try market.claim(terms, result, again, _proof(other, 1)) {
            assert(false);
        } catch {}
    }

    /// RM-S13, RM-L4: once its time is over anyone brings what is left back, always, and once.
    function check_closePayout_bringsTheRestBackOnce(
        EscrowTerms memory terms,
        bytes32 result,
        address sender,
        uint40 time
    ) public {
        (Money memory before, bytes32 escrow) = _before(terms, result, time);
        bytes32 round = market.roundIdOf(escrow, result);
        PayoutRound memory payout = market.payoutOf(round);
        // What came in fitted a word of 128 bits, and no step changes the sum.
        VM.assume(before.free + before.owed <= type(uint128).max);
        bool over = payout.opensAt != 0 && time >= payout.closesAt;
        VM.prank(sender);
        try market.closePayout(terms, result) {
            assert(over);
        } catch {
            assert(!over);
            return;
        }
        Money memory made = _money(escrow, round);
        assert(made.owed == 0 && made.free == before.free + before.owed && made.held == before.held);
        market.closePayout(terms, result);
        assert(_money(escrow, round).free == made.free);
    }

    /// RM-S12, RM-S3: a rejected payout's total comes back, only before it opened and only by the board.
    function check_settlePayout_rejected_bringsTheTotalBack(
        EscrowTerms memory terms,
        bytes32 result,
        uint32 attempt,
        bool stands,
        address member,
        uint40 time
    ) public {
        (Money memory before, bytes32 escrow) = _before(terms, result, time);
        bytes32 round = market.roundIdOf(escrow, result);
        PayoutRound memory payout = market.payoutOf(round);
        Approval[] memory approvals = new Approval[](1);
        approvals[0] = Approval(member, "");
        VM.prank(member);
        market.settlePayout(terms, result, attempt, stands, approvals);
        Money memory made = _money(escrow, round);
        assert(time < payout.opensAt && attempt == payout.attempt);
        assert(made.free + made.owed == before.free + before.owed && made.held == before.held);
        assert(made.owed == (stands ? before.owed : 0));
        assert(!stands || payout.objected);
    }

    /// RM-S7, RM-S8: a refund takes the free part, all of it, never what is owed, and not while it is locked.
    function check_refund_takesTheFreePartOnly(
        EscrowTerms memory terms,
        bytes32 round,
        address to,
        address sender,
        uint40 time
    ) public {
        (Money memory before, bytes32 escrow) = _before(terms, 0, time);
        before.owed = market.payoutOf(round).remaining;
        (, bool released) = market.escrowOf(escrow);
        uint256 until = market.lockedUntil(terms.study);
        VM.prank(sender);
        market.refund(terms, to);
        Money memory made = _money(escrow, round);
        assert(released || time >= until);
        assert(to == terms.funder || sender == terms.funder);
        assert(made.free == 0 && made.owed == before.owed);
        unchecked {
            assert(made.held == before.held - before.free);
        }
    }

    /// S35, S36: permitted is what the interface says.
    function check_isPermitted_isTheRule(bytes32 study, bytes32 rules, uint40 time) public {
        _at(time);
        StudyPermit memory permit = market.permitOf(study);
        bool expected = permit.notAfter != 0 && permit.rules == rules && permit.revokedAt == 0 && !permit.suspended
            && permit.notBefore <= time && time < permit.notAfter;
        assert(market.isPermitted(study, rules) == expected);
    }

    function _before(EscrowTerms memory terms, bytes32 result, uint40 time)
        private
        returns (Money memory money, bytes32 escrow)
    {
        _at(time);
        VM.assume(terms.token == address(token));
        escrow = market.escrowIdOf(terms);
        money = _money(escrow, market.roundIdOf(escrow, result));
    }

    function _money(bytes32 escrow, bytes32 round) private view returns (Money memory money) {
        (money.free,) = market.escrowOf(escrow);
        money.owed = market.payoutOf(round).remaining;
        money.held = token.balanceOf(address(market));
    }

    function _proof(bytes32 sibling, uint8 length) private pure returns (bytes32[] memory proof) {
        VM.assume(length <= 1);
        if (length == 0) return new bytes32[](0);
        proof = new bytes32[](1);
        proof[0] = sibling;
    }
}

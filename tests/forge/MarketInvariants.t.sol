// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Deploy} from "./support/Deploy.sol";
import {EscrowTerms, MarketTerms, Payment, PayoutRound} from "../../contracts/interfaces/IResearchTypes.sol";
import {ResearchMarket} from "../../contracts/ResearchMarket.sol";
import {MarketBase} from "./support/MarketBase.sol";
import {BlockingToken, FeeToken, Token} from "./support/Tokens.sol";
import {Trees} from "./support/Trees.sol";
import {VM} from "./support/Vm.sol";

/// @notice Random acts by all parties, valid and invalid, while time passes: two studies, two researchers, an honest
/// token and one that takes a fee and blocks accounts. Keeps a plain model of who put in and got out what.
contract MarketActor is MarketBase {
    uint256 private constant RESULTS = 4;

    bytes32[2] public studies = [STUDY, OTHER_STUDY];
    EscrowTerms[] private escrows;
    Token[2] public tokens;
    /// @dev Time is kept here, because the optimizer takes block.timestamp for constant within a call.
    uint256 public clock = NOW;

    mapping(address token => uint256) public deposited;
    mapping(address token => uint256) public paid;
    mapping(address token => uint256) public refunded;
    mapping(bytes32 round => mapping(uint256 index => uint256)) public timesPaid;
    mapping(bytes32 round => Payment[]) private trees;
    mapping(bytes32 round => uint256) public owed;
    mapping(bytes32 round => uint256) public paidOf;
    mapping(address account => bytes32) public firstStudy;
    bytes32[] public rounds;
    mapping(bytes32 round => uint256) private escrowOfRound;
    mapping(bytes32 round => bytes32) private resultOfRound;
    uint256 public claims;
    bool public wronged;
    uint256 private made;

    constructor() {
        VM.warp(NOW);
        super.setUp();
        // Short waits, so that a story sees many a payout through to its close.
        market = Deploy.researchMarket(participants, MarketTerms(2, 2 days, 4 days, 15 days, 10 days));
        tokens = [new Token(), Token(address(new FeeBlockingToken()))];
        VM.prank(OPERATOR);
        participants.admit("rival", STRANGER, 4, FOREVER, 0, 0);
        market.nameDonation(CHARITY, approvals(donation(CHARITY)));
        for (uint256 s = 0; s < 2; ++s) {
            for (uint256 f = 0; f < 2; ++f) {
                for (uint256 t = 0; t < 2; ++t) {
                    address funder = f == 0 ? RESEARCHER : STRANGER;
                    escrows.push(EscrowTerms(studies[s], HOSPITAL_ID, funder, address(tokens[t])));
                    VM.prank(funder);
                    tokens[t].approve(address(market), type(uint256).max);
                }
            }
        }
    }

    function target() external view returns (ResearchMarket) {
        return market;
    }

    function escrowCount() external view returns (uint256) {
        return escrows.length;
    }

    function termsOf(uint256 which) external view returns (EscrowTerms memory) {
        return escrows[which];
    }

    function roundCount() external view returns (uint256) {
        return rounds.length;
    }

    function wait(uint256 seconds_) external {
        clock += seconds_ % 9 days;
        VM.warp(clock);
    }

    function decide(uint8 study, uint8 what, uint256 length) external {
        bytes32 id = studies[study % 2];
        if (what % 8 < 4) {
            uint40 end = uint40(clock + 20 days + length % 200 days);
            bytes32 command = permitCommand(id, RULES, uint40(clock), end, FOREVER);
            try market.permitStudy(id, RULES, uint40(clock), end, FOREVER, approvals(command)) {} catch {}
        } else if (what % 32 == 4) {
            try market.revokeStudy(id, approvals(revocation(id))) {} catch {}
        } else if (what % 64 == 5) {
            try market.refuseStudy(id, approvals(refusal(id))) {} catch {}
        } else {
            uint32 round = market.permitOf(id).round;
            VM.prank(BOARD);
            try market.suspendStudy(id, round, BOARD, "") {} catch {}
            try market.resumeStudy(id, round + 1, approvals(resumption(id, round + 1))) {} catch {}
        }
    }

    function deposit(uint256 which, uint64 amount) external {
        EscrowTerms memory terms = escrows[which % escrows.length];
        Token(terms.token).mint(terms.funder, amount);
        uint256 before = Token(terms.token).balanceOf(address(market));
        VM.prank(terms.funder);
        try market.fund(terms, amount) {
            deposited[terms.token] += Token(terms.token).balanceOf(address(market)) - before;
        } catch {}
    }

    /// @dev Commits a result and proposes a payout, sometimes of less than the tree owes.
    function propose(uint256 which, uint8 result, uint8 count, uint32 amount, bool short) external {
        which %= escrows.length;
        EscrowTerms memory terms = escrows[which];
        bytes32 hash = bytes32(uint256(result) % RESULTS + 1);
        VM.prank(HOSPITAL);
        try market.commitResult(terms.study, RULES, hash) {} catch {}
        Payment[] memory payments = paymentsOf(uint256(count) % 5 + 1, uint256(amount) + 1);
        for (uint256 i = 0; i < payments.length; ++i) {
            ++made;
            payments[i].salt = bytes32(made);
            // Some accounts come again in the other study, some payments are donations.
            payments[i].account = made % 5 == 0 ? CHARITY : payee((made + which) % 3);
        }
        bytes32 round = market.roundIdOf(market.escrowIdOf(terms), hash);
        uint128 total = totalOf(payments);
        if (short) total -= total / 3;
        uint256 before = available(terms);
        bytes32 root = Trees.rootOf(round, payments);
        VM.prank(HOSPITAL);
        try market.proposePayout(terms, hash, root, total) {
            if (total > before || total == 0) wronged = true;
            if (paidOf[round] != 0) wronged = true;
            if (owed[round] == 0) rounds.push(round);
            delete trees[round];
            for (uint256 i = 0; i < payments.length; ++i) {
                trees[round].push(payments[i]);
            }
            (owed[round], escrowOfRound[round], resultOfRound[round]) = (total, which, hash);
        } catch {}
    }

    function dispute(uint256 which, bool object, bool stands) external {
        if (rounds.length == 0) return;
        (bytes32 round, EscrowTerms memory terms, bytes32 result) = pick(which);
        uint32 attempt = market.payoutOf(round).attempt;
        if (object) {
            VM.prank(terms.funder);
            try market.objectToPayout(terms, result, attempt, terms.funder, "") {} catch {}
        }
        try market.settlePayout(terms, result, attempt, stands, approvals(settlement(round, attempt, stands))) {
            if (paidOf[round] != 0) wronged = true;
        } catch {}
    }

    function claimOne(uint256 which, uint256 item) external {
        if (rounds.length == 0) return;
        (bytes32 round, EscrowTerms memory terms, bytes32 result) = pick(which);
        Payment[] memory payments = trees[round];
        item %= payments.length;
        bytes32[] memory proof = Trees.proofOf(round, payments, item);
        uint256 before = Token(terms.token).balanceOf(address(market));
        try market.claim(terms, result, payments[item], proof) {
            record(terms, round, payments[item]);
        } catch {
            if (Token(terms.token).balanceOf(address(market)) != before) wronged = true;
        }
    }

    function claimMany(uint256 which) external {
        if (rounds.length == 0) return;
        (bytes32 round, EscrowTerms memory terms, bytes32 result) = pick(which);
        Payment[] memory payments = trees[round];
        bool[] memory before = new bool[](payments.length);
        for (uint256 i = 0; i < payments.length; ++i) {
            before[i] = market.isClaimed(round, i);
        }
        market.claimBatch(terms, result, payments, proofsOf(round, payments));
        for (uint256 i = 0; i < payments.length; ++i) {
            if (!before[i] && market.isClaimed(round, i)) record(terms, round, payments[i]);
        }
    }

    function block_(uint8 who, bool blocked) external {
        FeeBlockingToken(address(tokens[1])).block_(who == 0 ? RESEARCHER : payee(who % 3), blocked);
    }

    function close(uint256 which) external {
        if (rounds.length == 0) return;
        (, EscrowTerms memory terms, bytes32 result) = pick(which);
        try market.closePayout(terms, result) {} catch {}
    }

    function release(uint256 which, uint8 chance) external {
        if (chance % 16 != 0) return;
        VM.prank(HOSPITAL);
        market.release(escrows[which % escrows.length]);
    }

    function refund(uint256 which) external {
        give(escrows[which % escrows.length], escrows[which % escrows.length].funder);
    }

    /// @dev After every deadline: each payout is closed, and each funder takes the rest, to an account of its choice.
    function wayOut() external {
        VM.warp(clock + 4000 days);
        for (uint256 i = 0; i < rounds.length; ++i) {
            (bytes32 round, EscrowTerms memory terms, bytes32 result) = pick(i);
            if (market.payoutOf(round).opensAt != 0) market.closePayout(terms, result);
        }
        for (uint256 i = 0; i < escrows.length; ++i) {
            if (available(escrows[i]) == 0) continue;
            VM.prank(escrows[i].funder);
            market.refund(escrows[i], address(0x0e5ca9e));
        }
    }

    function give(EscrowTerms memory terms, address to) private {
        uint256 before = Token(terms.token).balanceOf(address(market));
        try market.refund(terms, to) {
            refunded[terms.token] += before - Token(terms.token).balanceOf(address(market));
            bool ended = market.lockedUntil(terms.study) <= clock;
            (, bool released) = market.escrowOf(market.escrowIdOf(terms));
            if (!ended && !released) wronged = true;
        } catch {}
    }

    function record(EscrowTerms memory terms, bytes32 round, Payment memory payment) private {
        ++claims;
        ++timesPaid[round][payment.index];
        if (timesPaid[round][payment.index] > 1) wronged = true;
        paid[terms.token] += payment.amount;
        paidOf[round] += payment.amount;
        PayoutRound memory payout = market.payoutOf(round);
        if (clock < payout.opensAt || clock >= payout.closesAt) wronged = true;
        if (payment.account == CHARITY) return;
        bytes32 first = firstStudy[payment.account];
        if (first != 0 && first != terms.study) wronged = true;
        firstStudy[payment.account] = terms.study;
    }

    function pick(uint256 which) private view returns (bytes32 round, EscrowTerms memory terms, bytes32 result) {
        round = rounds[which % rounds.length];
        return (round, escrows[escrowOfRound[round]], resultOfRound[round]);
    }
}

/// @notice Takes a fee on deposits and blocks accounts.
contract FeeBlockingToken is Token {
    mapping(address account => bool) private blocked;

    function block_(address account, bool yes) external {
        blocked[account] = yes;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return blocked[to] ? false : super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        super.transferFrom(from, address(0xfee), value / 10);
        return super.transferFrom(from, to, value - value / 10);
    }
}

contract MarketInvariants is MarketBase {
    MarketActor private actor;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() public override {
        actor = new MarketActor();
        market = actor.target();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(actor);
        bytes4[11] memory acts = [
            actor.wait.selector,
            actor.decide.selector,
            bytes4(keccak256("deposit(uint256,uint64)")),
            bytes4(keccak256("propose(uint256,uint8,uint8,uint32,bool)")),
            actor.dispute.selector,
            actor.claimOne.selector,
            actor.claimMany.selector,
            actor.block_.selector,
            actor.close.selector,
            actor.release.selector,
            actor.refund.selector
        ];
        targets[0].selectors = new bytes4[](11);
        for (uint256 i = 0; i < 11; ++i) {
            targets[0].selectors[i] = acts[i];
        }
    }

    function invariant_money_isAllAccountedFor() public view {
        for (uint256 t = 0; t < 2; ++t) {
            Token held = actor.tokens(t);
            uint256 balance = held.balanceOf(address(market));
            uint256 outside = actor.paid(address(held)) + actor.refunded(address(held));
            equal(outside + balance, actor.deposited(address(held)), "payouts, refunds and balance are the deposits");
            equal(balance, credited(address(held)), "and the balance is what is owed or free");
        }
    }

    function invariant_nobody_isPaidTwiceTooEarlyOrForTwoStudies() public view {
        check(!actor.wronged(), "the model saw a wrong");
        for (uint256 i = 0; i < actor.roundCount(); ++i) {
            bytes32 round = actor.rounds(i);
            uint256 owed = actor.owed(round);
            check(actor.paidOf(round) <= owed, "never above the total");
            PayoutRound memory payout = market.payoutOf(round);
            bool whole = payout.opensAt != 0 && payout.remaining != 0;
            if (whole) equal(payout.remaining + actor.paidOf(round), owed, "what remains is what was not paid");
        }
    }

    /// @dev Runs after a whole random story: whatever happened, every unit has an owner who can take it.
    function afterInvariant() public {
        actor.wayOut();
        for (uint256 t = 0; t < 2; ++t) {
            equal(actor.tokens(t).balanceOf(address(market)), 0, "nothing is stuck");
        }
    }

    function credited(address held) private view returns (uint256 sum) {
        for (uint256 e = 0; e < actor.escrowCount(); ++e) {
            EscrowTerms memory terms = actor.termsOf(e);
            if (terms.token != held) continue;
            sum += available(terms);
            for (uint256 result = 1; result <= 4; ++result) {
                sum += market.payoutOf(market.roundIdOf(market.escrowIdOf(terms), bytes32(result))).remaining;
            }
        }
    }
}

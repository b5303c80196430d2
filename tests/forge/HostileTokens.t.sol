// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {Approval, EscrowTerms, IResearchTypes, Payment} from "../../contracts/interfaces/IResearchTypes.sol";
import {MarketBase} from "./support/MarketBase.sol";
import {
    BlockingToken,
    FalseToken,
    FeeToken,
    LyingToken,
    ReentrantToken,
    SilentToken,
    Token
} from "./support/Tokens.sol";
import {Trees} from "./support/Trees.sol";
import {VM} from "./support/Vm.sol";

/// @notice What a token may do to others: nothing.
contract HostileTokensTest is MarketBase {
    function test_feeToken_isCreditedWithWhatArrived() public {
        token = new FeeToken();
        (bytes32 round, Payment[] memory payments) = openedIn();
        equal(available(escrowTerms()), 400, "900 arrived, 500 are owed");
        claimAll(round, payments);
        VM.warp(END + 30 days);
        market.refund(escrowTerms(), RESEARCHER);
        equal(token.balanceOf(payee(0)), 90, "the token takes its fee from the payee");
        equal(token.balanceOf(address(market)), 0, "nothing stuck, nothing missing");
    }

    function test_silentToken_works() public {
        token = Token(address(new SilentToken()));
        (bytes32 round, Payment[] memory payments) = openedIn();
        claimAll(round, payments);
        equal(token.balanceOf(payee(0)), 100, "paid");
        VM.warp(END + 30 days);
        market.refund(escrowTerms(), RESEARCHER);
        equal(token.balanceOf(RESEARCHER), 500, "refunded");
    }

    function test_tokenThatRefusesOrTakesNothing_isNotCredited() public {
        EscrowTerms memory terms = escrowTerms();
        terms.token = address(new FalseToken());
        VM.startPrank(RESEARCHER);
        refuses(SafeERC20.SafeERC20FailedOperation.selector, terms.token);
        market.fund(terms, 1);
        terms.token = address(new LyingToken());
        refuses(IResearchTypes.NothingReceived.selector, terms.token);
        market.fund(terms, 1);
        terms.token = address(0xdead);
        VM.expectRevert();
        market.fund(terms, 1);
    }

    function test_blockedPayee_byRevertFalseGasOrFlood_blocksNobodyElse() public {
        for (uint256 how = 1; how <= 4; ++how) {
            setUp();
            BlockingToken blocking = new BlockingToken();
            token = blocking;
            (bytes32 round, Payment[] memory payments) = openedIn();
            blocking.block_(payee(1), how);
            bytes32[] memory proof = Trees.proofOf(round, payments, 1);
            refuses(IResearchTypes.TransferFailed.selector, address(token), bytes32(uint256(uint160(payee(1)))));
            market.claim{gas: 3_000_000}(escrowTerms(), RESULT, payments[1], proof);
            if (how != 3) claimAll(round, payments);
            for (uint256 i = 0; i < 5; ++i) {
                if (how == 3 && i != 1) claim(round, payments, i);
                equal(token.balanceOf(payee(i)), i == 1 ? 0 : 100, "all but the blocked one");
            }
            check(!market.isClaimed(round, 1) && market.studyOfPayee(payee(1)) == 0, "nothing was left behind");
            blocking.block_(payee(1), 0);
            claim(round, payments, 1);
            equal(token.balanceOf(payee(1)), 100, "unblocked, paid");
        }
    }

    function test_payeeBlockedForEver_itsMoneyGoesBackInTheEnd() public {
        BlockingToken blocking = new BlockingToken();
        token = blocking;
        (bytes32 round, Payment[] memory payments) = openedIn();
        blocking.block_(payee(1), 1);
        claimAll(round, payments);
        VM.warp(END + 30 days);
        market.closePayout(escrowTerms(), RESULT);
        blocking.block_(RESEARCHER, 1);
        VM.expectRevert(bytes("blocked"));
        market.refund(escrowTerms(), RESEARCHER);
        equal(available(escrowTerms()), 600, "still credited");
        VM.prank(RESEARCHER);
        market.refund(escrowTerms(), CHARITY);
        equal(token.balanceOf(CHARITY), 600, "a blocked funder names another account");
    }

    function test_reentrantToken_whileMoneyIsMeasuredOrRefunded_findsEveryDoorShut() public {
        ReentrantToken hostile = new ReentrantToken();
        token = hostile;
        (bytes32 round, Payment[] memory payments) = openedIn();
        EscrowTerms memory terms = escrowTerms();
        bytes32[] memory proof = Trees.proofOf(round, payments, 1);
        Approval[] memory none = new Approval[](0);
        bytes[6] memory doors = [
            abi.encodeCall(market.claim, (terms, RESULT, payments[1], proof)),
            abi.encodeCall(market.refund, (terms, RESEARCHER)),
            abi.encodeCall(market.fund, (terms, 1)),
            abi.encodeCall(market.closePayout, (terms, RESULT)),
            abi.encodeCall(market.proposePayout, (terms, RESULT, 0, 1)),
            abi.encodeCall(market.settlePayout, (terms, RESULT, 1, true, none))
        ];
        token.mint(RESEARCHER, 60);
        for (uint256 i = 0; i < 6; ++i) {
            hostile.arm(address(market), doors[i]);
            deposit(terms, 10);
            shut(hostile);
        }
        VM.prank(HOSPITAL);
        market.release(terms);
        hostile.arm(address(market), doors[0]);
        market.refund(terms, RESEARCHER);
        shut(hostile);
        equal(token.balanceOf(address(market)), 500, "what is owed");
    }

    function test_reentrantToken_fromWithinAPayment_paysNobodyTwice() public {
        ReentrantToken hostile = new ReentrantToken();
        token = hostile;
        (bytes32 round, Payment[] memory payments) = openedIn();
        EscrowTerms memory terms = escrowTerms();
        bytes32[][] memory proofs = proofsOf(round, payments);
        hostile.arm(address(market), abi.encodeCall(market.claim, (terms, RESULT, payments[0], proofs[0])));
        claim(round, payments, 0);
        shut(hostile);
        hostile.arm(address(market), abi.encodeCall(market.claimBatch, (terms, RESULT, payments, proofs)));
        claim(round, payments, 1);
        check(hostile.succeeded(), "the batch ran, each of its items refused");
        equal(token.balanceOf(address(market)), 800, "two were paid");
        hostile.arm(address(market), abi.encodeCall(market.refund, (terms, RESEARCHER)));
        claimAll(round, payments);
        shut(hostile);
        for (uint256 i = 0; i < 5; ++i) {
            equal(token.balanceOf(payee(i)), 100, "each once");
        }
        equal(token.balanceOf(address(market)), 500, "the rest of the escrow is there");
    }

    function test_revocationsOfAStudy_workWhateverTheTokenDoes() public {
        ReentrantToken hostile = new ReentrantToken();
        token = hostile;
        (bytes32 round, Payment[] memory payments) = openedIn();
        bytes memory signature = sign(BOARD_KEY, suspension(STUDY, 0));
        hostile.arm(address(market), abi.encodeCall(market.suspendStudy, (STUDY, 0, BOARD, signature)));
        claim(round, payments, 0);
        check(hostile.succeeded() && !market.isPermitted(STUDY, RULES), "even from within a transfer");
        market.revokeStudy(STUDY, approvals(revocation(STUDY)));
        equal(market.permitOf(STUDY).revokedAt, NOW + 3 days, "revoked");
    }

    function test_hostileToken_cannotTouchEscrowsInOthers() public {
        fund(escrowTerms(), 1000);
        Token honest = token;
        token = new FeeToken();
        permit(STUDY);
        fund(escrowTerms(), 1000);
        commit(STUDY, RESULT);
        equal(available(escrowTerms()), 900, "of its own");
        equal(honest.balanceOf(address(market)), 1000, "of the honest one");
        refusesNumbers(IResearchTypes.EscrowTooSmall.selector, 901, 900);
        VM.prank(HOSPITAL);
        market.proposePayout(escrowTerms(), RESULT, "root", 901);
    }

    function shut(ReentrantToken hostile) private view {
        check(hostile.tried() && !hostile.succeeded(), "refused");
        bytes4 reason = bytes4(hostile.answer());
        check(reason == ReentrancyGuard.ReentrancyGuardReentrantCall.selector, "by the guard");
    }

    /// @dev A payout of 500, open, in the current token.
    function openedIn() private returns (bytes32 round, Payment[] memory payments) {
        return opened();
    }
}

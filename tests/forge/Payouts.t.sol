// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Deploy} from "./support/Deploy.sol";
import {
    Approval,
    EscrowTerms,
    IResearchTypes,
    MarketTerms,
    Payment,
    PayoutRound
} from "../../contracts/interfaces/IResearchTypes.sol";
import {ResearchMarket} from "../../contracts/ResearchMarket.sol";
import {MarketBase} from "./support/MarketBase.sol";
import {Trees} from "./support/Trees.sol";
import {VM} from "./support/Vm.sol";

/// @notice Results, what is owed for them, and disputes.
contract PayoutsTest is MarketBase {
    Approval[] private none;

    function test_commitResult_byTheCustodian_underALivePermit() public {
        permit(STUDY, NOW + 10, END);
        bytes4 notPermitted = IResearchTypes.StudyNotPermitted.selector;
        VM.startPrank(HOSPITAL);
        refusesHashes(notPermitted, STUDY, RULES);
        market.commitResult(STUDY, RULES, RESULT);
        VM.warp(NOW + 10);
        refusesHashes(notPermitted, STUDY, bytes32("other rules"));
        market.commitResult(STUDY, "other rules", RESULT);
        market.commitResult(STUDY, RULES, RESULT);
        equal(market.resultOf(STUDY, HOSPITAL_ID, RESULT), NOW + 10, "when");
        equal(market.resultOf(STUDY, CLINIC_ID, RESULT), 0, "nobody else's");
        refusesHashes(IResearchTypes.ResultAlreadyCommitted.selector, STUDY, RESULT);
        market.commitResult(STUDY, RULES, RESULT);
        VM.stopPrank();
        VM.prank(CLINIC);
        market.commitResult(STUDY, RULES, RESULT);
        refuses(IResearchTypes.NotCustodian.selector, STRANGER);
        VM.prank(STRANGER);
        market.commitResult(STUDY, RULES, "another");
        VM.warp(END);
        refusesHashes(notPermitted, STUDY, RULES);
        VM.prank(HOSPITAL);
        market.commitResult(STUDY, RULES, "late");
    }

    function test_proposePayout_leavesTheFreePart_andIsRecorded() public {
        (bytes32 round, Payment[] memory payments) = proposed();
        PayoutRound memory found = market.payoutOf(round);
        check(found.root == Trees.rootOf(round, payments) && found.remaining == 500, "as proposed");
        check(found.opensAt == NOW + 3 days && found.closesAt == NOW + 183 days, "its window");
        check(found.attempt == 1 && !found.objected, "first attempt");
        equal(available(escrowTerms()), 500, "the rest is free");
        check(round == keccak256(abi.encode(market.escrowIdOf(escrowTerms()), RESULT)), "its id");
    }

    function test_proposePayout_refused() public {
        (bytes32 round,) = proposed();
        commit(STUDY, "second");
        EscrowTerms memory terms = escrowTerms();
        bytes32 id = market.escrowIdOf(terms);
        refuses(IResearchTypes.NotEscrowCustodian.selector, CLINIC, HOSPITAL_ID);
        VM.prank(CLINIC);
        market.proposePayout(terms, "second", "root", 1);
        refuses(IResearchTypes.NotEscrowCustodian.selector, STRANGER, HOSPITAL_ID);
        VM.prank(STRANGER);
        market.proposePayout(terms, "second", "root", 1);
        VM.startPrank(HOSPITAL);
        refusesHashes(IResearchTypes.ResultUnknown.selector, STUDY, bytes32("unheard of"));
        market.proposePayout(terms, "unheard of", "root", 1);
        refuses(IResearchTypes.PayoutExists.selector, round);
        market.proposePayout(terms, RESULT, "another root", 1);
        refuses(IResearchTypes.PayoutEmpty.selector);
        market.proposePayout(terms, "second", "root", 0);
        refusesNumbers(IResearchTypes.EscrowTooSmall.selector, 501, 500);
        market.proposePayout(terms, "second", "root", 501);
        VM.warp(END + 30 days);
        refuses(IResearchTypes.EscrowOver.selector, id);
        market.proposePayout(terms, "second", "root", 1);
    }

    function test_proposePayout_inTheGrace_alsoAfterRevocation() public {
        permit(STUDY);
        fund(escrowTerms(), 1000);
        commit(STUDY, RESULT);
        market.revokeStudy(STUDY, approvals(revocation(STUDY)));
        VM.warp(NOW + 30 days - 1);
        propose(escrowTerms(), RESULT, paymentsOf(2, 500));
        equal(available(escrowTerms()), 0, "what was earned is owed");
    }

    function test_proposePayout_byASuspendedCustodian_refused_andAgainOnceReinstated() public {
        permit(STUDY);
        fund(escrowTerms(), 1000);
        commit(STUDY, RESULT);
        VM.prank(OPERATOR);
        participants.suspend(HOSPITAL_ID);
        refuses(IResearchTypes.NotEscrowCustodian.selector, HOSPITAL, HOSPITAL_ID);
        VM.prank(HOSPITAL);
        market.proposePayout(escrowTerms(), RESULT, "root", 1);
        VM.prank(OPERATOR);
        participants.reinstate(HOSPITAL_ID);
        propose(escrowTerms(), RESULT, paymentsOf(2, 1));
    }

    function test_object_byFunderOrOneBoardMember_givesTheBoardTime() public {
        (bytes32 round,) = proposed();
        VM.warp(NOW + 3 days - 1);
        market.objectToPayout(escrowTerms(), RESULT, 1, RESEARCHER, sign(RESEARCHER_KEY, objection(round, 1)));
        PayoutRound memory found = market.payoutOf(round);
        check(found.objected && found.opensAt == NOW + 17 days - 1, "two weeks from now");
        equal(found.closesAt, uint256(found.opensAt) + 180 days, "no claim time lost");
        refuses(IResearchTypes.AlreadyObjected.selector, round);
        VM.prank(BOARD);
        market.objectToPayout(escrowTerms(), RESULT, 1, BOARD, "");
    }

    function test_object_whereSettlingIsQuick_neverOpensAPayoutEarlier() public {
        market = Deploy.researchMarket(participants, MarketTerms(2, 3 days, 1, 180 days, 30 days));
        (bytes32 round,) = proposed();
        VM.prank(RESEARCHER);
        market.objectToPayout(escrowTerms(), RESULT, 1, RESEARCHER, "");
        equal(market.payoutOf(round).opensAt, NOW + 3 days, "others keep their time");
    }

    function test_object_refused() public {
        (bytes32 round,) = proposed();
        EscrowTerms memory terms = escrowTerms();
        refuses(IResearchTypes.NotObjector.selector, STRANGER);
        VM.prank(STRANGER);
        market.objectToPayout(terms, RESULT, 1, STRANGER, "");
        refuses(IResearchTypes.SignatureInvalid.selector, BOARD);
        market.objectToPayout(terms, RESULT, 1, BOARD, "");
        VM.startPrank(BOARD);
        refusesNumbers(IResearchTypes.AttemptNotCurrent.selector, 2, 1);
        market.objectToPayout(terms, RESULT, 2, BOARD, "");
        bytes32 other = market.roundIdOf(market.escrowIdOf(terms), "other");
        refuses(IResearchTypes.PayoutUnknown.selector, other);
        market.objectToPayout(terms, "other", 1, BOARD, "");
        VM.warp(NOW + 3 days);
        refuses(IResearchTypes.PayoutAlreadyOpen.selector, round, NOW + 3 days);
        market.objectToPayout(terms, RESULT, 1, BOARD, "");
    }

    function test_objection_unsettled_thePayoutStands() public {
        (bytes32 round, Payment[] memory payments) = proposed();
        VM.prank(RESEARCHER);
        market.objectToPayout(escrowTerms(), RESULT, 1, RESEARCHER, "");
        bytes32[] memory proof = Trees.proofOf(round, payments, 0);
        refuses(IResearchTypes.PayoutNotOpen.selector, round, NOW + 14 days);
        VM.warp(NOW + 14 days - 1);
        market.claim(escrowTerms(), RESULT, payments[0], proof);
        VM.warp(NOW + 14 days);
        claimAll(round, payments);
        equal(token.balanceOf(payee(0)), 100, "an objection alone stops nothing");
    }

    function test_settle_dismissed_opensAtOnce() public {
        (bytes32 round, Payment[] memory payments) = proposed();
        Approval[] memory given = approvals(settlement(round, 1, true));
        refuses(IResearchTypes.NotObjected.selector, round);
        market.settlePayout(escrowTerms(), RESULT, 1, true, given);
        VM.prank(RESEARCHER);
        market.objectToPayout(escrowTerms(), RESULT, 1, RESEARCHER, "");
        market.settlePayout(escrowTerms(), RESULT, 1, true, given);
        claimAll(round, payments);
        equal(token.balanceOf(payee(0)), 100, "paid");
        refuses(IResearchTypes.PayoutAlreadyOpen.selector, round, NOW);
        market.settlePayout(escrowTerms(), RESULT, 1, false, none);
    }

    function test_settle_rejected_returnsTheTotal_andAllowsAnotherAttempt() public {
        (bytes32 round, Payment[] memory payments) = proposed();
        Approval[] memory given = approvals(settlement(round, 1, false));
        market.settlePayout(escrowTerms(), RESULT, 1, false, given);
        equal(available(escrowTerms()), 1000, "back");
        VM.warp(NOW + 3 days);
        bytes32[] memory proof = Trees.proofOf(round, payments, 0);
        refuses(IResearchTypes.PayoutUnknown.selector, round);
        market.claim(escrowTerms(), RESULT, payments[0], proof);
        refuses(IResearchTypes.PayoutUnknown.selector, round);
        market.closePayout(escrowTerms(), RESULT);
        Payment[] memory corrected = paymentsOf(3, 200);
        propose(escrowTerms(), RESULT, corrected);
        equal(market.payoutOf(round).attempt, 2, "second attempt");
        refusesNumbers(IResearchTypes.AttemptNotCurrent.selector, 1, 2);
        market.settlePayout(escrowTerms(), RESULT, 1, false, given);
        address first = given[0].member;
        refuses(IResearchTypes.SignatureInvalid.selector, first);
        market.settlePayout(escrowTerms(), RESULT, 2, false, given);
        VM.warp(NOW + 6 days);
        claimAll(round, corrected);
        equal(token.balanceOf(payee(2)), 200, "the corrected one is paid");
    }

    function test_close_afterTheClaimTime_returnsTheUnclaimed_once() public {
        (bytes32 round, Payment[] memory payments) = opened();
        claim(round, payments, 1);
        VM.warp(NOW + 183 days - 1);
        refuses(IResearchTypes.PayoutNotOver.selector, round, NOW + 183 days);
        market.closePayout(escrowTerms(), RESULT);
        VM.warp(NOW + 183 days);
        market.closePayout(escrowTerms(), RESULT);
        market.closePayout(escrowTerms(), RESULT);
        equal(available(escrowTerms()), 900, "back once");
        refuses(IResearchTypes.PayoutExists.selector, round);
        VM.prank(HOSPITAL);
        market.proposePayout(escrowTerms(), RESULT, "root", 1);
    }
}

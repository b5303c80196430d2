// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Deploy} from "./support/Deploy.sol";
import {Approval, IResearchTypes, MarketTerms, StudyPermit} from "../../contracts/interfaces/IResearchTypes.sol";
import {ResearchMarket} from "../../contracts/ResearchMarket.sol";
import {MarketBase} from "./support/MarketBase.sol";
import {VM} from "./support/Vm.sol";
import {BurningWallet, HonestWallet} from "./support/Wallets.sol";

/// @notice What the ethics board decides.
contract ResearchTest is MarketBase {
    Approval[] private none;

    function test_permitStudy_signedByBoard_permittedWithinItsWindow() public {
        permit(STUDY, NOW + 10, NOW + 20);
        check(!market.isPermitted(STUDY, RULES), "not yet");
        VM.warp(NOW + 10);
        check(market.isPermitted(STUDY, RULES), "first second");
        check(!market.isPermitted(STUDY, keccak256("other rules")), "only these rules");
        VM.warp(NOW + 20);
        check(!market.isPermitted(STUDY, RULES), "ended");
        StudyPermit memory found = market.permitOf(STUDY);
        check(found.rules == RULES && found.notBefore == NOW + 10 && found.notAfter == NOW + 20, "as signed");
    }

    function test_permitStudy_byBoardItself_needsNoSignatureOfItsOwn() public {
        bytes32 command = permitCommand(STUDY, RULES, NOW, NOW + 1, FOREVER);
        Approval[] memory given = approvals(command);
        given[given[0].member == BOARD ? 0 : 1].signature = "";
        refuses(IResearchTypes.SignatureInvalid.selector, BOARD);
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, given);
        VM.prank(BOARD);
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, given);
        check(market.isPermitted(STUDY, RULES), "permitted");
    }

    function test_permitStudy_malformed_refused() public {
        refuses(IResearchTypes.StudyZero.selector);
        market.permitStudy(0, RULES, NOW, NOW + 1, FOREVER, none);
        VM.expectRevert(abi.encodeWithSelector(IResearchTypes.SubmittedTooLate.selector, NOW - 1));
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, NOW - 1, none);
        refusesNumbers(IResearchTypes.WindowEmpty.selector, NOW + 1, NOW + 1);
        market.permitStudy(STUDY, RULES, NOW + 1, NOW + 1, FOREVER, none);
        refusesNumbers(IResearchTypes.WindowEmpty.selector, NOW - 2, NOW);
        market.permitStudy(STUDY, RULES, NOW - 2, NOW, FOREVER, none);
        refusesNumbers(IResearchTypes.PermitTooLong.selector, NOW + 3660 days + 1, NOW + 3660 days);
        market.permitStudy(STUDY, RULES, NOW, NOW + 3660 days + 1, FOREVER, none);
        permit(STUDY, NOW, NOW + 3660 days);
        refuses(IResearchTypes.StudyAlreadyPermitted.selector, STUDY);
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, none);
    }

    function test_everyDecision_takesTheThresholdOfDistinctMembersInStanding() public {
        bytes32 command = permitCommand(STUDY, RULES, NOW, END, FOREVER);
        Approval[] memory given = approvals(command);
        expectNoDecision(given, abi.encodeWithSelector(IResearchTypes.ApprovalsTooFew.selector, 1, 2), 1);
        Approval[] memory twice = new Approval[](2);
        (twice[0], twice[1]) = (given[0], given[0]);
        bytes memory order = abi.encodeWithSelector(IResearchTypes.ApprovalsNotAscending.selector, given[0].member);
        expectNoDecision(twice, order, 2);
        (twice[0], twice[1]) = (given[1], given[0]);
        expectNoDecision(twice, order, 2);
        // A stranger's signature counts for nothing, nor does one over something else.
        twice = approvalsBy(BOARD_KEY, STRANGER_KEY, command);
        expectNoDecision(twice, abi.encodeWithSelector(IResearchTypes.NotEthicsBoard.selector, STRANGER), 2);
        twice = approvalsBy(BOARD_KEY, SECOND_KEY, permitCommand(STUDY, RULES, NOW, END, FOREVER - 1));
        address first = twice[0].member;
        expectNoDecision(twice, abi.encodeWithSelector(IResearchTypes.SignatureInvalid.selector, first), 2);
        VM.prank(OPERATOR);
        participants.suspend(BOARD_ID);
        expectNoDecision(given, abi.encodeWithSelector(IResearchTypes.NotEthicsBoard.selector, BOARD), 2);
        market.permitStudy(STUDY, RULES, NOW, END, FOREVER, approvalsBy(SECOND_KEY, THIRD_KEY, command));
        check(market.isPermitted(STUDY, RULES), "by the others");
    }

    function test_everyOtherDecision_byOneMember_refused() public {
        (bytes32 round,) = proposed();
        VM.prank(BOARD);
        market.suspendStudy(STUDY, 0, BOARD, "");
        bytes4 tooFew = IResearchTypes.ApprovalsTooFew.selector;
        VM.startPrank(BOARD);
        Approval[] memory one = approvalBy(BOARD_KEY, refusal(OTHER_STUDY));
        refusesNumbers(tooFew, 1, 2);
        market.refuseStudy(OTHER_STUDY, one);
        one = approvalBy(BOARD_KEY, resumption(STUDY, 1));
        refusesNumbers(tooFew, 1, 2);
        market.resumeStudy(STUDY, 1, one);
        one = approvalBy(BOARD_KEY, revocation(STUDY));
        refusesNumbers(tooFew, 1, 2);
        market.revokeStudy(STUDY, one);
        one = approvalBy(BOARD_KEY, donation(CHARITY));
        refusesNumbers(tooFew, 1, 2);
        market.nameDonation(CHARITY, one);
        one = approvalBy(BOARD_KEY, settlement(round, 1, false));
        refusesNumbers(tooFew, 1, 2);
        market.settlePayout(escrowTerms(), RESULT, 1, false, one);
    }

    function test_signatures_ofOneCommand_serveNoOther() public {
        permit(STUDY);
        Approval[] memory wrong = approvals(refusal(STUDY));
        address first = wrong[0].member;
        refuses(IResearchTypes.SignatureInvalid.selector, first);
        market.revokeStudy(STUDY, wrong);
        market.suspendStudy(STUDY, 0, BOARD, sign(BOARD_KEY, suspension(STUDY, 0)));
        wrong = approvals(suspension(STUDY, 1));
        refuses(IResearchTypes.SignatureInvalid.selector, first);
        market.resumeStudy(STUDY, 1, wrong);
        wrong = approvals(revocation(OTHER_STUDY));
        refuses(IResearchTypes.SignatureInvalid.selector, first);
        market.revokeStudy(STUDY, wrong);
        // Nor on another deployment.
        wrong = approvals(revocation(STUDY));
        market = Deploy.researchMarket(participants, MarketTerms(2, 1, 1, 1, 1));
        permit(STUDY);
        refuses(IResearchTypes.SignatureInvalid.selector, first);
        market.revokeStudy(STUDY, wrong);
    }

    function test_boardMemberWithContractWallet_approves_andABurningOneIsLeftOut() public {
        HonestWallet wallet = new HonestWallet();
        BurningWallet burner = new BurningWallet();
        VM.startPrank(OPERATOR);
        participants.admit("wallet", address(wallet), 8, NOW + 3650 days, 0, 0);
        participants.admit("burner", address(burner), 8, NOW + 3650 days, 0, 0);
        VM.stopPrank();
        bytes32 command = permitCommand(STUDY, RULES, NOW, END, FOREVER);
        wallet.confirm(typed(domain("Assent Research", address(market)), command));
        Approval memory own = approvalBy(BOARD_KEY, command)[0];
        Approval[] memory given = pair(own, Approval(address(burner), ""));
        uint256 before = gasleft();
        refuses(IResearchTypes.SignatureInvalid.selector, address(burner));
        market.permitStudy(STUDY, RULES, NOW, END, FOREVER, given);
        check(before - gasleft() < 700_000, "costs at most the cap");
        given = pair(own, Approval(address(wallet), ""));
        market.permitStudy(STUDY, RULES, NOW, END, FOREVER, given);
        check(market.isPermitted(STUDY, RULES), "permitted");
    }

    function test_refuseStudy_isFinal() public {
        market.refuseStudy(STUDY, approvals(refusal(STUDY)));
        market.refuseStudy(STUDY, none);
        check(market.permitOf(STUDY).revokedAt == NOW, "recorded");
        bytes32 command = permitCommand(STUDY, RULES, NOW, END, FOREVER);
        Approval[] memory given = approvals(command);
        refuses(IResearchTypes.StudyAlreadyRefused.selector, STUDY);
        market.permitStudy(STUDY, RULES, NOW, END, FOREVER, given);
        check(!market.isPermitted(STUDY, RULES) && !market.isPermitted(STUDY, 0), "never permitted");
        permit(OTHER_STUDY);
        refuses(IResearchTypes.StudyAlreadyPermitted.selector, OTHER_STUDY);
        market.refuseStudy(OTHER_STUDY, none);
        refuses(IResearchTypes.StudyZero.selector);
        market.refuseStudy(0, none);
    }

    function test_suspendAndResume_byRounds_noReplay() public {
        permit(STUDY);
        bytes memory first = sign(BOARD_KEY, suspension(STUDY, 0));
        market.suspendStudy(STUDY, 0, BOARD, first);
        market.suspendStudy(STUDY, 7, STRANGER, "");
        check(!market.isPermitted(STUDY, RULES), "suspended by one, at once");
        refusesNumbers(IResearchTypes.RoundNotCurrent.selector, 0, 1);
        market.resumeStudy(STUDY, 0, none);
        market.resumeStudy(STUDY, 1, approvals(resumption(STUDY, 1)));
        market.resumeStudy(STUDY, 7, none);
        check(market.isPermitted(STUDY, RULES), "resumed by two");
        refusesNumbers(IResearchTypes.RoundNotCurrent.selector, 0, 2);
        market.suspendStudy(STUDY, 0, BOARD, first);
        refuses(IResearchTypes.SignatureInvalid.selector, BOARD);
        market.suspendStudy(STUDY, 2, BOARD, first);
    }

    function test_suspendedStudy_yieldsNoResult() public {
        permit(STUDY);
        VM.prank(BOARD);
        market.suspendStudy(STUDY, 0, BOARD, "");
        refusesHashes(IResearchTypes.StudyNotPermitted.selector, STUDY, RULES);
        VM.prank(HOSPITAL);
        market.commitResult(STUDY, RULES, RESULT);
    }

    function test_revokeStudy_isFinal() public {
        permit(OTHER_STUDY);
        market.revokeStudy(OTHER_STUDY, approvals(revocation(OTHER_STUDY)));
        check(!market.isPermitted(OTHER_STUDY, RULES), "revoked while it ran");
        permit(STUDY);
        VM.prank(BOARD);
        market.suspendStudy(STUDY, 0, BOARD, "");
        market.revokeStudy(STUDY, approvals(revocation(STUDY)));
        market.revokeStudy(STUDY, none);
        check(!market.isPermitted(STUDY, RULES), "revoked");
        refuses(IResearchTypes.StudyAlreadyRevoked.selector, STUDY);
        market.resumeStudy(STUDY, 1, none);
        refuses(IResearchTypes.StudyAlreadyPermitted.selector, STUDY);
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, none);
    }

    function test_everyCommand_byASuspendedBoardMember_refused() public {
        permit(STUDY);
        VM.prank(OPERATOR);
        participants.suspend(BOARD_ID);
        refuses(IResearchTypes.NotEthicsBoard.selector, BOARD);
        VM.prank(BOARD);
        market.suspendStudy(STUDY, 0, BOARD, "");
        Approval[] memory given = approvals(revocation(STUDY));
        refuses(IResearchTypes.NotEthicsBoard.selector, BOARD);
        market.revokeStudy(STUDY, given);
    }

    function test_unknownStudy_refused() public {
        VM.startPrank(BOARD);
        refuses(IResearchTypes.StudyUnknown.selector, STUDY);
        market.suspendStudy(STUDY, 0, BOARD, "");
        refuses(IResearchTypes.StudyUnknown.selector, STUDY);
        market.resumeStudy(STUDY, 0, none);
        refuses(IResearchTypes.StudyUnknown.selector, STUDY);
        market.revokeStudy(STUDY, none);
        check(!market.isPermitted(STUDY, 0), "nothing is permitted");
        equal(market.lockedUntil(STUDY), 0, "nothing is locked");
    }

    function test_deployment_withoutThresholdOrClaimTime_refused() public {
        refuses(IResearchTypes.ThresholdZero.selector);
        Deploy.researchMarket(participants, MarketTerms(0, 1, 1, 1, 1));
        refuses(IResearchTypes.ClaimWindowZero.selector);
        Deploy.researchMarket(participants, MarketTerms(1, 1, 1, 0, 1));
        MarketTerms memory found = market.marketTerms();
        check(found.boardThreshold == 2 && found.objectionSeconds == 3 days, "as deployed");
        check(found.settlementSeconds == 14 days && found.claimSeconds == 180 days, "as deployed");
        check(found.graceSeconds == 30 days, "as deployed");
    }

    function expectNoDecision(Approval[] memory given, bytes memory reason, uint256 length) private {
        Approval[] memory used = new Approval[](length);
        for (uint256 i = 0; i < length; ++i) {
            used[i] = given[i];
        }
        VM.expectRevert(reason);
        market.permitStudy(STUDY, RULES, NOW, END, FOREVER, used);
        check(!market.isPermitted(STUDY, RULES), "not permitted");
    }

    function pair(Approval memory a, Approval memory b) private pure returns (Approval[] memory given) {
        given = new Approval[](2);
        (given[0], given[1]) = a.member < b.member ? (a, b) : (b, a);
    }
}

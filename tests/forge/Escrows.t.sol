// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {EscrowTerms, IResearchTypes, Payment} from "../../contracts/interfaces/IResearchTypes.sol";
import {MarketBase} from "./support/MarketBase.sol";
import {VM} from "./support/Vm.sol";

/// @notice Money that comes in and money that goes back.
contract EscrowsTest is MarketBase {
    function test_fund_byTheResearcher_isCreditedAndAddsUp() public {
        fund(escrowTerms(), 700);
        fund(escrowTerms(), 300);
        equal(available(escrowTerms()), 1000, "credited");
        equal(token.balanceOf(address(market)), 1000, "held");
    }

    function test_escrowId_isTheHashOfItsTerms_soNobodyTakesItFirst() public {
        EscrowTerms memory terms = escrowTerms();
        bytes32 id = keccak256(abi.encode(terms.study, terms.custodian, terms.funder, terms.token));
        check(market.escrowIdOf(terms) == id, "hash of the four");
        VM.prank(OPERATOR);
        participants.admit("rival", STRANGER, 4, FOREVER, 0, 0);
        EscrowTerms memory rival = escrowTerms();
        rival.funder = STRANGER;
        fund(rival, 5);
        fund(terms, 1000);
        equal(available(terms), 1000, "the researcher's own");
        equal(available(rival), 5, "the rival's own");
    }

    function test_fund_refused() public {
        EscrowTerms memory terms = escrowTerms();
        refuses(IResearchTypes.NotFunder.selector, STRANGER);
        VM.prank(STRANGER);
        market.fund(terms, 1);
        terms.funder = STRANGER;
        refuses(IResearchTypes.NotResearcher.selector, STRANGER);
        VM.prank(STRANGER);
        market.fund(terms, 1);
        terms = escrowTerms();
        VM.startPrank(RESEARCHER);
        terms.study = 0;
        refuses(IResearchTypes.StudyZero.selector);
        market.fund(terms, 1);
        terms = escrowTerms();
        terms.custodian = "nobody";
        refuses(IResearchTypes.CustodianNotInStanding.selector, "nobody");
        market.fund(terms, 1);
        terms = escrowTerms();
        refuses(IResearchTypes.NothingReceived.selector, address(token));
        market.fund(terms, 0);
        VM.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(market), 0, 1)
        );
        market.fund(terms, 1);
    }

    function test_fund_moreThanAWordHolds_refused() public {
        uint256 tooMuch = uint256(type(uint128).max) + 1;
        token.mint(RESEARCHER, tooMuch);
        VM.startPrank(RESEARCHER);
        token.approve(address(market), tooMuch);
        VM.expectRevert(
            abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, uint8(128), tooMuch)
        );
        market.fund(escrowTerms(), tooMuch);
        market.fund(escrowTerms(), tooMuch - 1);
        VM.warp(NOW + 1);
        market.refund(escrowTerms(), RESEARCHER);
        equal(token.balanceOf(RESEARCHER), tooMuch, "all back");
    }

    function test_fund_ofWhatIsOver_refused() public {
        EscrowTerms memory terms = escrowTerms();
        bytes4 over = IResearchTypes.EscrowOver.selector;
        bytes32 id = market.escrowIdOf(terms);
        permit(STUDY);
        VM.warp(END + 30 days);
        refuses(over, id);
        VM.prank(RESEARCHER);
        market.fund(terms, 1);
        terms.study = OTHER_STUDY;
        id = market.escrowIdOf(terms);
        market.refuseStudy(OTHER_STUDY, approvals(refusal(OTHER_STUDY)));
        refuses(over, id);
        VM.prank(RESEARCHER);
        market.fund(terms, 1);
        terms.study = "third";
        id = market.escrowIdOf(terms);
        VM.prank(HOSPITAL);
        market.release(terms);
        refuses(over, id);
        VM.prank(RESEARCHER);
        market.fund(terms, 1);
    }

    function test_refund_beforeThePermitOrAfterRefusal_atOnce() public {
        fund(escrowTerms(), 600);
        refund();
        equal(token.balanceOf(RESEARCHER), 600, "withdrawn before the decision");
        fund(escrowTerms(), 400);
        market.refuseStudy(STUDY, approvals(refusal(STUDY)));
        refund();
        equal(token.balanceOf(RESEARCHER), 1000, "all back");
    }

    function test_refund_whileTheStudyRuns_locked_untilItsEndAndGrace() public {
        fund(escrowTerms(), 1000);
        permit(STUDY);
        bytes32 id = market.escrowIdOf(escrowTerms());
        refuses(IResearchTypes.EscrowLocked.selector, id, uint256(END + 30 days));
        refund();
        VM.prank(BOARD);
        market.suspendStudy(STUDY, 0, BOARD, "");
        VM.warp(END + 30 days - 1);
        refuses(IResearchTypes.EscrowLocked.selector, id, uint256(END + 30 days));
        refund();
        VM.warp(END + 30 days);
        refund();
        equal(token.balanceOf(RESEARCHER), 1000, "back after expiry");
    }

    function test_refund_afterRevocation_aGraceLater_andNeverLaterThanByExpiry() public {
        fund(escrowTerms(), 1000);
        permit(STUDY);
        VM.warp(NOW + 10 days);
        market.revokeStudy(STUDY, approvals(revocation(STUDY)));
        equal(market.lockedUntil(STUDY), NOW + 40 days, "grace from the revocation");
        VM.warp(NOW + 40 days);
        refund();
        equal(token.balanceOf(RESEARCHER), 1000, "back");
        VM.warp(NOW);
        permit(OTHER_STUDY, NOW, NOW + 10);
        VM.warp(NOW + 20 days);
        market.revokeStudy(OTHER_STUDY, approvals(revocation(OTHER_STUDY)));
        equal(market.lockedUntil(OTHER_STUDY), NOW + 10 + 30 days, "a late revocation locks nothing again");
    }

    function test_refund_afterRelease_atOnce_andNoMorePayouts() public {
        permit(STUDY);
        fund(escrowTerms(), 1000);
        commit(STUDY, RESULT);
        refuses(IResearchTypes.NotEscrowCustodian.selector, CLINIC, HOSPITAL_ID);
        VM.prank(CLINIC);
        market.release(escrowTerms());
        VM.prank(HOSPITAL);
        market.release(escrowTerms());
        bytes32 id = market.escrowIdOf(escrowTerms());
        (, bool released) = market.escrowOf(id);
        check(released, "recorded");
        refuses(IResearchTypes.EscrowOver.selector, id);
        VM.prank(HOSPITAL);
        market.proposePayout(escrowTerms(), RESULT, "root", 1);
        refund();
        equal(token.balanceOf(RESEARCHER), 1000, "back");
    }

    function test_refund_toAnotherAccount_onlyByTheFunder() public {
        fund(escrowTerms(), 1000);
        EscrowTerms memory terms = escrowTerms();
        refuses(IResearchTypes.NotFunder.selector, STRANGER);
        VM.prank(STRANGER);
        market.refund(terms, STRANGER);
        VM.startPrank(RESEARCHER);
        refuses(IResearchTypes.RecipientInvalid.selector, address(0));
        market.refund(terms, address(0));
        refuses(IResearchTypes.RecipientInvalid.selector, address(market));
        market.refund(terms, address(market));
        market.refund(terms, CHARITY);
        equal(token.balanceOf(CHARITY), 1000, "where the funder wants it");
        bytes32 id = market.escrowIdOf(terms);
        refuses(IResearchTypes.EscrowEmpty.selector, id);
        market.refund(terms, RESEARCHER);
    }

    function test_refund_neverTakesWhatAPayoutOwes() public {
        (bytes32 round, Payment[] memory payments) = opened();
        market.revokeStudy(STUDY, approvals(revocation(STUDY)));
        VM.warp(NOW + 33 days);
        refund();
        equal(token.balanceOf(RESEARCHER), 500, "only what is not owed");
        claimAll(round, payments);
        equal(token.balanceOf(payee(4)), 100, "the owed is paid after revocation and refund");
        equal(token.balanceOf(address(market)), 0, "nothing left");
    }

    function test_refund_needsNoRoleAndNoBoard() public {
        fund(escrowTerms(), 1000);
        permit(STUDY);
        VM.startPrank(OPERATOR);
        participants.remove("researcher");
        participants.remove(HOSPITAL_ID);
        participants.remove(BOARD_ID);
        participants.remove("second");
        participants.remove("third");
        VM.stopPrank();
        VM.warp(END + 30 days);
        refund();
        equal(token.balanceOf(RESEARCHER), 1000, "back");
    }

    /// @dev Anyone submits it.
    function refund() private {
        market.refund(escrowTerms(), RESEARCHER);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IResearchMarket, StudyPermit} from "../../contracts/interfaces/IResearchMarket.sol";
import {Base} from "./support/Base.sol";
import {VM} from "./support/Vm.sol";

contract ResearchTest is Base {
    bytes32 private constant STUDY = keccak256("study");
    bytes32 private constant RULES = keccak256("rules");

    function test_permitStudy_signedByBoard_permittedWithinItsWindow() public {
        permit(NOW + 10, NOW + 20);
        check(!market.isPermitted(STUDY, RULES), "not yet");
        VM.warp(NOW + 10);
        check(market.isPermitted(STUDY, RULES), "first second");
        check(!market.isPermitted(STUDY, keccak256("other rules")), "only these rules");
        VM.warp(NOW + 20);
        check(!market.isPermitted(STUDY, RULES), "ended");
        StudyPermit memory found = market.permitOf(STUDY);
        check(found.rules == RULES && found.notBefore == NOW + 10 && found.notAfter == NOW + 20, "as signed");
    }

    function test_permitStudy_byBoardItself_needsNoSignature() public {
        VM.prank(BOARD);
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, BOARD, "");
        check(market.isPermitted(STUDY, RULES), "permitted");
    }

    function test_permitStudy_malformedOrUnsigned_refused() public {
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.StudyZero.selector));
        market.permitStudy(0, RULES, NOW, NOW + 1, FOREVER, BOARD, "");
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.SubmittedTooLate.selector, NOW - 1));
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, NOW - 1, BOARD, "");
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.WindowEmpty.selector, NOW + 1, NOW + 1));
        market.permitStudy(STUDY, RULES, NOW + 1, NOW + 1, FOREVER, BOARD, "");
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.WindowEmpty.selector, NOW - 2, NOW));
        market.permitStudy(STUDY, RULES, NOW - 2, NOW, FOREVER, BOARD, "");
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.NotEthicsBoard.selector, HOSPITAL));
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, HOSPITAL, "");
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.SignatureInvalid.selector, BOARD));
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, BOARD, "");
        permit(NOW, NOW + 10);
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.StudyAlreadyPermitted.selector, STUDY));
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, BOARD, "");
    }

    function test_suspendAndResume_byRounds_noReplay() public {
        permit(NOW, NOW + 100);
        bytes memory first = round("SuspendStudy", 0);
        market.suspendStudy(STUDY, 0, BOARD, first);
        check(!market.isPermitted(STUDY, RULES), "suspended");
        market.resumeStudy(STUDY, 1, BOARD, round("ResumeStudy", 1));
        check(market.isPermitted(STUDY, RULES), "resumed");
        VM.expectRevert(
            abi.encodeWithSelector(IResearchMarket.RoundNotCurrent.selector, uint32(0), uint32(2))
        );
        market.suspendStudy(STUDY, 0, BOARD, first);
    }

    function test_revokeStudy_isFinal() public {
        permit(NOW, NOW + 100);
        bytes memory signature =
            sign(keccak256(abi.encode(keccak256("RevokeStudy(bytes32 study)"), STUDY)), BOARD_KEY);
        market.revokeStudy(STUDY, BOARD, signature);
        market.revokeStudy(STUDY, BOARD, "");
        check(!market.isPermitted(STUDY, RULES), "revoked");
        VM.prank(BOARD);
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.StudyAlreadyRevoked.selector, STUDY));
        market.resumeStudy(STUDY, 0, BOARD, "");
        VM.expectRevert(abi.encodeWithSelector(IResearchMarket.StudyAlreadyPermitted.selector, STUDY));
        market.permitStudy(STUDY, RULES, NOW, NOW + 1, FOREVER, BOARD, "");
    }

    function test_everyCommand_byASuspendedBoardMember_refused() public {
        permit(NOW, NOW + 100);
        VM.prank(OPERATOR);
        participants.suspend(BOARD_ID);
        bytes memory reason = abi.encodeWithSelector(IResearchMarket.NotEthicsBoard.selector, BOARD);
        VM.startPrank(BOARD);
        VM.expectRevert(reason);
        market.permitStudy("other", RULES, NOW, NOW + 1, FOREVER, BOARD, "");
        VM.expectRevert(reason);
        market.suspendStudy(STUDY, 0, BOARD, "");
        VM.expectRevert(reason);
        market.revokeStudy(STUDY, BOARD, "");
    }

    function test_unknownStudy_refused() public {
        bytes memory reason = abi.encodeWithSelector(IResearchMarket.StudyUnknown.selector, STUDY);
        VM.startPrank(BOARD);
        VM.expectRevert(reason);
        market.suspendStudy(STUDY, 0, BOARD, "");
        VM.expectRevert(reason);
        market.resumeStudy(STUDY, 0, BOARD, "");
        VM.expectRevert(reason);
        market.revokeStudy(STUDY, BOARD, "");
        check(!market.isPermitted(STUDY, 0), "nothing is permitted");
    }

    function permit(uint40 notBefore, uint40 notAfter) private {
        bytes32 command = keccak256(
            abi.encode(
                keccak256(
                    "PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)"
                ),
                STUDY,
                RULES,
                notBefore,
                notAfter,
                FOREVER
            )
        );
        market.permitStudy(STUDY, RULES, notBefore, notAfter, FOREVER, BOARD, sign(command, BOARD_KEY));
    }

    function round(string memory name, uint32 number) private view returns (bytes memory) {
        bytes32 typehash = keccak256(bytes(string.concat(name, "(bytes32 study,uint32 round)")));
        return sign(keccak256(abi.encode(typehash, STUDY, number)), BOARD_KEY);
    }

    function sign(bytes32 command, uint256 key) private view returns (bytes memory) {
        return signDigest(key, typed(domain("Assent Research", address(market)), command));
    }
}

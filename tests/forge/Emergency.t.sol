// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEmergencyAccess, Opening, OpeningHeader} from "../../contracts/interfaces/IEmergencyAccess.sol";
import {EmergencyBase} from "./support/EmergencyBase.sol";
import {VM} from "./support/Vm.sol";
import {HonestWallet} from "./support/Wallets.sol";

contract EmergencyTest is EmergencyBase {
    // --- opening

    function test_openEmergency_relayed_isOpenUntilItsEnd() public {
        setPolicy(ALLOW);
        OpeningHeader memory h = header(1 hours);
        VM.prank(RELAYER);
        bytes32 id = emergency.openEmergency(h, signed(DOCTOR_KEY, idOf(h)), address(0), "");
        check(id == idOf(h) && id == emergency.openingId(h), "the id is the struct hash");
        Opening memory found = emergency.openingOf(id);
        check(found.member == DOCTOR_ID && found.responder == DOCTOR && found.subject == SUBJECT, "who and whom");
        check(found.openedAt == NOW && found.recordedAt == NOW && found.expiresAt == NOW + 1 hours, "when");
        check(found.countersigner == 0 && !found.late && found.closedAt == 0 && found.reviewedAt == 0, "alone");
        check(emergency.isOpen(id), "open at once");
        VM.warp(NOW + 1 hours - 1);
        check(emergency.isOpen(id), "last second");
        VM.warp(NOW + 1 hours);
        check(!emergency.isOpen(id), "half open");
    }

    function test_openEmergency_direct_needsNoSignature() public {
        VM.prank(DOCTOR);
        check(emergency.isOpen(emergency.openEmergency(header(0), "", address(0), "")), "open");
    }

    function test_openEmergency_byWallet_asksIt() public {
        HonestWallet wallet = new HonestWallet();
        VM.prank(OPERATOR);
        participants.amend(DOCTOR_ID, address(wallet), RESPONDER, NOW + 1 days, 0, 0);
        OpeningHeader memory h = header(0);
        h.responder = address(wallet);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, address(wallet)));
        emergency.openEmergency(h, "x", address(0), "");
        wallet.confirm(typed(domain("Assent Emergency", address(emergency)), idOf(h)));
        check(emergency.isOpen(emergency.openEmergency(h, "x", address(0), "")), "confirmed");
    }

    function test_openEmergency_withoutRoleOrLiveCredential_refused() public {
        OpeningHeader memory h = header(0);
        h.responder = HOSPITAL;
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.NotResponder.selector, HOSPITAL));
        emergency.openEmergency(h, "", address(0), "");
        h.responder = DOCTOR;
        bytes memory signature = signed(DOCTOR_KEY, idOf(h));
        bytes memory reason = abi.encodeWithSelector(IEmergencyAccess.NotResponder.selector, DOCTOR);
        VM.prank(OPERATOR);
        participants.suspend(DOCTOR_ID);
        VM.expectRevert(reason);
        emergency.openEmergency(h, signature, address(0), "");
        VM.startPrank(OPERATOR);
        participants.reinstate(DOCTOR_ID);
        participants.amend(DOCTOR_ID, DOCTOR, RESPONDER, NOW + 10, 0, 0);
        VM.stopPrank();
        VM.warp(NOW + 10);
        VM.expectRevert(reason);
        emergency.openEmergency(h, signature, address(0), "");
    }

    function test_openEmergency_malformedOrUnsigned_refused() public {
        OpeningHeader memory h = header(0);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, DOCTOR));
        emergency.openEmergency(h, signed(MEDIC_KEY, idOf(h)), address(0), "");
        h.submitBy = NOW - 1;
        VM.startPrank(DOCTOR);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SubmittedTooLate.selector, NOW - 1));
        emergency.openEmergency(h, "", address(0), "");
        h = header(4 hours + 1);
        VM.expectRevert(
            abi.encodeWithSelector(IEmergencyAccess.DurationTooLong.selector, uint32(4 hours + 1), uint32(4 hours))
        );
        emergency.openEmergency(h, "", address(0), "");
        h = header(0);
        h.reason = 0;
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.ReasonZero.selector));
        emergency.openEmergency(h, "", address(0), "");
        h = header(0);
        h.subject = 999;
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SubjectUnknown.selector, uint96(999)));
        emergency.openEmergency(h, "", address(0), "");
    }

    function test_openEmergency_anyFieldChanged_signatureRefused(uint8 field, uint256 change) public {
        OpeningHeader memory h = header(1 hours);
        bytes memory signature = signed(DOCTOR_KEY, idOf(h));
        open(OTHER, GUARDIAN_KEY);
        if (field % 5 == 0) h.subject = OTHER;
        if (field % 5 == 1) h.responder = MEDIC;
        if (field % 5 == 2) h.reason = keccak256(abi.encode(change));
        if (field % 5 == 3) h.duration = uint32(change % 1 hours);
        if (field % 5 == 4) h.submitBy = NOW + 2 hours + uint40(change % 1 days);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, h.responder));
        emergency.openEmergency(h, signature, address(0), "");
    }

    function test_openEmergency_signatureOfAnotherCommandChainOrContract_refused() public {
        OpeningHeader memory h = header(0);
        bytes32 id = idOf(h);
        bytes memory reason = abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, DOCTOR);
        bytes[4] memory others = [
            signed(DOCTOR_KEY, countersigning(id)),
            signed(DOCTOR_KEY, closing(id)),
            signDigest(DOCTOR_KEY, typed(domain("Assent Emergency", address(registry)), id)),
            signDigest(DOCTOR_KEY, typed(domain("Assent Consent", address(emergency)), id))
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            VM.expectRevert(reason);
            emergency.openEmergency(h, others[i], address(0), "");
        }
        bytes memory here = signed(DOCTOR_KEY, id);
        VM.chainId(block.chainid + 1);
        VM.expectRevert(reason);
        emergency.openEmergency(h, here, address(0), "");
    }

    function test_openEmergency_again_refusedAndChangesNothing() public {
        bytes32 id = opened(1 hours);
        OpeningHeader memory h = header(1 hours);
        VM.warp(NOW + 10);
        bytes memory signature = signed(DOCTOR_KEY, id);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.AlreadyOpened.selector, id));
        h.submitBy = NOW + 1 hours;
        emergency.openEmergency(h, signature, address(0), "");
        equal(emergency.openingOf(id).openedAt, NOW, "first date stands");
    }

    function test_openEmergency_anyDuration_neverAboveTheLongestNorThePolicys(uint32 duration, bool allow) public {
        if (allow) setPolicy(ALLOW);
        duration = duration % (4 hours + 1);
        uint256 asked = duration == 0 ? 2 hours : duration;
        uint40 expiresAt = emergency.openingOf(opened(duration)).expiresAt;
        equal(expiresAt, NOW + (allow ? asked : asked / 2), "as long as the policy gives");
        check(expiresAt <= NOW + 4 hours, "never longer");
    }

    function test_isOpen_unknown_no() public view {
        check(!emergency.isOpen("nothing"), "nothing is open");
        check(emergency.openingOf("nothing").member == 0, "nothing stored");
    }

    function test_isOpen_responderLosesRoleOrAccount_no() public {
        bytes32 id = opened(0);
        VM.startPrank(OPERATOR);
        participants.suspend(DOCTOR_ID);
        check(!emergency.isOpen(id), "suspended");
        participants.reinstate(DOCTOR_ID);
        check(emergency.isOpen(id), "back in standing");
        participants.amend(DOCTOR_ID, STRANGER, RESPONDER, NOW + 1 days, 0, 0);
        check(!emergency.isOpen(id), "a lost key's opening ends with the key");
        VM.stopPrank();
    }

    // --- closing

    function test_closeEmergency_byResponderOrController_endsAtOnce() public {
        bytes32 id = opened(0);
        VM.warp(NOW + 5);
        VM.prank(RELAYER);
        emergency.closeEmergency(id, DOCTOR, signed(DOCTOR_KEY, closing(id)));
        check(!emergency.isOpen(id), "closed by the responder");
        equal(emergency.openingOf(id).closedAt, NOW + 5, "when");
        bytes32 other = opened(0);
        emergency.closeEmergency(other, PATIENT, signed(PATIENT_KEY, closing(other)));
        check(!emergency.isOpen(other), "closed by the controller");
        VM.warp(NOW + 6);
        other = opened(0);
        VM.prank(PATIENT);
        emergency.closeEmergency(other, PATIENT, "");
        check(!emergency.isOpen(other), "closed directly");
    }

    function test_closeEmergency_needsNoRole() public {
        bytes32 id = opened(0);
        VM.prank(OPERATOR);
        participants.remove(DOCTOR_ID);
        emergency.closeEmergency(id, DOCTOR, signed(DOCTOR_KEY, closing(id)));
        equal(emergency.openingOf(id).closedAt, NOW, "closed by who has no role any more");
    }

    function test_closeEmergency_ofWhatIsOver_doesNothing() public {
        bytes32 id = opened(0);
        emergency.closeEmergency(id, DOCTOR, signed(DOCTOR_KEY, closing(id)));
        VM.warp(NOW + 5);
        emergency.closeEmergency(id, PATIENT, signed(PATIENT_KEY, closing(id)));
        equal(emergency.openingOf(id).closedAt, NOW, "first date stands");
        id = opened(0);
        VM.warp(NOW + 5 + 1 hours);
        emergency.closeEmergency(id, DOCTOR, "");
        equal(emergency.openingOf(id).closedAt, 0, "it expired and was not closed");
    }

    function test_closeEmergency_byOthersOrUnsigned_refused() public {
        bytes32 id = opened(0);
        address[4] memory others = [STRANGER, MEDIC, HOSPITAL, OPERATOR];
        for (uint256 i = 0; i < others.length; ++i) {
            VM.prank(others[i]);
            VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.MayNotClose.selector, id, others[i]));
            emergency.closeEmergency(id, others[i], "");
        }
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, DOCTOR));
        emergency.closeEmergency(id, DOCTOR, signed(DOCTOR_KEY, id));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.OpeningUnknown.selector, bytes32("nothing")));
        emergency.closeEmergency("nothing", DOCTOR, "");
        check(emergency.isOpen(id), "still open");
    }

    // --- reviewing

    function test_reviewEmergency_byCustodianOrBoard_recordsTheFinding() public {
        bytes32 id = opened(0);
        VM.warp(NOW + 1 hours);
        VM.prank(RELAYER);
        emergency.reviewEmergency(id, BOARD, FINDING, signed(BOARD_KEY, reviewing(id, FINDING)));
        Opening memory found = emergency.openingOf(id);
        check(found.finding == FINDING && found.reviewedAt == NOW + 1 hours, "recorded");
        id = opened(0);
        emergency.closeEmergency(id, DOCTOR, signed(DOCTOR_KEY, closing(id)));
        VM.prank(HOSPITAL);
        emergency.reviewEmergency(id, HOSPITAL, FINDING, "");
        check(emergency.openingOf(id).finding == FINDING, "by a custodian, directly");
    }

    function test_reviewEmergency_whileItRuns_refused() public {
        bytes32 id = opened(0);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.OpeningNotOver.selector, id));
        VM.prank(HOSPITAL);
        emergency.reviewEmergency(id, HOSPITAL, FINDING, "");
    }

    function test_reviewEmergency_byOthers_refused() public {
        bytes32 id = opened(0);
        VM.warp(NOW + 1 hours);
        address[4] memory others = [STRANGER, DOCTOR, MEDIC, PATIENT];
        for (uint256 i = 0; i < others.length; ++i) {
            VM.prank(others[i]);
            VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.NotReviewer.selector, others[i]));
            emergency.reviewEmergency(id, others[i], FINDING, "");
        }
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, BOARD));
        emergency.reviewEmergency(id, BOARD, FINDING, signed(BOARD_KEY, reviewing(id, REASON)));
        VM.prank(OPERATOR);
        participants.suspend(BOARD_ID);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.NotReviewer.selector, BOARD));
        emergency.reviewEmergency(id, BOARD, FINDING, signed(BOARD_KEY, reviewing(id, FINDING)));
    }

    function test_reviewEmergency_byWhoTookPart_refused() public {
        VM.startPrank(OPERATOR);
        participants.amend(DOCTOR_ID, DOCTOR, RESPONDER | 1, NOW + 1 days, 0, 0);
        participants.amend(MEDIC_ID, MEDIC, RESPONDER | 8, NOW + 1 days, 0, 0);
        VM.stopPrank();
        OpeningHeader memory h = header(0);
        bytes32 id = emergency.openEmergency(
            h, signed(DOCTOR_KEY, idOf(h)), MEDIC, signed(MEDIC_KEY, countersigning(idOf(h)))
        );
        VM.warp(NOW + 1 hours);
        VM.prank(DOCTOR);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.ReviewerTookPart.selector, id, DOCTOR_ID));
        emergency.reviewEmergency(id, DOCTOR, FINDING, "");
        VM.prank(MEDIC);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.ReviewerTookPart.selector, id, MEDIC_ID));
        emergency.reviewEmergency(id, MEDIC, FINDING, "");
    }

    function test_reviewEmergency_zeroUnknownOrAgain_refused() public {
        bytes32 id = opened(0);
        VM.warp(NOW + 1 hours);
        VM.startPrank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.FindingZero.selector));
        emergency.reviewEmergency(id, HOSPITAL, 0, "");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.OpeningUnknown.selector, bytes32("nothing")));
        emergency.reviewEmergency("nothing", HOSPITAL, FINDING, "");
        emergency.reviewEmergency(id, HOSPITAL, FINDING, "");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.AlreadyReviewed.selector, id));
        emergency.reviewEmergency(id, HOSPITAL, REASON, "");
        check(emergency.openingOf(id).finding == FINDING, "the first finding stands");
    }

    // --- overdue reviews

    function test_overdue_alone_refused_withAnotherResponder_open() public {
        bytes32 first = opened(0);
        VM.warp(NOW + 72 hours - 1);
        check(!emergency.hasOverdueReview(DOCTOR_ID), "not yet");
        opened(0);
        VM.warp(NOW + 72 hours);
        check(emergency.hasOverdueReview(DOCTOR_ID), "overdue");
        OpeningHeader memory h = header(0);
        bytes32 id = idOf(h);
        bytes memory signature = signed(DOCTOR_KEY, id);
        VM.expectRevert(
            abi.encodeWithSelector(IEmergencyAccess.CountersignatureNeeded.selector, DOCTOR_ID, first)
        );
        emergency.openEmergency(h, signature, address(0), "");
        emergency.openEmergency(h, signature, MEDIC, signed(MEDIC_KEY, countersigning(id)));
        check(emergency.isOpen(id) && emergency.openingOf(id).countersigner == MEDIC_ID, "care goes on");
        check(!emergency.hasOverdueReview(MEDIC_ID), "the countersigner owes nothing");
    }

    function test_overdue_lateReview_clearsIt() public {
        bytes32 first = opened(0);
        VM.warp(NOW + 80 hours);
        VM.prank(HOSPITAL);
        emergency.reviewEmergency(first, HOSPITAL, FINDING, "");
        check(!emergency.hasOverdueReview(DOCTOR_ID), "cleared");
        check(emergency.isOpen(opened(0)), "opens alone again");
    }

    function test_overdue_newAccount_staysOverdue() public {
        opened(0);
        VM.warp(NOW + 72 hours);
        VM.prank(OPERATOR);
        participants.amend(DOCTOR_ID, STRANGER, RESPONDER, NOW + 3650 days, 0, 0);
        check(emergency.hasOverdueReview(DOCTOR_ID), "the member's, not the account's");
        OpeningHeader memory h = header(0);
        h.responder = STRANGER;
        VM.prank(STRANGER);
        VM.expectRevert();
        emergency.openEmergency(h, "", address(0), "");
    }

    function test_countersigner_itselfNoResponderOrUnsigned_refused() public {
        OpeningHeader memory h = header(0);
        bytes32 id = idOf(h);
        bytes memory signature = signed(DOCTOR_KEY, id);
        bytes memory own = signed(DOCTOR_KEY, countersigning(id));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.CountersignerNotAnother.selector, DOCTOR_ID));
        emergency.openEmergency(h, signature, DOCTOR, own);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.NotResponder.selector, STRANGER));
        emergency.openEmergency(h, signature, STRANGER, "");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, MEDIC));
        emergency.openEmergency(h, signature, MEDIC, signed(MEDIC_KEY, id));
        VM.prank(MEDIC);
        check(emergency.isOpen(emergency.openEmergency(h, signature, MEDIC, "")), "the countersigner sends");
    }

    function test_queue_reviewedInAnyOrder_oldestStaysTheOldest(uint256 order) public {
        bytes32[] memory ids = new bytes32[](5);
        for (uint256 i = 0; i < 5; ++i) {
            VM.warp(NOW + i);
            ids[i] = opened(0);
        }
        VM.warp(NOW + 2 hours);
        for (uint256 left = 5; left > 0; --left) {
            bytes32 id = emergency.oldestUnreviewedOf(DOCTOR_ID);
            for (uint256 i = 0; i < 5; ++i) {
                if (ids[i] == 0) continue;
                check(id == ids[i], "oldest first, none left out");
                id = emergency.nextUnreviewedAfter(id);
            }
            check(id == 0, "and no more");
            uint256 pick = order % left;
            order /= left;
            for (uint256 i = 0; i < 5; ++i) {
                if (ids[i] == 0) continue;
                if (pick > 0) {
                    --pick;
                    continue;
                }
                VM.prank(HOSPITAL);
                emergency.reviewEmergency(ids[i], HOSPITAL, FINDING, "");
                ids[i] = 0;
                break;
            }
        }
        check(emergency.oldestUnreviewedOf(DOCTOR_ID) == 0 && !emergency.hasOverdueReview(DOCTOR_ID), "nothing owed");
    }
}

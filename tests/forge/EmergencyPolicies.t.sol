// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader} from "../../contracts/interfaces/IConsentTypes.sol";
import {
    IEmergencyAccess,
    LateOpeningHeader,
    Opening,
    OpeningHeader
} from "../../contracts/interfaces/IEmergencyAccess.sol";
import {EmergencyBase} from "./support/EmergencyBase.sol";
import {VM} from "./support/Vm.sol";

contract EmergencyPoliciesTest is EmergencyBase {
    // --- the controller's policy

    function test_policy_neverSet_isLimit() public {
        (uint8 policy, uint32 round) = emergency.emergencyPolicyOf(SUBJECT);
        check(policy == LIMIT && round == 0, "limit");
        equal(emergency.openingOf(opened(0)).expiresAt, NOW + 1 hours, "half the default");
    }

    function test_setPolicy_signedOrDirect_counts() public {
        setPolicy(ALLOW);
        (uint8 policy, uint32 round) = emergency.emergencyPolicyOf(SUBJECT);
        check(policy == ALLOW && round == 1, "allow");
        equal(emergency.openingOf(opened(0)).expiresAt, NOW + 2 hours, "the default");
        VM.prank(PATIENT);
        emergency.setEmergencyPolicy(SUBJECT, LIMIT, 1, "");
        (policy, round) = emergency.emergencyPolicyOf(SUBJECT);
        check(policy == LIMIT && round == 2, "limit again");
    }

    function test_setPolicy_byOthersUnknownOrStale_refused() public {
        bytes memory stale = signed(PATIENT_KEY, policyOf(SUBJECT, FORBID, 0));
        bytes memory reason = abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, PATIENT);
        address[4] memory others = [STRANGER, DOCTOR, HOSPITAL, OPERATOR];
        for (uint256 i = 0; i < others.length; ++i) {
            VM.prank(others[i]);
            VM.expectRevert(reason);
            emergency.setEmergencyPolicy(SUBJECT, ALLOW, 0, signed(STRANGER_KEY, policyOf(SUBJECT, ALLOW, 0)));
        }
        VM.expectRevert(reason);
        emergency.setEmergencyPolicy(SUBJECT, ALLOW, 0, stale);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyUnknown.selector, uint8(3)));
        emergency.setEmergencyPolicy(SUBJECT, 3, 0, "");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SubjectUnknown.selector, uint96(999)));
        emergency.setEmergencyPolicy(999, FORBID, 0, "");
        setPolicy(ALLOW);
        VM.expectRevert(
            abi.encodeWithSelector(IEmergencyAccess.RoundNotCurrent.selector, uint32(0), uint32(1))
        );
        emergency.setEmergencyPolicy(SUBJECT, FORBID, 0, stale);
    }

    function test_setPolicy_again_doesNothing() public {
        setPolicy(FORBID);
        VM.warp(NOW + 5);
        emergency.setEmergencyPolicy(SUBJECT, FORBID, 0, "");
        (, uint32 round) = emergency.emergencyPolicyOf(SUBJECT);
        equal(round, 1, "the retry was harmless");
    }

    function test_forbid_refusesAndEndsWhatRuns_forGood() public {
        setPolicy(ALLOW);
        bytes32 id = opened(0);
        VM.warp(NOW + 10);
        setPolicy(FORBID);
        check(!emergency.isOpen(id), "ended");
        OpeningHeader memory h = header(0);
        VM.prank(DOCTOR);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyForbids.selector, SUBJECT));
        emergency.openEmergency(h, "", address(0), "");
        VM.warp(NOW + 20);
        setPolicy(ALLOW);
        check(!emergency.isOpen(id), "stays ended");
        check(emergency.isOpen(opened(0)), "a new one opens");
    }

    function test_forbid_andAllowInOneSecond_stillEnds() public {
        bytes32 id = opened(0);
        setPolicy(FORBID);
        setPolicy(ALLOW);
        check(!emergency.isOpen(id), "what was open is ended");
        OpeningHeader memory h = header(1 hours);
        VM.prank(DOCTOR);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyForbids.selector, SUBJECT));
        emergency.openEmergency(h, "", address(0), "");
        VM.warp(NOW + 1);
        check(emergency.isOpen(opened(1 hours)), "from the next second on");
    }

    function test_forbid_inAnyStateOfTheWorld_works(bool running, bool suspended, bool expired) public {
        bytes32 id = running ? opened(0) : bytes32(0);
        VM.startPrank(OPERATOR);
        if (suspended) {
            participants.suspend(HOSPITAL_ID);
            participants.remove(DOCTOR_ID);
        }
        VM.stopPrank();
        if (expired) VM.warp(NOW + 10_000 days);
        VM.prank(RELAYER);
        setPolicy(FORBID);
        (uint8 policy,) = emergency.emergencyPolicyOf(SUBJECT);
        equal(policy, FORBID, "forbidden");
        check(!emergency.isOpen(id), "nothing is open");
    }

    function test_policyAt_anyTime_isWhatStoodThen() public {
        VM.warp(NOW + 10);
        setPolicy(ALLOW);
        VM.warp(NOW + 20);
        setPolicy(FORBID);
        VM.warp(NOW + 30);
        setPolicy(LIMIT);
        equal(emergency.emergencyPolicyAt(SUBJECT, NOW + 9), LIMIT, "before");
        equal(emergency.emergencyPolicyAt(SUBJECT, NOW + 10), ALLOW, "allow");
        equal(emergency.emergencyPolicyAt(SUBJECT, NOW + 29), FORBID, "forbid");
        equal(emergency.emergencyPolicyAt(SUBJECT, NOW + 30), LIMIT, "limit");
    }

    // --- a minor's policy

    function test_guardian_maySetLimitAndAllow() public {
        DelegationHeader memory parent = openChild();
        VM.prank(RELAYER);
        emergency.setEmergencyPolicyByGuardian(parent, ALLOW, 0, signed(GUARDIAN_KEY, policyOf(CHILD, ALLOW, 0)));
        (uint8 policy,) = emergency.emergencyPolicyOf(CHILD);
        equal(policy, ALLOW, "allowed");
        VM.prank(GUARDIAN);
        emergency.setEmergencyPolicyByGuardian(parent, LIMIT, 1, "");
        (policy,) = emergency.emergencyPolicyOf(CHILD);
        equal(policy, LIMIT, "limited");
    }

    function test_guardian_mayNeitherForbidNorClose() public {
        DelegationHeader memory parent = openChild();
        VM.startPrank(GUARDIAN);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.GuardianMayNotForbid.selector, CHILD));
        emergency.setEmergencyPolicyByGuardian(parent, FORBID, 0, "");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, address(0)));
        emergency.setEmergencyPolicy(CHILD, FORBID, 0, "");
        VM.stopPrank();
        OpeningHeader memory h = header(0);
        h.subject = CHILD;
        VM.prank(DOCTOR);
        bytes32 id = emergency.openEmergency(h, "", address(0), "");
        VM.prank(GUARDIAN);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.MayNotClose.selector, id, GUARDIAN));
        emergency.closeEmergency(id, GUARDIAN, "");
        check(emergency.isOpen(id), "care goes on");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, address(0)));
        emergency.closeEmergency(id, address(0), "");
    }

    function test_guardian_withoutLiveGuardianshipOrPower_refused() public {
        DelegationHeader memory parent = openChild();
        bytes memory signature = signed(GUARDIAN_KEY, policyOf(CHILD, ALLOW, 0));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, GUARDIAN));
        emergency.setEmergencyPolicyByGuardian(parent, ALLOW, 0, signed(STRANGER_KEY, policyOf(CHILD, ALLOW, 0)));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyUnknown.selector, uint8(9)));
        emergency.setEmergencyPolicyByGuardian(parent, 9, 0, signature);
        DelegationHeader memory invented = guardianship(CHILD, STRANGER);
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.GuardianshipNotLive.selector, CHILD, STRANGER));
        emergency.setEmergencyPolicyByGuardian(invented, ALLOW, 0, "");
        DelegationHeader memory second = guardianship(CHILD, CARER);
        second.powers = 2;
        bytes memory accepted = sign(CARER_KEY, delegationId(second));
        VM.prank(HOSPITAL);
        registry.addGuardian(second, accepted);
        VM.prank(CARER);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.GuardianshipNotLive.selector, CHILD, CARER));
        emergency.setEmergencyPolicyByGuardian(second, ALLOW, 0, "");
        bytes32 parentId = delegationId(parent);
        VM.prank(HOSPITAL);
        registry.endGuardianship(parentId);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.GuardianshipNotLive.selector, CHILD, GUARDIAN));
        emergency.setEmergencyPolicyByGuardian(parent, ALLOW, 0, signature);
    }

    function test_guardianOrCarer_ofAPatientWithController_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        VM.prank(CARER);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SubjectHasController.selector, SUBJECT));
        emergency.setEmergencyPolicyByGuardian(carer, ALLOW, 0, "");
        DelegationHeader memory parent = openChild();
        DelegationHeader memory child = delegationHeader(CARER, 15);
        child.subject = CHILD;
        child.parent = delegationId(parent);
        child.depth = 0;
        bytes memory signature = sign(GUARDIAN_KEY, delegatedDelegation(delegationId(child), child.parent));
        registry.subdelegate(child, chainOf(parent), signature);
        VM.prank(CARER);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.GuardianshipNotLive.selector, CHILD, CARER));
        emergency.setEmergencyPolicyByGuardian(child, ALLOW, 0, "");
    }

    // --- late openings

    function test_openLate_withinFourHours_countedFromTheLocalTimeAndFlagged() public {
        VM.warp(NOW + 30 minutes);
        bytes32 id = openedLate(NOW);
        Opening memory found = emergency.openingOf(id);
        check(id == emergency.lateOpeningId(lateHeader(NOW)), "its id");
        check(found.late && found.openedAt == NOW && found.recordedAt == NOW + 30 minutes, "flagged");
        equal(found.expiresAt, NOW + 1 hours, "from the local time");
        check(emergency.isOpen(id), "half an hour is left");
        VM.warp(NOW + 1 hours);
        check(!emergency.isOpen(id), "over");
        VM.warp(NOW + 30 minutes + 72 hours - 1);
        check(!emergency.hasOverdueReview(DOCTOR_ID), "due from its recording");
        VM.warp(NOW + 30 minutes + 72 hours);
        check(emergency.hasOverdueReview(DOCTOR_ID), "due");
    }

    function test_openLate_anyDelay_neverInTheFutureNorAboveFourHours(uint40 delay, bool future) public {
        delay = delay % 8 hours;
        LateOpeningHeader memory h = lateHeader(NOW);
        if (future && delay > 0) {
            h.openedAt = NOW + delay;
            VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.OpenedInTheFuture.selector, h.openedAt));
        } else {
            VM.warp(NOW + delay);
            if (delay > 4 hours) {
                VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.RecordedTooLate.selector, NOW));
            }
        }
        VM.prank(DOCTOR);
        emergency.openEmergencyLate(h, "", address(0), "");
        if (delay <= 4 hours && !(future && delay > 0)) {
            check(emergency.isOpen(idOf(h)) == (delay < 1 hours), "open only in what is left");
        }
    }

    function test_openLate_sameChecks_asOpening() public {
        LateOpeningHeader memory h = lateHeader(NOW - 10);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, DOCTOR));
        emergency.openEmergencyLate(h, "", address(0), "");
        h.responder = STRANGER;
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.NotResponder.selector, STRANGER));
        emergency.openEmergencyLate(h, "", address(0), "");
        h = lateHeader(NOW - 10);
        h.reason = 0;
        VM.startPrank(DOCTOR);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.ReasonZero.selector));
        emergency.openEmergencyLate(h, "", address(0), "");
        h = lateHeader(NOW - 10);
        h.duration = 5 hours;
        VM.expectRevert(
            abi.encodeWithSelector(IEmergencyAccess.DurationTooLong.selector, uint32(5 hours), uint32(4 hours))
        );
        emergency.openEmergencyLate(h, "", address(0), "");
        h = lateHeader(NOW - 10);
        h.subject = 999;
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SubjectUnknown.selector, uint96(999)));
        emergency.openEmergencyLate(h, "", address(0), "");
        h = lateHeader(NOW - 10);
        bytes32 id = emergency.openEmergencyLate(h, "", address(0), "");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.AlreadyOpened.selector, id));
        emergency.openEmergencyLate(h, "", address(0), "");
    }

    function test_openLate_overdue_needsAnother() public {
        bytes32 first = opened(0);
        VM.warp(NOW + 72 hours);
        LateOpeningHeader memory h = lateHeader(NOW + 72 hours - 10);
        bytes32 id = idOf(h);
        bytes memory signature = signed(DOCTOR_KEY, id);
        VM.expectRevert(
            abi.encodeWithSelector(IEmergencyAccess.CountersignatureNeeded.selector, DOCTOR_ID, first)
        );
        emergency.openEmergencyLate(h, signature, address(0), "");
        emergency.openEmergencyLate(h, signature, MEDIC, signed(MEDIC_KEY, countersigning(id)));
        check(emergency.isOpen(id), "with another");
    }

    function test_openLate_signatureOfAPlainOpening_refused() public {
        LateOpeningHeader memory h = lateHeader(NOW);
        bytes32 plain = idOf(OpeningHeader(h.subject, h.responder, h.reason, h.duration, h.openedAt));
        check(plain != idOf(h), "two primary types");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SignatureInvalid.selector, DOCTOR));
        emergency.openEmergencyLate(h, signed(DOCTOR_KEY, plain), address(0), "");
    }

    function test_openLate_policyOfThatTime_counts() public {
        setPolicy(ALLOW);
        VM.warp(NOW + 10 minutes);
        setPolicy(LIMIT);
        VM.warp(NOW + 20 minutes);
        equal(emergency.openingOf(openedLate(NOW + 5 minutes)).expiresAt, NOW + 5 minutes + 2 hours, "allowed then");
        equal(emergency.openingOf(openedLate(NOW + 15 minutes)).expiresAt, NOW + 75 minutes, "limited then");
    }

    function test_openLate_forbiddenThen_refusedEvenIfAllowedNow() public {
        setPolicy(FORBID);
        VM.warp(NOW + 10 minutes);
        setPolicy(ALLOW);
        VM.warp(NOW + 20 minutes);
        LateOpeningHeader memory h = lateHeader(NOW);
        uint40[3] memory times = [NOW, NOW + 5 minutes, NOW + 10 minutes - 1];
        for (uint256 i = 0; i < times.length; ++i) {
            h.openedAt = times[i];
            VM.prank(DOCTOR);
            VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyForbids.selector, SUBJECT));
            emergency.openEmergencyLate(h, "", address(0), "");
        }
        check(emergency.isOpen(openedLate(NOW + 10 minutes)), "allowed from here on");
    }

    function test_openLate_forbiddenSince_recordedAndEndsThere() public {
        VM.warp(NOW + 10 minutes);
        setPolicy(FORBID);
        VM.warp(NOW + 20 minutes);
        setPolicy(ALLOW);
        VM.warp(NOW + 25 minutes);
        setPolicy(FORBID);
        setPolicy(ALLOW);
        VM.warp(NOW + 30 minutes);
        bytes32 id = openedLate(NOW);
        equal(emergency.openingOf(id).expiresAt, NOW + 10 minutes, "ends at the first forbid");
        check(!emergency.isOpen(id), "never open");
        VM.prank(HOSPITAL);
        emergency.reviewEmergency(id, HOSPITAL, FINDING, "");
    }
}

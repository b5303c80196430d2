// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEmergencyAccess, LateOpeningHeader, OpeningHeader} from "../../contracts/interfaces/IEmergencyAccess.sol";
import {ISuccessionErrors} from "../../contracts/interfaces/ISuccession.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {Deploy} from "./support/Deploy.sol";
import {EmergencyBase} from "./support/EmergencyBase.sol";
import {Succeeding} from "./support/Succeeding.sol";
import {VM} from "./support/Vm.sol";

/// @notice Policies and owed reviews come along; what is set there later counts only where it is narrower.
contract EmergencySuccessionTest is EmergencyBase, Succeeding {
    function setUp() public override(ConsentBase, EmergencyBase) {
        super.setUp();
        succeed();
    }

    function adoptLater() private {
        VM.warp(block.timestamp + 1 hours);
        adopt();
        VM.warp(block.timestamp + 1 hours);
        useNew();
    }

    function setThere(uint8 policy) private {
        useOld();
        setPolicy(policy);
        useNew();
    }

    function expectPolicy(uint8 policy, uint32 round) private view {
        (uint8 found, uint32 foundRound) = newEmergency.emergencyPolicyOf(SUBJECT);
        equal(found, policy, "policy");
        equal(foundRound, round, "round");
        equal(newEmergency.emergencyPolicyAt(SUBJECT, uint40(block.timestamp)), policy, "policy at this time");
    }

    function openingRefused() private {
        OpeningHeader memory h = header(0);
        bytes memory signature = signed(DOCTOR_KEY, idOf(h));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyForbids.selector, SUBJECT));
        emergency.openEmergency(h, signature, address(0), "");
    }

    // --- policies

    function test_policy_setThereBefore_isInheritedUntilSetHere() public {
        setThere(ALLOW);
        adoptLater();
        expectPolicy(ALLOW, 1);
        equal(emergency.openingOf(opened(7200)).expiresAt - block.timestamp, 7200, "allowed in full");
        setPolicy(LIMIT);
        expectPolicy(LIMIT, 2);
        (uint8 policy, uint32 round) = oldEmergency.emergencyPolicyOf(SUBJECT);
        check(policy == ALLOW && round == 1, "nothing changes there");
    }

    function test_policy_forbidInherited_refusesAndIsLiftedHere() public {
        setThere(FORBID);
        adoptLater();
        expectPolicy(FORBID, 1);
        openingRefused();
        setPolicy(ALLOW);
        VM.warp(block.timestamp + 1);
        expectPolicy(ALLOW, 2);
        check(emergency.isOpen(opened(0)), "set here later than there");
    }

    function test_policy_neverSet_isLimit() public {
        adoptLater();
        expectPolicy(LIMIT, 0);
        equal(emergency.openingOf(opened(7200)).expiresAt - block.timestamp, 3600, "half");
    }

    function test_policy_setThereLater_countsWhereItIsNarrower() public {
        adoptLater();
        setThere(ALLOW);
        expectPolicy(LIMIT, 1);
        setPolicy(ALLOW);
        expectPolicy(ALLOW, 2);
        setThere(LIMIT);
        expectPolicy(LIMIT, 3);
        setThere(FORBID);
        expectPolicy(FORBID, 4);
        openingRefused();
        // Forbidden already: to say so again must not make this policy newer than the one there.
        setPolicy(FORBID);
        expectPolicy(FORBID, 4);
        setThere(ALLOW);
        expectPolicy(ALLOW, 5);
        setThere(FORBID);
        setPolicy(LIMIT);
        expectPolicy(LIMIT, 7);
        setThere(ALLOW);
        expectPolicy(LIMIT, 8);
    }

    function test_policy_inTheSecondOfAdoption_widensNothing() public {
        adopt();
        setThere(ALLOW);
        expectPolicy(LIMIT, 1);
    }

    function test_policy_signedWithAnOldRound_refused() public {
        setThere(ALLOW);
        adoptLater();
        setThere(FORBID);
        bytes memory signature = signed(PATIENT_KEY, policyOf(SUBJECT, ALLOW, 1));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.RoundNotCurrent.selector, uint32(1), uint32(2)));
        emergency.setEmergencyPolicy(SUBJECT, ALLOW, 1, signature);
    }

    function test_policy_ofSubjectOpenedHere_isItsOwn() public {
        useNew();
        open(OTHER, PATIENT_KEY);
        useOld();
        open(OTHER, PATIENT_KEY);
        emergency.setEmergencyPolicy(OTHER, FORBID, 0, signed(PATIENT_KEY, policyOf(OTHER, FORBID, 0)));
        useNew();
        (uint8 policy, uint32 round) = emergency.emergencyPolicyOf(OTHER);
        check(policy == LIMIT && round == 0, "another life of that number there");
        OpeningHeader memory h = header(0);
        h.subject = OTHER;
        bytes32 opening = emergency.openEmergency(h, signed(DOCTOR_KEY, idOf(h)), address(0), "");
        check(emergency.isOpen(opening), "opens");
    }

    // --- openings

    function test_opening_forbiddenThere_endsForGood() public {
        adoptLater();
        bytes32 opening = opened(0);
        setThere(FORBID);
        check(!emergency.isOpen(opening), "open though forbidden there");
        setThere(ALLOW);
        check(!emergency.isOpen(opening), "what is over opened again");
        setThere(LIMIT);
        check(!emergency.isOpen(opening), "and again");
    }

    function test_opening_allowedOrLimitedThere_goesOn() public {
        adoptLater();
        bytes32 opening = opened(0);
        setThere(ALLOW);
        check(emergency.isOpen(opening), "one change that forbids nothing");
        setThere(FORBID);
        check(!emergency.isOpen(opening), "forbidden after another change");
    }

    function test_opening_forbiddenHere_ends() public {
        adoptLater();
        bytes32 opening = opened(0);
        VM.warp(block.timestamp + 1);
        setPolicy(FORBID);
        check(!emergency.isOpen(opening), "open though forbidden here");
    }

    function test_opening_recordedThere_isNotOpenedHereAndIsEndedThere() public {
        VM.warp(NOW + 1);
        OpeningHeader memory h = header(0);
        bytes32 opening = emergency.openEmergency(h, signed(DOCTOR_KEY, idOf(h)), address(0), "");
        adopt();
        useNew();
        check(!emergency.isOpen(opening) && oldEmergency.isOpen(opening), "open there alone");
        check(emergency.openingOf(opening).responder == DOCTOR, "told of here");
        bytes memory signature = signed(DOCTOR_KEY, idOf(h));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.AlreadyOpened.selector, opening));
        emergency.openEmergency(h, signature, address(0), "");
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.OpeningUnknown.selector, opening));
        emergency.closeEmergency(opening, DOCTOR, "");
        // Two before: the one between tells of it.
        succeed();
        adopt();
        useNew();
        h.submitBy = uint40(block.timestamp) + 1 hours;
        signature = signed(DOCTOR_KEY, opening);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.AlreadyOpened.selector, opening));
        emergency.openEmergency(h, signature, address(0), "");
    }

    function test_opening_ofSubjectNotAdopted_refused() public {
        useNew();
        OpeningHeader memory h = header(0);
        bytes memory signature = signed(DOCTOR_KEY, idOf(h));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.SubjectUnknown.selector, SUBJECT));
        emergency.openEmergency(h, signature, address(0), "");
    }

    // --- late openings

    function test_lateOpening_fromBeforeAdoption_isJudgedByThePolicyOfItsTime() public {
        setThere(ALLOW);
        VM.warp(NOW + 100);
        useOld();
        setPolicy(LIMIT);
        adoptLater();
        uint40 openedAt = NOW + 50;
        equal(emergency.emergencyPolicyAt(SUBJECT, openedAt), ALLOW, "policy of its time");
        bytes32 opening = openedLate(openedAt);
        equal(emergency.openingOf(opening).expiresAt, openedAt + 7200, "in full");
    }

    function test_lateOpening_forbiddenThereSince_refused() public {
        adoptLater();
        uint40 openedAt = uint40(block.timestamp);
        VM.warp(openedAt + 60);
        setThere(FORBID);
        VM.warp(openedAt + 120);
        LateOpeningHeader memory h = lateHeader(openedAt);
        bytes memory signature = signed(DOCTOR_KEY, idOf(h));
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyForbids.selector, SUBJECT));
        emergency.openEmergencyLate(h, signature, address(0), "");
        setPolicy(LIMIT);
        VM.warp(openedAt + 180);
        VM.expectRevert(abi.encodeWithSelector(IEmergencyAccess.PolicyForbids.selector, SUBJECT));
        emergency.openEmergencyLate(h, signature, address(0), "");
    }

    // --- reviews

    function test_overdueThere_takesACountersignatureHere() public {
        bytes32 opening = opened(0);
        VM.warp(NOW + 72 hours);
        adopt();
        useNew();
        check(emergency.hasOverdueReview(DOCTOR_ID), "overdue there");
        OpeningHeader memory h = header(0);
        bytes memory signature = signed(DOCTOR_KEY, idOf(h));
        VM.expectRevert(
            abi.encodeWithSelector(IEmergencyAccess.CountersignatureNeeded.selector, DOCTOR_ID, bytes32(0))
        );
        emergency.openEmergency(h, signature, address(0), "");
        bytes memory countersignature = signed(MEDIC_KEY, countersigning(idOf(h)));
        check(emergency.isOpen(emergency.openEmergency(h, signature, MEDIC, countersignature)), "with another");
        useOld();
        VM.prank(CLINIC);
        emergency.reviewEmergency(opening, CLINIC, FINDING, "");
        useNew();
        check(!emergency.hasOverdueReview(DOCTOR_ID), "reviewed there");
        h.duration = 60;
        emergency.openEmergency(h, signed(DOCTOR_KEY, idOf(h)), address(0), "");
    }

    function test_chain_ofSuccessions_forbidReachesThrough() public {
        setThere(ALLOW);
        adoptLater();
        IEmergencyAccess first = oldEmergency;
        succeed();
        adoptLater();
        expectPolicy(ALLOW, 1);
        bytes32 opening = opened(0);
        VM.prank(PATIENT);
        first.setEmergencyPolicy(SUBJECT, FORBID, 1, "");
        check(!emergency.isOpen(opening), "open though forbidden two before");
        expectPolicy(FORBID, 2);
    }

    function test_deploy_ofAnotherRegistrysEmergencies_refused() public {
        IEmergencyAccess others = Deploy.emergencyAccess(participants, successor);
        VM.expectRevert(
            abi.encodeWithSelector(ISuccessionErrors.PredecessorsDiffer.selector, address(successor), address(old))
        );
        this.deployEmergency(others);
    }

    function deployEmergency(IEmergencyAccess predecessor) external {
        Deploy.succeedingEmergencyAccess(predecessor, successor);
    }
}

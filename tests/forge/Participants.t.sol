// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Deploy} from "./support/Deploy.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IParticipantRegistry, Standing} from "../../contracts/interfaces/IParticipantRegistry.sol";
import {ParticipantRegistry} from "../../contracts/ParticipantRegistry.sol";
import {Base} from "./support/Base.sol";
import {VM} from "./support/Vm.sol";

contract ParticipantsTest is Base {
    bytes32 private constant NEW = keccak256("new member");
    address private constant ACCOUNT = address(0xacc0047);

    function test_admit_byOperator_givesItsRoles() public {
        admit(NEW, ACCOUNT, 2 | 4);
        check(participants.hasRole(ACCOUNT, 2) && participants.hasRole(ACCOUNT, 6), "each and both");
        check(!participants.hasRole(ACCOUNT, 1) && !participants.hasRole(ACCOUNT, 3), "no other");
        check(!participants.hasRole(ACCOUNT, 0), "the empty mask is no role");
        check(participants.memberOf(ACCOUNT) == NEW && participants.memberHasRole(NEW, 2), "member");
        check(participants.memberWithRole(ACCOUNT, 2) == NEW, "member with role");
        check(participants.memberWithRole(ACCOUNT, 1) == 0, "not without");
        check(participants.memberById(NEW).roles == 6, "all that is recorded");
    }

    function test_admit_malformed_refused() public {
        VM.startPrank(OPERATOR);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.MemberZero.selector));
        participants.admit(0, ACCOUNT, 1, NOW + 1, 0, 0);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.MemberExists.selector, HOSPITAL_ID));
        participants.admit(HOSPITAL_ID, ACCOUNT, 1, NOW + 1, 0, 0);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.AccountTaken.selector, HOSPITAL, HOSPITAL_ID));
        participants.admit(NEW, HOSPITAL, 1, NOW + 1, 0, 0);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.RolesUnknown.selector, uint16(0)));
        participants.admit(NEW, ACCOUNT, 0, NOW + 1, 0, 0);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.RolesUnknown.selector, uint16(512)));
        participants.admit(NEW, ACCOUNT, 512, NOW + 1, 0, 0);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.CredentialExpired.selector, NOW));
        participants.admit(NEW, ACCOUNT, 1, NOW, 0, 0);
    }

    function test_everyChange_byAnyoneElse_refused() public {
        address[4] memory others = [STRANGER, HOSPITAL, BOARD, address(participants)];
        for (uint256 i = 0; i < 4; ++i) {
            VM.startPrank(others[i]);
            bytes memory reason =
                abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, others[i]);
            VM.expectRevert(reason);
            participants.admit(NEW, ACCOUNT, 1, NOW + 1, 0, 0);
            VM.expectRevert(reason);
            participants.amend(HOSPITAL_ID, ACCOUNT, 1, NOW + 1, 0, 0);
            VM.expectRevert(reason);
            participants.reinstate(HOSPITAL_ID);
            VM.expectRevert(reason);
            participants.reduceRoles(HOSPITAL_ID, 1);
            VM.expectRevert(reason);
            participants.suspend(HOSPITAL_ID);
            VM.expectRevert(reason);
            participants.remove(HOSPITAL_ID);
            VM.stopPrank();
        }
    }

    function test_credential_expired_stopsByItself() public {
        VM.prank(OPERATOR);
        participants.admit(NEW, ACCOUNT, 2, NOW + 10, 0, 0);
        VM.warp(NOW + 9);
        check(participants.hasRole(ACCOUNT, 2) && participants.memberHasRole(NEW, 2), "last second");
        VM.warp(NOW + 10);
        check(!participants.hasRole(ACCOUNT, 2) && !participants.memberHasRole(NEW, 2), "expired");
    }

    function test_suspendAndRemove_actAtOnce_reinstateRestores() public {
        VM.startPrank(OPERATOR);
        participants.suspend(HOSPITAL_ID);
        check(!participants.hasRole(HOSPITAL, 1) && !participants.memberHasRole(HOSPITAL_ID, 1), "suspended");
        participants.reinstate(HOSPITAL_ID);
        check(participants.hasRole(HOSPITAL, 1), "reinstated");
        participants.remove(HOSPITAL_ID);
        check(!participants.hasRole(HOSPITAL, 1), "removed");
        VM.expectRevert(
            abi.encodeWithSelector(
                IParticipantRegistry.MemberNotInStanding.selector, HOSPITAL_ID, Standing.Removed
            )
        );
        participants.reinstate(HOSPITAL_ID);
        VM.expectRevert(
            abi.encodeWithSelector(
                IParticipantRegistry.MemberNotInStanding.selector, HOSPITAL_ID, Standing.Removed
            )
        );
        participants.amend(HOSPITAL_ID, HOSPITAL, 1, NOW + 1, 0, 0);
    }

    function test_reduceRoles_takesOnlyThese() public {
        VM.prank(OPERATOR);
        participants.reduceRoles(HOSPITAL_ID, 1 | 256);
        check(!participants.hasRole(HOSPITAL, 1) && participants.hasRole(HOSPITAL, 2), "custodian no more");
    }

    function test_amend_movesTheAccountAndKeepsASuspension() public {
        VM.startPrank(OPERATOR);
        participants.amend(HOSPITAL_ID, ACCOUNT, 1, NOW + 100, 0, 0);
        check(!participants.hasRole(HOSPITAL, 1) && participants.memberOf(HOSPITAL) == 0, "old account is free");
        check(participants.hasRole(ACCOUNT, 1), "new account");
        participants.suspend(HOSPITAL_ID);
        participants.amend(HOSPITAL_ID, ACCOUNT, 1 | 2, NOW + 200, 0, 0);
        check(!participants.hasRole(ACCOUNT, 1), "still suspended");
    }

    function test_memberWithoutAccount_hasRolesById() public {
        admit(NEW, address(0), 4);
        admit(keccak256("another"), address(0), 4);
        check(participants.memberHasRole(NEW, 4), "by id");
        check(!participants.hasRole(address(0), 4) && participants.memberOf(address(0)) == 0, "nobody is zero");
    }

    function test_admissionDelay_holdsUpAdmissionButNotSuspension() public {
        ParticipantRegistry slow = Deploy.participantRegistry(OPERATOR, 24 hours);
        AccessManager manager = AccessManager(slow.authority());
        bytes memory call = abi.encodeCall(slow.admit, (NEW, ACCOUNT, 2, NOW + 365 days, bytes32(0), bytes32(0)));
        VM.startPrank(OPERATOR);
        VM.expectRevert();
        slow.admit(NEW, ACCOUNT, 2, NOW + 365 days, 0, 0);
        manager.schedule(address(slow), call, 0);
        VM.warp(NOW + 24 hours - 1);
        VM.expectRevert();
        manager.execute(address(slow), call);
        VM.warp(NOW + 24 hours);
        manager.execute(address(slow), call);
        check(slow.hasRole(ACCOUNT, 2), "admitted after the delay");
        slow.suspend(NEW);
        check(!slow.hasRole(ACCOUNT, 2), "suspended at once");
        VM.stopPrank();
    }

    function test_admissionDelay_operatorsKeyCannotShortenItAtOnce() public {
        ParticipantRegistry slow = Deploy.participantRegistry(OPERATOR, 24 hours);
        AccessManager manager = AccessManager(slow.authority());
        uint64 admission = slow.ADMISSION();
        uint64 admin = manager.ADMIN_ROLE();
        VM.startPrank(OPERATOR);
        VM.expectRevert();
        manager.grantRole(admission, ACCOUNT, 0);
        VM.expectRevert();
        manager.grantRole(admission, OPERATOR, 0);
        VM.expectRevert();
        manager.grantRole(admin, OPERATOR, 0);
        VM.stopPrank();
        (bool isMember,) = manager.hasRole(admin, address(slow));
        check(!isMember, "the registry keeps no power over its manager");
    }

    function admit(bytes32 member, address account, uint16 roles) private {
        VM.prank(OPERATOR);
        participants.admit(member, account, roles, NOW + 365 days, 0, 0);
    }
}

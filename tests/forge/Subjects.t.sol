// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {VM} from "./support/Vm.sol";

contract SubjectsTest is ConsentBase {
    function test_openSubject_byCustodian_recordsTheController() public view {
        (address controller, uint32 epoch, uint32 count, bool opened) = registry.subjectOf(SUBJECT);
        check(controller == PATIENT && epoch == 0 && count == 0 && opened, "opened");
        (,,, opened) = registry.subjectOf(OTHER);
        check(!opened, "others are not");
    }

    function test_openSubject_twice_refused() public {
        VM.prank(CLINIC);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectAlreadyOpen.selector, SUBJECT));
        registry.openSubject(SUBJECT, STRANGER, FOREVER, "");
    }

    function test_openSubject_zero_refused() public {
        VM.startPrank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectZero.selector));
        registry.openSubject(0, PATIENT, FOREVER, "");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ControllerZero.selector));
        registry.openSubject(OTHER, address(0), FOREVER, "");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubmittedTooLate.selector, NOW - 1));
        registry.openSubject(OTHER, PATIENT, NOW - 1, "");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.openSubject(OTHER, PATIENT, FOREVER, "");
    }

    function test_openSubject_notByCustodian_refused() public {
        address[3] memory others = [STRANGER, BOARD, OPERATOR];
        for (uint256 i = 0; i < 3; ++i) {
            VM.prank(others[i]);
            VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotCustodian.selector, others[i]));
            registry.openSubject(OTHER, PATIENT, FOREVER, "");
        }
        VM.prank(OPERATOR);
        participants.suspend(HOSPITAL_ID);
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotCustodian.selector, HOSPITAL));
        registry.openSubject(OTHER, PATIENT, FOREVER, "");
    }

    function test_openUnderGuardian_guardianGrantsAndRevokes() public {
        DelegationHeader memory guardian = openChild();
        (address controller,, uint32 count, bool opened) = registry.subjectOf(CHILD);
        check(controller == address(0) && count == 1 && opened, "opened without a controller");
        check(registry.openingCustodianOf(CHILD) == HOSPITAL_ID, "opener");
        check(registry.isLive(delegationId(guardian), GUARDIANSHIP), "guardianship live");
        GrantHeader memory header = permitHeader(1);
        header.subject = CHILD;
        bytes32 id = registry.grantByDelegate(
            header,
            chainOf(guardian),
            sign(GUARDIAN_KEY, delegatedGrant(grantId(header), delegationId(guardian)))
        );
        check(registry.isLive(id, PERMIT), "granted");
        registry.revokeByDelegate(
            id, chainOf(guardian), sign(GUARDIAN_KEY, delegatedRevocation(id, delegationId(guardian)))
        );
        check(!registry.isLive(id, PERMIT), "revoked");
    }

    function test_openUnderGuardian_withoutSunsetOrSignature_refused() public {
        DelegationHeader memory header = guardianship(CHILD, GUARDIAN);
        bytes memory strangers = sign(STRANGER_KEY, delegationId(header));
        VM.startPrank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, GUARDIAN));
        registry.openSubjectUnderGuardian(header, strangers);
        header.notAfter = FOREVER;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SunsetMissing.selector, delegationId(header)));
        registry.openSubjectUnderGuardian(header, "");
        header.kind = DELEGATION;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, DELEGATION));
        registry.openSubjectUnderGuardian(header, "");
    }

    function test_controllerlessSubject_acceptsNoControllersSignature(bytes calldata signature) public {
        openChild();
        GrantHeader memory header = permitHeader(1);
        header.subject = CHILD;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, address(0)));
        registry.grant(header, signature);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotController.selector, CHILD, HOSPITAL));
        VM.prank(HOSPITAL);
        registry.grantDirect(header);
    }

    function test_guardianship_sunset_endsPowerAndGrants() public {
        DelegationHeader memory guardian = openChild();
        GrantHeader memory header = permitHeader(1);
        header.subject = CHILD;
        header.notAfter = guardian.notAfter + 1;
        bytes memory signature = sign(GUARDIAN_KEY, delegatedGrant(grantId(header), delegationId(guardian)));
        VM.expectRevert(
            abi.encodeWithSelector(IConsentTypes.OutlivesDelegation.selector, header.notAfter, guardian.notAfter)
        );
        registry.grantByDelegate(header, chainOf(guardian), signature);
        VM.warp(guardian.notAfter);
        check(!registry.isDelegationLive(chainOf(guardian), 0), "power ended");
    }

    function test_endGuardianship_onlyByTheOpener_evenSuspended() public {
        bytes32 id = delegationId(openChild());
        VM.prank(CLINIC);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotOpeningCustodian.selector, CHILD, CLINIC));
        registry.endGuardianship(id);
        VM.prank(OPERATOR);
        participants.suspend(HOSPITAL_ID);
        VM.prank(HOSPITAL);
        registry.endGuardianship(id);
        check(!registry.isLive(id, GUARDIANSHIP), "ended");
        VM.prank(HOSPITAL);
        registry.endGuardianship(id);
    }

    function test_endGuardianship_ofAPatientsOwn_refused() public {
        DelegationHeader memory guardian = guardianship(SUBJECT, GUARDIAN);
        bytes32 id = registry.delegate(guardian, sign(PATIENT_KEY, delegationId(guardian)));
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectHasController.selector, SUBJECT));
        registry.endGuardianship(id);
        bytes32 permit = granted(1);
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, permit));
        registry.endGuardianship(permit);
    }

    function test_addGuardian_byTheOpener_eitherActs() public {
        openChild();
        DelegationHeader memory second = guardianship(CHILD, CARER);
        bytes memory signature = sign(CARER_KEY, delegationId(second));
        VM.prank(CLINIC);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotOpeningCustodian.selector, CHILD, CLINIC));
        registry.addGuardian(second, signature);
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotCustodian.selector, STRANGER));
        registry.addGuardian(second, signature);
        VM.prank(HOSPITAL);
        registry.addGuardian(second, signature);
        check(registry.isDelegationLive(chainOf(second), 15), "second guardian");
        equal(countOf(CHILD), 2, "count");
    }

    function test_openingCustodian_movesToANewAccount_keepsItsOffice() public {
        bytes32 id = delegationId(openChild());
        VM.prank(OPERATOR);
        participants.amend(HOSPITAL_ID, RELAYER, 1, NOW + 3650 days, 0, 0);
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotOpeningCustodian.selector, CHILD, HOSPITAL));
        registry.endGuardianship(id);
        VM.prank(RELAYER);
        registry.endGuardianship(id);
        check(!registry.isLive(id, GUARDIANSHIP), "ended from the new account");
        check(registry.openingCustodianOf(SUBJECT) == HOSPITAL_ID, "known for every subject");
    }

    function test_addGuardian_toASubjectWithController_refused() public {
        DelegationHeader memory own = guardianship(SUBJECT, CARER);
        bytes memory signature = sign(CARER_KEY, delegationId(own));
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectHasController.selector, SUBJECT));
        registry.addGuardian(own, signature);
    }
}

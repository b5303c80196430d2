// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentState, DelegationHeader, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {VM} from "./support/Vm.sol";
import {HonestWallet} from "./support/Wallets.sol";

contract EndingForCauseTest is ConsentBase {
    function test_endForCause_endsTheDelegationAndThePermitsItGave() public {
        (DelegationHeader memory carer, bytes32 permit, bytes32 deny) = givenByCarer();
        bytes32 own = granted(9);
        DelegationHeader memory nurse = delegated(NURSE_KEY, 1);
        bytes32 others = given(10, PERMIT, nurse, NURSE_KEY);
        bytes32 id = delegationId(carer);
        VM.warp(NOW + 100);
        registry.endForCause(id, sign(PATIENT_KEY, endingForCause(id)));
        check(!registry.isDelegationLive(chainOf(carer), 0), "the delegation");
        check(!registry.isLive(permit, PERMIT), "its permit");
        check(registry.isLive(deny, DENY), "its deny stands");
        check(registry.isLive(own, PERMIT) && registry.isLive(others, PERMIT), "what it did not give");
        equal(registry.stateOf(permit).revokedAt, NOW + 100, "as revoked then");
        equal(registry.stateOf(permit).delegationTag, 0, "no tag any more");
        bytes32[] memory ids = new bytes32[](2);
        (ids[0], ids[1]) = (permit, own);
        bool[] memory live = registry.areLive(ids, PERMIT);
        check(!live[0] && live[1], "areLive agrees");
        (, uint256[] memory slots) = registry.evidence(SUBJECT, ids);
        equal(uint40(slots[0] >> 136), NOW + 100, "so does the evidence");
    }

    function test_endDelegation_withoutCause_leavesTheGrants() public {
        (DelegationHeader memory carer, bytes32 permit,) = givenByCarer();
        bytes32 id = delegationId(carer);
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        check(registry.isLive(permit, PERMIT), "the grant goes on");
        VM.warp(NOW + 7);
        registry.endForCause(id, sign(PATIENT_KEY, endingForCause(id)));
        check(!registry.isLive(permit, PERMIT), "until cause is found");
        equal(registry.stateOf(id).revokedAt, NOW, "the delegation keeps its first date");
    }

    function test_grantByDelegate_namesItsDelegationInTheSlot() public {
        (DelegationHeader memory carer, bytes32 permit, bytes32 deny) = givenByCarer();
        uint40 tag = uint40(1) << 39 | uint40(uint256(delegationId(carer)));
        ConsentState memory state = registry.stateOf(permit);
        equal(state.delegationTag, tag, "tag");
        equal(registry.stateOf(deny).delegationTag, tag, "of any kind");
        equal(state.revokedAt, 0, "not revoked");
        equal(registry.stateOf(granted(9)).delegationTag, 0, "none for the controller's own");
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = permit;
        (, uint256[] memory slots) = registry.evidence(SUBJECT, ids);
        equal(uint40(slots[0] >> 136), tag, "in place of the date of its revocation");
    }

    function test_revoke_ofADelegatesGrant_replacesTheTag() public {
        (, bytes32 permit, bytes32 deny) = givenByCarer();
        VM.warp(NOW + 5);
        registry.revoke(permit, sign(PATIENT_KEY, revocation(permit)));
        equal(registry.stateOf(permit).revokedAt, NOW + 5, "the date");
        equal(registry.stateOf(permit).delegationTag, 0, "instead of the tag");
        registry.revoke(deny, sign(PATIENT_KEY, revocation(deny)));
        check(!registry.isLive(deny, DENY), "a deny too");
    }

    function test_revoke_afterEndingForCause_keepsTheFirstDate() public {
        (DelegationHeader memory carer, bytes32 permit,) = givenByCarer();
        bytes32 id = delegationId(carer);
        registry.endForCause(id, sign(PATIENT_KEY, endingForCause(id)));
        VM.warp(NOW + 5);
        registry.revoke(permit, sign(PATIENT_KEY, revocation(permit)));
        equal(registry.stateOf(permit).revokedAt, NOW, "revoked");
        GrantHeader memory narrower = permitHeader(5);
        narrower.supersedes = permit;
        registry.grant(narrower, sign(PATIENT_KEY, grantId(narrower)));
        equal(registry.stateOf(permit).revokedAt, NOW, "superseded");
    }

    function test_endForCause_twice_keepsTheFirstDateAndDoesNotRevert() public {
        (DelegationHeader memory carer, bytes32 permit,) = givenByCarer();
        bytes32 id = delegationId(carer);
        registry.endForCause(id, sign(PATIENT_KEY, endingForCause(id)));
        VM.warp(NOW + 5);
        registry.endForCause(id, "");
        equal(registry.stateOf(permit).revokedAt, NOW, "first date");
    }

    function test_endForCause_byOthers_refused() public {
        (DelegationHeader memory carer, bytes32 permit,) = givenByCarer();
        bytes32 id = delegationId(carer);
        uint256[2] memory others = [STRANGER_KEY, CARER_KEY];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory signature = sign(others[i], endingForCause(id));
            VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
            registry.endForCause(id, signature);
        }
        bytes memory plain = sign(PATIENT_KEY, revocation(id));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.endForCause(id, plain);
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.endForCause(id, "");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, permit));
        registry.endForCause(permit, "");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, bytes32(uint256(1))));
        registry.endForCause(bytes32(uint256(1)), "");
        VM.prank(PATIENT);
        registry.endForCause(id, "");
        check(!registry.isLive(permit, PERMIT), "the controller as sender");
    }

    function test_endForCause_inAnyStateOfTheWorld_works() public {
        (DelegationHeader memory carer, bytes32 permit,) = givenByCarer();
        bytes32 id = delegationId(carer);
        registry.revokeAll(SUBJECT, 0, sign(PATIENT_KEY, revocationOfAll(SUBJECT, 0)));
        VM.prank(OPERATOR);
        participants.remove(HOSPITAL_ID);
        VM.warp(NOW + 4000 days);
        VM.prank(STRANGER);
        registry.endForCause(id, sign(PATIENT_KEY, endingForCause(id)));
        check(registry.stateOf(permit).revokedAt == NOW + 4000 days, "no date, role or epoch is asked");
    }

    function test_endForCause_byAContractWallet_works() public {
        HonestWallet wallet = new HonestWallet();
        bytes32 opening = keccak256(
            abi.encode(
                keccak256("OpenSubject(uint96 subject,address controller,uint40 submitBy)"), OTHER, wallet, FOREVER
            )
        );
        wallet.confirm(digest(opening));
        VM.prank(HOSPITAL);
        registry.openSubject(OTHER, address(wallet), FOREVER, "");
        DelegationHeader memory carer = delegationHeader(CARER, 1);
        carer.subject = OTHER;
        bytes32 id = delegationId(carer);
        wallet.confirm(digest(id));
        registry.delegate(carer, "");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, address(wallet)));
        registry.endForCause(id, "");
        wallet.confirm(digest(endingForCause(id)));
        registry.endForCause(id, "");
        check(!registry.isDelegationLive(chainOf(carer), 0), "ended");
    }

    function test_child_custodianEndsAGuardianshipForCause() public {
        DelegationHeader memory guardian = openChild();
        bytes32 id = delegationId(guardian);
        GrantHeader memory header = permitHeader(1);
        header.subject = CHILD;
        bytes32 permit = registry.grantByDelegate(
            header, chainOf(guardian), sign(GUARDIAN_KEY, delegatedGrant(grantId(header), id))
        );
        VM.prank(CLINIC);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotOpeningCustodian.selector, CHILD, CLINIC));
        registry.endForCause(id, "");
        VM.prank(OPERATOR);
        participants.suspend(HOSPITAL_ID);
        VM.prank(HOSPITAL);
        registry.endForCause(id, "");
        check(!registry.isLive(permit, PERMIT) && !registry.isLive(id, GUARDIANSHIP), "both");
    }

    function test_child_guardianEndsADelegationForCause_notAGuardianship() public {
        DelegationHeader memory guardian = openChild();
        bytes32 parent = delegationId(guardian);
        DelegationHeader memory carer = delegationHeader(CARER, 1);
        (carer.subject, carer.parent, carer.depth) = (CHILD, parent, 0);
        bytes32 id = delegationId(carer);
        registry.subdelegate(carer, chainOf(guardian), sign(GUARDIAN_KEY, delegatedDelegation(id, parent)));
        GrantHeader memory header = permitHeader(1);
        header.subject = CHILD;
        bytes32 permit = registry.grantByDelegate(
            header, chainOf(carer, guardian), sign(CARER_KEY, delegatedGrant(grantId(header), id))
        );
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, DELEGATION));
        registry.endForCause(id, "");
        bytes memory signature = sign(GUARDIAN_KEY, delegatedEndingForCause(parent, parent));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, GUARDIANSHIP));
        registry.endForCauseByGuardian(parent, chainOf(guardian), signature);
        signature = sign(CARER_KEY, delegatedEndingForCause(id, id));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(2), uint16(1)));
        registry.endForCauseByGuardian(id, chainOf(carer, guardian), signature);
        signature = sign(STRANGER_KEY, delegatedEndingForCause(id, parent));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, GUARDIAN));
        registry.endForCauseByGuardian(id, chainOf(guardian), signature);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, permit));
        registry.endForCauseByGuardian(permit, chainOf(guardian), signature);
        registry.endForCauseByGuardian(
            id, chainOf(guardian), sign(GUARDIAN_KEY, delegatedEndingForCause(id, parent))
        );
        check(!registry.isLive(permit, PERMIT), "the permit it gave");
        registry.endForCauseByGuardian(id, chainOf(guardian), "");
    }

    function test_endForCauseByGuardian_byACarer_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        DelegationHeader memory nurse = delegated(NURSE_KEY, 1);
        bytes32 id = delegationId(nurse);
        bytes memory signature = sign(CARER_KEY, delegatedEndingForCause(id, delegationId(carer)));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, DELEGATION));
        registry.endForCauseByGuardian(id, chainOf(carer), signature);
    }

    function givenByCarer() private returns (DelegationHeader memory carer, bytes32 permit, bytes32 deny) {
        carer = delegated(CARER_KEY, 15);
        permit = given(1, PERMIT, carer, CARER_KEY);
        deny = given(2, DENY, carer, CARER_KEY);
    }

    function given(uint256 salt, uint8 kind, DelegationHeader memory with, uint256 key) private returns (bytes32) {
        GrantHeader memory header = permitHeader(salt);
        header.kind = kind;
        bytes memory signature = sign(key, delegatedGrant(grantId(header), delegationId(with)));
        return registry.grantByDelegate(header, chainOf(with), signature);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ConsentState, DelegationHeader, GrantHeader, IConsentTypes
} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {Vm, VM} from "./support/Vm.sol";

contract RevocationsTest is ConsentBase {
    function test_revoke_relayedByAnyone_endsAtOnce() public {
        bytes32 id = granted(1);
        bytes memory signature = sign(PATIENT_KEY, revocation(id));
        VM.prank(STRANGER);
        registry.revoke(id, signature);
        check(!registry.isLive(id, PERMIT), "ended");
        equal(registry.stateOf(id).revokedAt, NOW, "when");
        equal(countOf(SUBJECT), 1, "count stands");
    }

    function test_revoke_twice_keepsTheFirstDateAndDoesNotRevert() public {
        bytes32 id = granted(1);
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        VM.warp(NOW + 10);
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        equal(registry.stateOf(id).revokedAt, NOW, "first date");
    }

    function test_revoke_inAnyStateOfTheWorld_works(uint40 time, uint8 seed) public {
        bytes32 id = granted(1);
        VM.warp(NOW + time % 1000 days);
        VM.startPrank(OPERATOR);
        if (seed & 1 == 1) participants.suspend(HOSPITAL_ID);
        if (seed & 2 == 2) participants.remove(CLINIC_ID);
        VM.stopPrank();
        if (seed & 4 == 4) registry.revokeAll(SUBJECT, 0, sign(PATIENT_KEY, revocationOfAll(SUBJECT, 0)));
        VM.prank(address(uint160(seed) + 1));
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        check(registry.stateOf(id).revokedAt == block.timestamp, "revoked");
    }

    function test_revoke_byStranger_refused() public {
        bytes32 id = granted(1);
        bytes memory signature = sign(STRANGER_KEY, revocation(id));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.revoke(id, signature);
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotController.selector, SUBJECT, STRANGER));
        registry.revokeDirect(id);
    }

    function test_revoke_unknown_refused() public {
        bytes memory signature = sign(PATIENT_KEY, revocation("nothing"));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, bytes32("nothing")));
        registry.revoke("nothing", signature);
    }

    function test_revokeDirect_byController_works() public {
        bytes32 id = granted(1);
        VM.prank(PATIENT);
        registry.revokeDirect(id);
        check(!registry.isLive(id, PERMIT), "ended");
    }

    function test_revoke_afterExpiry_isStillRecorded() public {
        bytes32 id = granted(1);
        VM.warp(NOW + 1000 days);
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        equal(registry.stateOf(id).revokedAt, NOW + 1000 days, "recorded");
    }

    function test_revokeAhead_ofUnminedGrant_blocksItForEver() public {
        GrantHeader memory header = permitHeader(1);
        bytes32 id = registry.revokeAhead(header, sign(PATIENT_KEY, revocation(grantId(header))));
        ConsentState memory state = registry.stateOf(id);
        check(state.revokedAt == NOW && state.notBefore == 0, "marked as never recorded");
        equal(countOf(SUBJECT), 0, "not counted");
        check(!registry.isLive(id, PERMIT), "not live");
        bytes memory signature = sign(PATIENT_KEY, grantId(header));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.AlreadyRevoked.selector, id));
        registry.grant(header, signature);
    }

    function test_revokeAhead_ofMinedGrant_revokesIt() public {
        bytes32 id = granted(1);
        registry.revokeAhead(permitHeader(1), sign(PATIENT_KEY, revocation(id)));
        check(registry.stateOf(id).revokedAt == NOW && registry.stateOf(id).notBefore == NOW, "as a plain revoke");
        registry.revokeAhead(permitHeader(1), hex"");
    }

    function test_revokeAhead_ofPastEpochOrExpired_works() public {
        GrantHeader memory header = permitHeader(1);
        header.epoch = 7;
        header.submitBy = 1;
        header.notAfter = 1;
        registry.revokeAhead(header, sign(PATIENT_KEY, revocation(grantId(header))));
        equal(registry.stateOf(grantId(header)).revokedAt, NOW, "recorded");
    }

    function test_revokeAhead_byStrangerForAnotherSubject_cannotTouchTheId() public {
        open(OTHER, STRANGER_KEY);
        GrantHeader memory header = permitHeader(1);
        bytes32 id = grantId(header);
        bytes memory signature = sign(STRANGER_KEY, revocation(id));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.revokeAhead(header, signature);
        header.subject = OTHER;
        bytes memory own = sign(STRANGER_KEY, revocation(grantId(header)));
        registry.revokeAhead(header, own);
        check(registry.stateOf(id).subject == 0, "the patient's id is untouched");
    }

    function test_revokeAhead_ofKindThatCannotExist_refused() public {
        GrantHeader memory header = permitHeader(1);
        header.kind = 0;
        bytes memory signature = sign(PATIENT_KEY, revocation(grantId(header)));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, uint8(0)));
        registry.revokeAhead(header, signature);
    }

    function test_revokeDelegationAhead_blocksIt() public {
        DelegationHeader memory header = delegationHeader(CARER, 1);
        bytes32 id = registry.revokeDelegationAhead(header, sign(PATIENT_KEY, revocation(delegationId(header))));
        bytes memory signature = sign(PATIENT_KEY, id);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.AlreadyRevoked.selector, id));
        registry.delegate(header, signature);
    }

    function test_revokeBatch_badItems_harmOnlyThemselves() public {
        bytes32[] memory ids = new bytes32[](4);
        bytes[] memory signatures = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            ids[i] = granted(i);
            signatures[i] = sign(i == 1 ? STRANGER_KEY : PATIENT_KEY, revocation(ids[i]));
        }
        ids[2] = "nothing";
        VM.recordLogs();
        registry.revokeBatch(ids, signatures);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        check(!registry.isLive(ids[0], PERMIT) && !registry.isLive(ids[3], PERMIT), "good ones");
        check(registry.isLive(ids[1], PERMIT), "bad one");
        check(logs[1].topics[0] == IConsentTypes.RevocationRejected.selector && logs[1].topics[1] == ids[1], "which");
        check(
            keccak256(abi.decode(logs[2].data, (bytes)))
                == keccak256(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, bytes32("nothing"))),
            "why"
        );
    }

    function test_revokeAll_endsPermitsAndDelegations_deniesRefusalsGuardianshipsStand() public {
        bytes32 permit = granted(1);
        GrantHeader memory header = permitHeader(2);
        header.kind = DENY;
        bytes32 deny = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        header.kind = REFUSAL;
        bytes32 refusal = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        DelegationHeader memory carer = delegated(CARER_KEY, 1);
        DelegationHeader memory guardian = guardianship(SUBJECT, GUARDIAN);
        registry.delegate(guardian, sign(PATIENT_KEY, delegationId(guardian)));
        registry.revokeAll(SUBJECT, 0, sign(PATIENT_KEY, revocationOfAll(SUBJECT, 0)));
        check(!registry.isLive(permit, PERMIT) && !registry.isDelegationLive(chainOf(carer), 0), "ended");
        check(registry.isLive(deny, DENY) && registry.isLive(refusal, REFUSAL), "deny and refusal stand");
        check(registry.isLive(delegationId(guardian), GUARDIANSHIP), "guardianship stands");
        check(registry.isDelegationLive(chainOf(guardian), 15), "with its powers");
        equal(epochOf(SUBJECT), 1, "epoch");
        equal(countOf(SUBJECT), 5, "count stands");
    }

    function test_revokeAll_staleOrFuture_doesNothing() public {
        bytes memory sheet = sign(PATIENT_KEY, revocationOfAll(SUBJECT, 0));
        registry.revokeAll(SUBJECT, 0, sheet);
        registry.revokeAll(SUBJECT, 0, sheet);
        registry.revokeAll(SUBJECT, 9, sign(PATIENT_KEY, revocationOfAll(SUBJECT, 9)));
        equal(epochOf(SUBJECT), 1, "raised once");
        VM.prank(PATIENT);
        registry.revokeAllDirect(SUBJECT, 0);
        equal(epochOf(SUBJECT), 1, "direct, stale");
        VM.prank(PATIENT);
        registry.revokeAllDirect(SUBJECT, 1);
        equal(epochOf(SUBJECT), 2, "direct");
    }

    function test_revokeAll_thenLateGrantOfThePastEpoch_refused() public {
        GrantHeader memory late = permitHeader(1);
        bytes memory signature = sign(PATIENT_KEY, grantId(late));
        registry.revokeAll(SUBJECT, 0, sign(PATIENT_KEY, revocationOfAll(SUBJECT, 0)));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.EpochNotCurrent.selector, uint32(0), uint32(1)));
        registry.grant(late, signature);
    }

    function test_revokeAll_byStranger_refused() public {
        bytes memory signature = sign(STRANGER_KEY, revocationOfAll(SUBJECT, 0));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.revokeAll(SUBJECT, 0, signature);
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotController.selector, SUBJECT, STRANGER));
        registry.revokeAllDirect(SUBJECT, 0);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, OTHER));
        registry.revokeAllDirect(OTHER, 0);
    }

    function test_revokeByDelegate_permit_needsPowerToRevoke() public {
        bytes32 id = granted(1);
        DelegationHeader memory weak = delegated(NURSE_KEY, 1 | 4 | 8);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(2), weak.powers));
        this.byDelegate(id, weak, NURSE_KEY);
        byDelegate(id, delegated(CARER_KEY, 2), CARER_KEY);
        check(!registry.isLive(id, PERMIT), "ended");
    }

    function test_revokeByDelegate_deny_needsPowerToGrantToo() public {
        GrantHeader memory header = permitHeader(1);
        header.kind = DENY;
        bytes32 id = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        DelegationHeader memory carer = delegated(CARER_KEY, 2);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(3), uint16(2)));
        this.byDelegate(id, carer, CARER_KEY);
        check(registry.isLive(id, DENY), "deny stands");
        byDelegate(id, delegated(NURSE_KEY, 3), NURSE_KEY);
        check(!registry.isLive(id, DENY), "deny ended");
    }

    function test_revokeByDelegate_delegations_onlyByGuardian() public {
        bytes32 nurse = delegationId(delegated(NURSE_KEY, 1));
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, DELEGATION));
        this.byDelegate(nurse, carer, CARER_KEY);
        DelegationHeader memory guardian = guardianship(SUBJECT, GUARDIAN);
        bytes32 guardianId = registry.delegate(guardian, sign(PATIENT_KEY, delegationId(guardian)));
        byDelegate(nurse, guardian, GUARDIAN_KEY);
        check(registry.stateOf(nurse).revokedAt != 0, "ended");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, GUARDIANSHIP));
        this.byDelegate(guardianId, guardian, GUARDIAN_KEY);
    }

    function test_revokeAheadByDelegate_blocksTheGrant() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 2);
        GrantHeader memory header = permitHeader(1);
        bytes32 id = grantId(header);
        bytes memory signature = sign(CARER_KEY, delegatedRevocation(id, delegationId(carer)));
        registry.revokeAheadByDelegate(header, chainOf(carer), signature);
        check(registry.stateOf(id).revokedAt == NOW && registry.stateOf(id).notBefore == 0, "ahead");
    }

    function test_revokeAllByGuardian_onlyKindGuardianship() public {
        DelegationHeader memory guardian = openChild();
        registry.revokeAllByGuardian(
            CHILD, 0, chainOf(guardian), sign(GUARDIAN_KEY, revocationOfAll(CHILD, 0))
        );
        equal(epochOf(CHILD), 1, "epoch");
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        bytes memory signature = sign(CARER_KEY, revocationOfAll(SUBJECT, 0));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, DELEGATION));
        registry.revokeAllByGuardian(SUBJECT, 0, chainOf(carer), signature);
    }

    function byDelegate(bytes32 id, DelegationHeader memory with, uint256 key) public {
        registry.revokeByDelegate(id, chainOf(with), sign(key, delegatedRevocation(id, delegationId(with))));
    }
}

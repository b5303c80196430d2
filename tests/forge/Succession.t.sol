// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../../contracts/ConsentRegistry.sol";
import {DelegationHeader, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {IRecovery, RecoveryProposal, RecoveryState} from "../../contracts/interfaces/IRecovery.sol";
import {ISucceedingRecovery} from "../../contracts/interfaces/ISuccession.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {RecoveryBase} from "./support/RecoveryBase.sol";
import {Succeeding} from "./support/Succeeding.sol";
import {VM} from "./support/Vm.sol";

/// @notice A registry takes subjects over from the one before it, whole or not at all, and what ends there ends here.
contract SuccessionTest is RecoveryBase, Succeeding {
    bytes32 private permit;
    bytes32 private deny;
    bytes32 private refusal;
    bytes32 private gone;
    bytes32 private delegation;
    bytes32 private byCarer;
    DelegationHeader private carer;

    function setUp() public override(ConsentBase, RecoveryBase) {
        super.setUp();
        permit = granted(1);
        deny = given(2, DENY);
        refusal = given(3, REFUSAL);
        gone = granted(4);
        revoked(gone);
        carer = delegated(CARER_KEY, 15);
        delegation = delegationId(carer);
        GrantHeader memory header = permitHeader(5);
        byCarer = grantId(header);
        registry.grantByDelegate(
            header, chainOf(carer), sign(CARER_KEY, delegatedGrant(byCarer, delegation))
        );
        ids = [permit, deny, refusal, gone, delegation, byCarer];
        for (uint256 i = 0; i < 3; ++i) {
            ids.push(delegationId(named[i]));
        }
        VM.warp(NOW + 1 hours);
        succeed();
    }

    function given(uint256 salt, uint8 kind) private returns (bytes32 id) {
        GrantHeader memory header = headerOf(salt, kind);
        id = grantId(header);
        registry.grant(header, sign(PATIENT_KEY, id));
    }

    function headerOf(uint256 salt, uint8 kind) private view returns (GrantHeader memory header) {
        header = permitHeader(salt);
        header.kind = kind;
        header.epoch = epochOf(SUBJECT);
    }

    function adoptAndUse() private {
        adopt();
        useNew();
    }

    function refusedHere(GrantHeader memory header, bytes memory reason) private {
        useNew();
        bytes memory signature = sign(PATIENT_KEY, grantId(header));
        VM.expectRevert(reason);
        registry.grant(header, signature);
    }

    // --- coming over

    function test_adopt_byAnyone_standsHereAsThere() public {
        VM.prank(STRANGER);
        adopt();
        (address controller, uint32 epoch, uint32 count, bool isOpened) = successor.subjectOf(SUBJECT);
        check(controller == PATIENT && isOpened, "another subject");
        equal(epoch, 0, "epoch");
        equal(count, ids.length, "count");
        check(successor.openingCustodianOf(SUBJECT) == HOSPITAL_ID, "another custodian");
        equal(successor.adoptedAtOf(SUBJECT), NOW + 1 hours, "adopted at");
        for (uint256 i = 0; i < ids.length; ++i) {
            sameState(ids[i]);
        }
        (uint256 slotThere, uint256[] memory there) = old.evidence(SUBJECT, ids);
        (uint256 slotHere, uint256[] memory here) = successor.evidence(SUBJECT, ids);
        check(keccak256(abi.encode(slotThere, there)) == keccak256(abi.encode(slotHere, here)), "other evidence");
        check(successor.isLive(permit, PERMIT) && successor.isLive(byCarer, PERMIT), "permits");
        check(successor.isLive(deny, DENY) && successor.isLive(refusal, REFUSAL), "deny and refusal");
        check(successor.isLive(delegationId(named[0]), GUARDIANSHIP), "guardianship");
        check(successor.isDelegationLive(chainOf(carer), 15), "delegation");
        check(!successor.isLive(gone, PERMIT), "revoked before");
        check(address(successor.PARTICIPANTS()) == address(participants), "other members");
        check(address(successor.PREDECESSOR()) == address(old), "another predecessor");
        equal(successor.RECOVERY().RECOVERY_DELAY(), RECOVERY_DELAY, "delay");
    }

    function test_adopt_inSeveralCalls_countsForNothingBeforeTheLast() public {
        for (uint256 i = 0; i < ids.length; ++i) {
            (,,, bool isOpened) = successor.subjectOf(SUBJECT);
            check(!isOpened, "open before it is whole");
            for (uint256 j = 0; j < ids.length; ++j) {
                nothingIsLive(ids[j]);
            }
            // Given twice it counts once.
            successor.adopt(SUBJECT, listOf(ids[i]));
            if (i + 1 < ids.length) successor.adopt(SUBJECT, listOf(ids[i]));
        }
        check(successor.isLive(permit, PERMIT) && successor.isLive(deny, DENY), "whole and not live");
    }

    function nothingIsLive(bytes32 id) private view {
        for (uint8 kind = 0; kind < 255; ++kind) {
            if (kind != DELEGATION) check(!successor.isLive(id, kind), "live before it is whole");
        }
        check(!successor.isDelegationLive(chainOf(carer), 0), "delegation live before it is whole");
        (uint256 slot, uint256[] memory slots) = successor.evidence(SUBJECT, listOf(id));
        check(slot >> 224 == 0 && slots[0] >> 216 == 0, "counted before it is whole");
        if (id != gone) stateless(id);
    }

    function test_adopt_withoutTheDeny_neverWhole() public {
        (ids[1], ids[ids.length - 1]) = (ids[ids.length - 1], ids[1]);
        ids.pop();
        adopt();
        adopt();
        check(!successor.isLive(permit, PERMIT), "live without the deny");
        refusedHere(permitHeader(9), abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, SUBJECT));
        useOld();
        given(10, DENY);
        useNew();
        ids.push(deny);
        adopt();
        check(!successor.isLive(permit, PERMIT), "live without the deny that was recorded meanwhile");
    }

    function test_adopt_underWay_nothingOfItCanBeChanged() public {
        successor.adopt(SUBJECT, listOf(delegation));
        useNew();
        DelegationHeader[] memory chain = chainOf(carer);
        bytes memory signature = sign(CARER_KEY, delegatedRevocation(delegation, delegation));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, delegation));
        registry.endDelegation(chain, 0, signature);
        signature = sign(PATIENT_KEY, revocation(delegation));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, delegation));
        registry.revoke(delegation, signature);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, SUBJECT));
        registry.revokeAll(SUBJECT, 0, signature);
    }

    function test_adopt_denyRevokedMeanwhileAndGivenAgain_standsAsThereByThen() public {
        successor.adopt(SUBJECT, listOf(deny));
        successor.adopt(SUBJECT, listOf(refusal));
        revoked(deny);
        revoked(refusal);
        successor.adopt(SUBJECT, listOf(deny));
        ids[2] = ids[1];
        adopt();
        sameState(deny);
        check(successor.isLive(refusal, REFUSAL), "what was not given again stands until it is revoked here");
    }

    function test_adopt_ofAnotherSubjectOrUnknown_refused() public {
        open(OTHER, STRANGER_KEY, DESK);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, permit));
        successor.adopt(OTHER, listOf(permit));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, bytes32("nothing")));
        successor.adopt(SUBJECT, listOf("nothing"));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, CHILD));
        successor.adopt(CHILD, new bytes32[](0));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, uint96(0)));
        successor.adopt(0, listOf("nothing"));
        successor.adopt(OTHER, new bytes32[](0));
        equal(successor.adoptedAtOf(OTHER), block.timestamp, "a subject without consents comes by itself");
    }

    function test_adopt_twice_refused() public {
        adopt();
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectAlreadyOpen.selector, SUBJECT));
        adopt();
    }

    function test_openSubjectUnderGuardian_here_andMoreGuardians() public {
        useNew();
        bytes32 id = delegationId(openChild(DESK));
        check(successor.stateOf(id).kind == 4, "the guardianship is recorded");
        DelegationHeader memory second = guardianship(CHILD, STRANGER);
        bytes memory signature = sign(STRANGER_KEY, delegationId(second));
        VM.prank(DESK);
        registry.addGuardian(second, signature);
        (,, uint32 count, bool isOpened) = successor.subjectOf(CHILD);
        check(isOpened, "open");
        equal(count, 2, "both are counted");
    }

    function test_addGuardian_adoptedChild() public {
        bytes32 first = delegationId(openChild(DESK));
        useNew();
        successor.adopt(CHILD, listOf(first));
        DelegationHeader memory second = guardianship(CHILD, STRANGER);
        bytes memory signature = sign(STRANGER_KEY, delegationId(second));
        VM.prank(DESK);
        registry.addGuardian(second, signature);
        (,, uint32 count,) = successor.subjectOf(CHILD);
        equal(count, 2, "both are counted");
    }

    function test_openSubject_openThere_refusedUntilAdopted() public {
        useNew();
        bytes memory reason = abi.encodeWithSelector(IConsentTypes.SubjectAlreadyOpen.selector, SUBJECT);
        VM.expectRevert(reason);
        VM.prank(DESK);
        registry.openSubject(SUBJECT, STRANGER, FOREVER, "");
        DelegationHeader memory header = guardianship(SUBJECT, STRANGER);
        VM.expectRevert(reason);
        VM.prank(DESK);
        registry.openSubjectUnderGuardian(header, "");
        check(successor.openingCustodianOf(SUBJECT) == HOSPITAL_ID, "told of what waits for its adoption");
        open(OTHER, STRANGER_KEY, DESK);
        (,,, bool isOpened) = successor.subjectOf(OTHER);
        check(isOpened, "new subjects are opened here");
        equal(successor.adoptedAtOf(OTHER), 0, "not adopted");
        useOld();
        open(OTHER, PATIENT_KEY, DESK);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectAlreadyOpen.selector, OTHER));
        successor.adopt(OTHER, new bytes32[](0));
    }

    function test_adopt_childWithoutController_itsGuardianAndCustodianGoOn() public {
        DelegationHeader memory guardian = openChild(DESK);
        bytes32 id = delegationId(guardian);
        successor.adopt(CHILD, listOf(id));
        useNew();
        check(successor.isDelegationLive(chainOf(guardian), 15), "guardianship");
        DelegationHeader memory second = guardianship(CHILD, NURSE);
        bytes memory signature = sign(NURSE_KEY, delegationId(second));
        VM.prank(DESK);
        registry.addGuardian(second, signature);
        VM.prank(DESK);
        registry.endGuardianship(id);
        check(!successor.isLive(id, GUARDIANSHIP), "ended here");
        check(old.isLive(id, GUARDIANSHIP), "ended there");
    }

    // --- what counts here afterwards

    function test_afterAdoption_signedForHere_counts() public {
        GrantHeader memory header = permitHeader(9);
        bytes memory forThere = sign(PATIENT_KEY, grantId(header));
        adoptAndUse();
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.grant(header, forThere);
        header.supersedes = permit;
        bytes32 id = grantId(header);
        registry.grant(header, sign(PATIENT_KEY, id));
        check(successor.isLive(id, PERMIT) && !successor.isLive(permit, PERMIT), "superseded");
        equal(countOf(SUBJECT), ids.length + 1, "count goes on");
        revoked(deny);
        check(!successor.isLive(deny, DENY), "a deny ends here when it is revoked here");
        check(old.isLive(permit, PERMIT) && old.isLive(deny, DENY), "nothing changes there");
        GrantHeader memory another = permitHeader(11);
        bytes32 delegates = grantId(another);
        registry.grantByDelegate(
            another, chainOf(carer), sign(CARER_KEY, delegatedGrant(delegates, delegation))
        );
        registry.endForCause(delegation, sign(PATIENT_KEY, endingForCause(delegation)));
        check(!successor.isLive(delegates, PERMIT) && !successor.isLive(byCarer, PERMIT), "ended for cause here");
        check(!successor.isDelegationLive(chainOf(carer), 0) && old.isDelegationLive(chainOf(carer), 0), "delegation");
    }

    function test_afterAdoption_recordedThere_doesNotCountHere() public {
        adopt();
        bytes32 late = granted(9);
        bytes32 lateDeny = given(10, DENY);
        DelegationHeader memory lateDelegation = delegated(NURSE_KEY, 15);
        DelegationHeader memory lateGuardian = guardianship(SUBJECT, STRANGER);
        registry.delegate(lateGuardian, sign(PATIENT_KEY, delegationId(lateGuardian)));
        check(old.isLive(late, PERMIT) && old.isLive(lateDeny, DENY), "recorded there");
        check(!successor.isLive(late, PERMIT) && !successor.isLive(lateDeny, DENY), "live here");
        check(!successor.isDelegationLive(chainOf(lateDelegation), 0), "delegation live here");
        check(!successor.isLive(delegationId(lateGuardian), GUARDIANSHIP), "guardianship live here");
        stateless(late);
        (,, uint32 count,) = successor.subjectOf(SUBJECT);
        equal(count, ids.length, "count");
        useNew();
        check(granted(9) == late && successor.isLive(late, PERMIT), "the same document may be recorded here too");
    }

    function test_afterAdoption_revokedThere_endsHereInTheSameBlock() public {
        adopt();
        VM.warp(NOW + 2 hours);
        bytes32 guardian = delegationId(named[0]);
        revoked(permit);
        revoked(byCarer);
        revoked(guardian);
        revoked(delegation);
        bytes32[4] memory ended = [permit, byCarer, guardian, delegation];
        for (uint256 i = 0; i < 4; ++i) {
            sameState(ended[i]);
            equal(revokedAt(ended[i]), NOW + 2 hours, "date");
        }
        check(!successor.isLive(permit, PERMIT) && !successor.isLive(byCarer, PERMIT), "permits");
        check(!successor.isLive(guardian, GUARDIANSHIP), "guardianship");
        check(!successor.isDelegationLive(chainOf(carer), 0), "delegation");
        check(!successor.areLive(listOf(permit), PERMIT)[0], "areLive");
        useNew();
        VM.warp(NOW + 3 hours);
        revoked(permit);
        equal(revokedAt(permit), NOW + 2 hours, "keeps the first date");
        GrantHeader memory header = permitHeader(9);
        bytes memory signature = sign(CARER_KEY, delegatedGrant(grantId(header), delegation));
        DelegationHeader[] memory chain = chainOf(carer);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.DelegationNotLive.selector, delegation));
        registry.grantByDelegate(header, chain, signature);
    }

    function test_afterAdoption_denyRevokedThere_standsHere() public {
        adopt();
        revoked(deny);
        revoked(refusal);
        check(!old.isLive(deny, DENY), "revoked there");
        check(successor.isLive(deny, DENY) && successor.isLive(refusal, REFUSAL), "to end a deny widens");
        equal(revokedAt(deny), 0, "shown as it stands here");
    }

    function test_afterAdoption_endedForCauseThere_endsItAndItsPermitsHere() public {
        adopt();
        registry.endForCause(delegation, sign(PATIENT_KEY, endingForCause(delegation)));
        check(!successor.isLive(byCarer, PERMIT), "permit given under it");
        check(!successor.isDelegationLive(chainOf(carer), 0), "delegation");
        check(successor.isLive(permit, PERMIT), "another permit");
        sameState(byCarer);
    }

    function test_afterAdoption_revokeAllThere_endsWhatIsHere() public {
        adoptAndUse();
        bytes32 here = granted(9);
        useOld();
        revokedAll(SUBJECT);
        useNew();
        equal(epochOf(SUBJECT), 1, "epoch follows");
        check(!successor.isLive(permit, PERMIT) && !successor.isLive(here, PERMIT), "permits end");
        check(!successor.isDelegationLive(chainOf(carer), 0), "delegations end");
        check(successor.isLive(deny, DENY) && successor.isLive(delegationId(named[0]), GUARDIANSHIP), "these stand");
        refusedHere(
            permitHeader(10), abi.encodeWithSelector(IConsentTypes.EpochNotCurrent.selector, uint32(0), uint32(1))
        );
        bytes32 again = given(11, PERMIT);
        check(successor.isLive(again, PERMIT), "granted anew");
        revokedAll(SUBJECT);
        equal(epochOf(SUBJECT), 2, "raised here as well");
        useOld();
        equal(epochOf(SUBJECT), 1, "not raised there");
        revokedAll(SUBJECT);
        revokedAll(SUBJECT);
        useNew();
        equal(epochOf(SUBJECT), 4, "each one counts");
        (uint256 slot,) = successor.evidence(SUBJECT, ids);
        equal(uint32(slot >> 160), 4, "and is shown");
        equal(slot >> 224, 1, "without a mark");
        given(12, PERMIT);
        equal(epochOf(SUBJECT), 4, "once only");
    }

    function test_afterAdoption_revokeAllHere_doesNotReachThere() public {
        adoptAndUse();
        revokedAll(SUBJECT);
        check(!successor.isLive(permit, PERMIT) && old.isLive(permit, PERMIT), "here only");
        useOld();
        equal(epochOf(SUBJECT), 0, "there");
    }

    function test_revokedAheadThere_neverRecordedHere() public {
        GrantHeader memory before = permitHeader(20);
        GrantHeader memory later = permitHeader(21);
        GrantHeader memory recordedThere = permitHeader(22);
        registry.revokeAhead(before, sign(PATIENT_KEY, revocation(grantId(before))));
        ids.push(grantId(before));
        adopt();
        registry.revokeAhead(later, sign(PATIENT_KEY, revocation(grantId(later))));
        registry.grant(recordedThere, sign(PATIENT_KEY, grantId(recordedThere)));
        revoked(grantId(recordedThere));
        GrantHeader[3] memory dead = [before, later, recordedThere];
        for (uint256 i = 0; i < 3; ++i) {
            refusedHere(dead[i], abi.encodeWithSelector(IConsentTypes.AlreadyRevoked.selector, grantId(dead[i])));
            (, uint256[] memory slots) = successor.evidence(SUBJECT, listOf(grantId(dead[i])));
            equal(slots[0] >> 216, 0, "not counted here");
            check(revokedAt(grantId(dead[i])) != 0, "shown as revoked");
        }
        equal(countOf(SUBJECT), ids.length - 1, "count");
        revoked(grantId(later));
    }

    // --- recovery

    function test_adopt_whileRecoveryPends_refused() public {
        proposed();
        bytes memory reason = abi.encodeWithSelector(IConsentTypes.RecoveryPending.selector, SUBJECT);
        VM.expectRevert(reason);
        adopt();
        vetoed();
        adopt();
        useNew();
        check(recovery.recoveryOf(SUBJECT).isVetoSpent, "the veto stays spent");
        equal(recovery.recoveryOf(SUBJECT).round, 2, "round");
        RecoveryProposal memory proposal = proposalTo(NEW);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.DeskNeeded.selector, SUBJECT));
        recovery.proposeRecovery(proposal, proofOf(proposal, NEW_KEY, 2, false));
    }

    function test_adopt_recoveryLapsed_doesNotComeAlong() public {
        proposed();
        VM.warp(block.timestamp + LAPSE);
        RecoveryState memory there = recovery.recoveryOf(SUBJECT);
        adoptAndUse();
        there.controller = address(0);
        check(
            keccak256(abi.encode(there)) == keccak256(abi.encode(recovery.recoveryOf(SUBJECT))), "another recovery"
        );
        check(!recovery.isRecoveryPending(SUBJECT), "pending");
        (uint256 slot,) = successor.evidence(SUBJECT, ids);
        equal(slot >> 224, 1, "no flag");
    }

    function test_recovery_afterAdoption_goesOnHereByThePolicyThatCameAlong() public {
        adoptAndUse();
        proposed();
        GrantHeader memory header = permitHeader(9);
        refusedHere(header, abi.encodeWithSelector(IConsentTypes.RecoveryPending.selector, SUBJECT));
        given(10, DENY);
        VM.warp(block.timestamp + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        check(controllerOf(SUBJECT) == NEW, "recovered here");
        check(successor.isLive(permit, PERMIT), "what was consented to stays");
        useOld();
        check(controllerOf(SUBJECT) == PATIENT, "not there");
        revoked(permit);
        check(!successor.isLive(permit, PERMIT), "a stop there counts, whoever controls it there");
    }

    function test_recovery_completedThereAfterAdoption_doesNotChangeHere() public {
        adopt();
        proposed();
        VM.warp(block.timestamp + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        check(controllerOf(SUBJECT) == NEW, "recovered there");
        useNew();
        check(controllerOf(SUBJECT) == PATIENT, "recovered here");
        check(!recovery.isRecoveryPending(SUBJECT), "pending here");
        equal(recovery.recoveryOf(SUBJECT).round, 0, "round here");
    }

    function test_recovery_guardianEndedThere_countsForItsGraceOnly() public {
        adopt();
        revoked(delegationId(named[0]));
        useNew();
        VM.warp(block.timestamp + GRACE);
        RecoveryProposal memory proposal = proposalTo(NEW);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.NotGuardian.selector, delegationId(named[0])));
        recovery.proposeRecovery(proposal, proofOf(proposal, NEW_KEY, 2, false));
    }

    function test_adoptRecovery_byAnyoneElse_refused() public {
        ISucceedingRecovery made = ISucceedingRecovery(address(successor.RECOVERY()));
        VM.expectRevert(abi.encodeWithSelector(ISucceedingRecovery.NotRegistry.selector, address(this)));
        made.adoptRecovery(SUBJECT);
    }

    // --- a successor's successor

    function test_chain_ofSuccessions_endingsReachThrough() public {
        ConsentRegistry first = old;
        adoptAndUse();
        bytes32 second = granted(9);
        ids.push(second);
        succeed();
        adopt();
        useNew();
        check(successor.isLive(permit, PERMIT) && successor.isLive(second, PERMIT), "came through");
        bytes32 third = granted(10);
        useOld();
        bytes memory signature = sign(PATIENT_KEY, revocation(second));
        registry.revoke(second, signature);
        check(!successor.isLive(second, PERMIT), "ended one before");
        registry = first;
        revoked(permit);
        revoked(deny);
        check(!successor.isLive(permit, PERMIT) && successor.isLive(deny, DENY), "ended two before");
        revokedAll(SUBJECT);
        check(!successor.isLive(third, PERMIT), "revoke-all two before");
        (, uint32 epoch,,) = successor.subjectOf(SUBJECT);
        equal(epoch, 1, "epoch");
    }

    function test_chain_waitsForAdoptionTwoBefore_notOpenedAnew() public {
        useNew();
        succeed();
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, SUBJECT));
        adopt();
        useNew();
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectAlreadyOpen.selector, SUBJECT));
        VM.prank(DESK);
        registry.openSubject(SUBJECT, STRANGER, FOREVER, "");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {
    IRecovery,
    RecoveryPolicy,
    RecoveryProof,
    RecoveryProposal,
    RecoveryState
} from "../../contracts/interfaces/IRecovery.sol";
import {RecoveryBase} from "./support/RecoveryBase.sol";
import {VM} from "./support/Vm.sol";
import {HonestWallet} from "./support/Wallets.sol";

contract RecoveryTest is RecoveryBase {
    function test_recovery_guardiansProposeAndAnyoneCompletes_consentsStay() public {
        bytes32 permit = granted(1);
        proposed();
        check(recovery.isRecoveryPending(SUBJECT), "pending");
        check(registry.isLive(permit, PERMIT), "reads go on");
        VM.warp(NOW + RECOVERY_DELAY);
        uint32 count = countOf(SUBJECT);
        VM.prank(STRANGER);
        recovery.completeRecovery(SUBJECT);
        check(controllerOf(SUBJECT) == NEW, "the new controller");
        check(registry.isLive(permit, PERMIT), "consents stay");
        equal(countOf(SUBJECT), count, "count stays");
        equal(epochOf(SUBJECT), 0, "epoch stays");
        check(!recovery.isRecoveryPending(SUBJECT), "over");
        registry.revoke(permit, sign(NEW_KEY, revocation(permit)));
        check(!registry.isLive(permit, PERMIT), "the new controller revokes");
        GrantHeader memory late = permitHeader(2);
        bytes memory signature = sign(PATIENT_KEY, grantId(late));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, NEW));
        registry.grant(late, signature);
    }

    function test_complete_outsideItsTime_refused() public {
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryNotPending.selector, SUBJECT));
        recovery.completeRecovery(SUBJECT);
        proposed();
        VM.warp(NOW + RECOVERY_DELAY - 1);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryTooEarly.selector, NOW + RECOVERY_DELAY));
        recovery.completeRecovery(SUBJECT);
        VM.warp(NOW + LAPSE);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryNotPending.selector, SUBJECT));
        recovery.completeRecovery(SUBJECT);
        VM.warp(NOW + LAPSE - 1);
        recovery.completeRecovery(SUBJECT);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryNotPending.selector, SUBJECT));
        recovery.completeRecovery(SUBJECT);
    }

    function test_pending_freezesWhatWidens_notWhatRestricts() public {
        bytes32 permit = granted(1);
        DelegationHeader memory carer = delegated(STRANGER_KEY, 15);
        proposed();
        grantsAreFrozen(carer);
        delegationsAreFrozen(carer);
        GrantHeader memory deny = permitHeader(3);
        deny.kind = DENY;
        registry.grant(deny, sign(PATIENT_KEY, grantId(deny)));
        check(registry.isLive(grantId(deny), DENY), "denies go on");
        GrantHeader memory refusal = permitHeader(4);
        refusal.kind = REFUSAL;
        registry.grant(refusal, sign(PATIENT_KEY, grantId(refusal)));
        registry.revoke(permit, sign(PATIENT_KEY, revocation(permit)));
        check(!registry.isLive(permit, PERMIT), "revocations go on");
        registry.revokeAll(SUBJECT, 0, sign(PATIENT_KEY, revocationOfAll(SUBJECT, 0)));
        check(!registry.isDelegationLive(chainOf(carer), 1), "so does revoke-all");
        check(recovery.isRecoveryPending(SUBJECT), "and none of it stops the recovery");
    }

    function grantsAreFrozen(DelegationHeader memory carer) private {
        bytes memory reason = abi.encodeWithSelector(IConsentTypes.RecoveryPending.selector, SUBJECT);
        GrantHeader memory header = permitHeader(2);
        bytes memory signature = sign(PATIENT_KEY, grantId(header));
        VM.expectRevert(reason);
        registry.grant(header, signature);
        VM.prank(PATIENT);
        VM.expectRevert(reason);
        registry.grantDirect(header);
        bytes memory byDelegate = sign(STRANGER_KEY, delegatedGrant(grantId(header), delegationId(carer)));
        VM.expectRevert(reason);
        registry.grantByDelegate(header, chainOf(carer), byDelegate);
    }

    function delegationsAreFrozen(DelegationHeader memory carer) private {
        bytes memory reason = abi.encodeWithSelector(IConsentTypes.RecoveryPending.selector, SUBJECT);
        DelegationHeader memory fresh = delegationHeader(NURSE, 1);
        bytes memory given = sign(PATIENT_KEY, delegationId(fresh));
        VM.expectRevert(reason);
        registry.delegate(fresh, given);
        fresh.parent = delegationId(carer);
        fresh.depth = 1;
        given = sign(STRANGER_KEY, delegatedDelegation(delegationId(fresh), fresh.parent));
        VM.expectRevert(reason);
        registry.subdelegate(fresh, chainOf(carer), given);
        DelegationHeader memory another = guardianship(SUBJECT, NURSE);
        another.termsHash = keccak256("another");
        given = sign(PATIENT_KEY, delegationId(another));
        VM.expectRevert(reason);
        registry.delegate(another, given);
    }

    function test_lapsed_freezesNothing_andAnotherMayBeProposed() public {
        proposed();
        VM.warp(NOW + LAPSE);
        check(!recovery.isRecoveryPending(SUBJECT), "lapsed");
        check(registry.isLive(granted(1), PERMIT), "grants go on");
        proposed();
        check(recovery.isRecoveryPending(SUBJECT), "the next one");
    }

    function test_veto_once_thenGuardiansWithDeskWin() public {
        RecoveryProposal memory first = proposed();
        RecoveryProof memory replay = proofOf(first, NEW_KEY, 2, true);
        vetoed();
        check(!recovery.isRecoveryPending(SUBJECT), "vetoed");
        check(registry.isLive(granted(1), PERMIT), "no longer frozen");
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RoundNotCurrent.selector, uint32(0), uint32(2)));
        recovery.proposeRecovery(first, replay);
        RecoveryProposal memory alone = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(alone, NEW_KEY, 3, false);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.DeskNeeded.selector, SUBJECT));
        recovery.proposeRecovery(alone, proof);
        proposedWithDesk();
        bytes memory signature = sign2(PATIENT_KEY, vetoing(SUBJECT, 3));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.VetoSpent.selector, SUBJECT));
        recovery.vetoRecovery(SUBJECT, 3, signature);
        VM.warp(NOW + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        check(controllerOf(SUBJECT) == NEW, "the thief does not win");
        check(!recovery.recoveryOf(SUBJECT).isVetoSpent, "the new controller has a veto of its own");
    }

    function test_veto_ofTheFirst_evenWithDesk_works() public {
        proposedWithDesk();
        vetoed();
        check(!recovery.isRecoveryPending(SUBJECT), "vetoed");
    }

    function test_veto_byOthersOrAtAnotherTime_refused() public {
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, OTHER));
        recovery.vetoRecovery(OTHER, 0, "");
        bytes memory signature = sign2(PATIENT_KEY, vetoing(SUBJECT, 0));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryNotPending.selector, SUBJECT));
        recovery.vetoRecovery(SUBJECT, 0, signature);
        proposed();
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RoundNotCurrent.selector, uint32(0), uint32(1)));
        recovery.vetoRecovery(SUBJECT, 0, signature);
        uint256[3] memory others = [STRANGER_KEY, NEW_KEY, guardianKeys[0]];
        for (uint256 i = 0; i < 3; ++i) {
            signature = sign2(others[i], vetoing(SUBJECT, 1));
            VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
            recovery.vetoRecovery(SUBJECT, 1, signature);
        }
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectHasController.selector, SUBJECT));
        recovery.vetoRecoveryByGuardian(SUBJECT, 1, named[0], "");
        VM.prank(PATIENT);
        recovery.vetoRecovery(SUBJECT, 1, "");
        check(recovery.recoveryOf(SUBJECT).isVetoSpent, "the controller as sender");
    }

    function test_propose_withDesk_replacesAPendingOne_withoutDoesNot() public {
        RecoveryProposal memory wrong = proposalTo(STRANGER);
        recovery.proposeRecovery(wrong, proofOf(wrong, STRANGER_KEY, 2, false));
        RecoveryProposal memory alone = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(alone, NEW_KEY, 3, false);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.RecoveryPending.selector, SUBJECT));
        recovery.proposeRecovery(alone, proof);
        VM.warp(NOW + RECOVERY_DELAY - 1);
        proposedWithDesk();
        VM.warp(NOW + RECOVERY_DELAY);
        VM.expectRevert(
            abi.encodeWithSelector(IRecovery.RecoveryTooEarly.selector, NOW + 2 * RECOVERY_DELAY - 1)
        );
        recovery.completeRecovery(SUBJECT);
        VM.warp(NOW + 2 * RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        check(controllerOf(SUBJECT) == NEW, "the replacement");
    }

    function test_changedController_cannotBeReplayedBack() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        recovery.proposeRecovery(proposal, proof);
        VM.warp(NOW + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RoundNotCurrent.selector, uint32(0), uint32(2)));
        recovery.proposeRecovery(proposal, proof);
        bytes32 policy = policyHash(policyOf(2));
        bytes memory old = sign2(PATIENT_KEY, policySetting(policy, 1));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, NEW));
        recovery.setRecoveryPolicy(SUBJECT, policy, 1, FOREVER, old);
    }

    function test_propose_malformed_refused() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proposal.subject = OTHER;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, OTHER));
        recovery.proposeRecovery(proposal, proof);
        proposal = proposalTo(NEW);
        proposal.round = 1;
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RoundNotCurrent.selector, uint32(1), uint32(0)));
        recovery.proposeRecovery(proposal, proof);
        proposal = proposalTo(NEW);
        proposal.submitBy = NOW - 1;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubmittedTooLate.selector, NOW - 1));
        recovery.proposeRecovery(proposal, proof);
        proposal = proposalTo(NEW);
        proof = proofOf(proposal, STRANGER_KEY, 2, false);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, NEW));
        recovery.proposeRecovery(proposal, proof);
        proposal = proposalTo(address(0));
        proof = proofOf(proposal, NEW_KEY, 2, false);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, address(0)));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_propose_signatureOfAnotherCommandOrContract_refused() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, true);
        bytes memory good = proof.signatures[1];
        address signer = named[1].delegate;
        bytes[3] memory bad = [
            sign2(guardianKeys[1], command("AcceptRecovery", proposal)),
            sign2(guardianKeys[1], command("ConfirmRecovery", proposal)),
            sign(guardianKeys[1], command("ProposeRecovery", proposal))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            proof.signatures[1] = bad[i];
            VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, signer));
            recovery.proposeRecovery(proposal, proof);
        }
        proof.signatures[1] = good;
        proof.acceptance = sign2(NEW_KEY, command("ProposeRecovery", proposal));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, NEW));
        recovery.proposeRecovery(proposal, proof);
        proof.deskSignature = sign2(HOSPITAL_KEY, command("ProposeRecovery", proposal));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, DESK));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_recovery_toAContractWallet_byContractWallets() public {
        HonestWallet present = new HonestWallet();
        HonestWallet next = new HonestWallet();
        RecoveryProposal memory proposal = proposalTo(address(next));
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        next.confirm(typed(domain("Assent Recovery", address(recovery)), command("AcceptRecovery", proposal)));
        recovery.proposeRecovery(proposal, proof);
        VM.warp(NOW + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        check(controllerOf(SUBJECT) == address(next), "a contract wallet controls");
        proposal = proposalTo(address(present));
        proof = proofOf(proposal, NEW_KEY, 2, false);
        present.confirm(typed(domain("Assent Recovery", address(recovery)), command("AcceptRecovery", proposal)));
        recovery.proposeRecovery(proposal, proof);
        bytes memory call = abi.encodeCall(recovery.vetoRecovery, (SUBJECT, 3, ""));
        next.run(address(recovery), call);
        check(recovery.recoveryOf(SUBJECT).isVetoSpent, "it vetoes as sender");
    }

    function test_stepRecovery_byAnyoneElse_refused() public {
        address[5] memory senders = [PATIENT, DESK, OPERATOR, STRANGER, address(registry)];
        for (uint256 i = 0; i < 5; ++i) {
            VM.prank(senders[i]);
            VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotRecovery.selector, senders[i]));
            registry.stepRecovery(SUBJECT, STRANGER, false);
        }
        equal(recovery.RECOVERY_DELAY(), RECOVERY_DELAY, "a constant of the deployment");
    }

    function test_policy_firstAtOnce_laterWaits() public {
        RecoveryPolicy memory wider = policyOf(1);
        setPolicy(wider);
        RecoveryState memory state = recovery.recoveryOf(SUBJECT);
        check(state.policy == policyHash(policyOf(2)) && state.nextPolicy == policyHash(wider), "queued");
        equal(state.nextFrom, NOW + GRACE, "in force from");
        VM.warp(NOW + GRACE - 1);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 1, false);
        proof.policy = wider;
        bytes32 old = policyHash(policyOf(2));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryPolicyDiffers.selector, policyHash(wider), old));
        recovery.proposeRecovery(proposal, proof);
        VM.warp(NOW + GRACE);
        recovery.proposeRecovery(proposal, proof);
        check(recovery.recoveryOf(SUBJECT).policy == policyHash(wider), "in force");
    }

    function test_policy_queued_droppedByAProposal_andNotSetWhilePending() public {
        RecoveryPolicy memory thiefs = policyOf(1);
        setPolicy(policyHash(thiefs), PATIENT_KEY);
        proposed();
        check(recovery.recoveryOf(SUBJECT).nextPolicy == 0, "dropped");
        bytes memory signature = sign2(PATIENT_KEY, policySetting(policyHash(thiefs), 2));
        bytes32 hash = policyHash(thiefs);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.RecoveryPending.selector, SUBJECT));
        recovery.setRecoveryPolicy(SUBJECT, hash, 2, FOREVER, signature);
        vetoed();
        setPolicy(thiefs);
        VM.warp(NOW + GRACE - 1);
        proposedWithDesk();
        check(recovery.recoveryOf(SUBJECT).policy == policyHash(policyOf(2)), "the old guardians still count");
    }

    function test_policy_inForce_bringsTheVetoBack() public {
        proposed();
        vetoed();
        RecoveryPolicy memory later = policyOf(2);
        later.salt = 0;
        setPolicy(later);
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.policy = later;
        recovery.proposeRecovery(proposal, proof);
        vetoed();
        check(!recovery.isRecoveryPending(SUBJECT), "vetoed again");
    }

    function test_policy_byOthersOrTwice_refused() public {
        bytes32 policy = policyHash(policyOf(1));
        bytes memory signature = sign2(STRANGER_KEY, policySetting(policy, 1));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        recovery.setRecoveryPolicy(SUBJECT, policy, 1, FOREVER, signature);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, OTHER));
        recovery.setRecoveryPolicy(OTHER, policy, 0, FOREVER, signature);
        signature = sign2(PATIENT_KEY, policySetting(policy, 1));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubmittedTooLate.selector, NOW - 1));
        recovery.setRecoveryPolicy(SUBJECT, policy, 1, NOW - 1, signature);
        recovery.setRecoveryPolicy(SUBJECT, policy, 1, FOREVER, signature);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RoundNotCurrent.selector, uint32(1), uint32(2)));
        recovery.setRecoveryPolicy(SUBJECT, policy, 1, FOREVER, signature);
        VM.prank(PATIENT);
        recovery.setRecoveryPolicy(SUBJECT, policy, 2, FOREVER, "");
        equal(recovery.recoveryOf(SUBJECT).policyRound, 3, "the controller as sender");
    }
}

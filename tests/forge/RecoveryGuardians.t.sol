// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {IRecovery, RecoveryPolicy, RecoveryProof, RecoveryProposal} from "../../contracts/interfaces/IRecovery.sol";
import {RecoveryBase} from "./support/RecoveryBase.sol";
import {VM} from "./support/Vm.sol";
import {BurningWallet, HonestWallet} from "./support/Wallets.sol";

/// @notice Who counts as a guardian, and a child's first controller.
contract RecoveryGuardiansTest is RecoveryBase {
    function test_guardians_tooFew_refused() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 1, true);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardiansMissing.selector, 1, 2));
        recovery.proposeRecovery(proposal, proof);
        proof = proofOf(proposal, NEW_KEY, 0, true);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardiansMissing.selector, 0, 2));
        recovery.proposeRecovery(proposal, proof);
        proof.policy.threshold = 0;
        bytes32 given = policyHash(proof.policy);
        bytes32 expected = policyHash(policyOf(2));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryPolicyDiffers.selector, given, expected));
        recovery.proposeRecovery(proposal, proof);
        proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.signatures = new bytes[](1);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.BatchLengthsDiffer.selector, 2, 1));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_policy_ofThresholdZero_letsNobodyRecover() public {
        setPolicy(policyOf(0));
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 0, true);
        proof.policy.threshold = 0;
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardiansMissing.selector, 0, 0));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_noPolicy_nobodyRecovers() public {
        open(OTHER, PATIENT_KEY, DESK);
        RecoveryProposal memory proposal = RecoveryProposal(OTHER, NEW, 0, FOREVER);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, true);
        bytes32 given = policyHash(proof.policy);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.RecoveryPolicyDiffers.selector, given, bytes32(0)));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_guardians_twiceOrUnordered_refused() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.guardians[1] = proof.guardians[0];
        proof.signatures[1] = proof.signatures[0];
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardiansUnordered.selector, 1));
        recovery.proposeRecovery(proposal, proof);
        proof = proofOf(proposal, NEW_KEY, 2, false);
        (proof.guardians[0], proof.guardians[1]) = (proof.guardians[1], proof.guardians[0]);
        (proof.signatures[0], proof.signatures[1]) = (proof.signatures[1], proof.signatures[0]);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardiansUnordered.selector, 1));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_onePerson_withTwoGuardianships_countsOnce() public {
        DelegationHeader memory second = guardianship(SUBJECT, named[0].delegate);
        second.termsHash = keccak256("the same person again");
        registry.delegate(second, sign(PATIENT_KEY, delegationId(second)));
        RecoveryPolicy memory policy = policyOf(2);
        policy.guardianships[2] = delegationId(second);
        setPolicy(policy);
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.policy = policy;
        proof.guardians[1] = second;
        proof.signatures[1] = proof.signatures[0];
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardiansUnordered.selector, 1));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_guardian_unnamedChangedOrOfAnotherKind_refused() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.guardians[1].termsHash = keccak256("never recorded");
        refusedAs(proposal, proof, delegationId(proof.guardians[1]));
        DelegationHeader memory unnamed = named[1];
        unnamed.termsHash = keccak256("recorded, not named");
        registry.delegate(unnamed, sign(PATIENT_KEY, delegationId(unnamed)));
        proof.guardians[1] = unnamed;
        refusedAs(proposal, proof, delegationId(unnamed));
        DelegationHeader memory carer = delegationHeader(named[1].delegate, 15);
        registry.delegate(carer, sign(PATIENT_KEY, delegationId(carer)));
        proof.guardians[1] = carer;
        refusedAs(proposal, proof, delegationId(carer));
    }

    function test_guardian_whoDidNotSign_refused() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.signatures[1] = sign2(THIEF_KEY, command("ProposeRecovery", proposal));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, named[1].delegate));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_thiefEndsGuardianships_theyStillCountForAWhile() public {
        endGuardianships();
        VM.warp(NOW + GRACE - 1);
        proposed();
        vetoed();
        VM.warp(NOW + GRACE + RECOVERY_DELAY);
        proposedWithDesk();
        VM.warp(NOW + GRACE + 2 * RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        check(controllerOf(SUBJECT) == NEW, "the set was fixed when it began");
    }

    function test_guardianEndedLongAgo_noLongerCounts() public {
        endGuardianships();
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, true);
        refusedAs(proposal, proof, delegationId(named[0]));
    }

    function test_guardianExpiredOrNotBegun_countsLikeAnEndedOne() public {
        VM.warp(named[0].notAfter + GRACE - 1);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        VM.warp(named[0].notAfter + GRACE);
        refusedAs(proposal, proof, delegationId(named[0]));
        VM.warp(named[0].notAfter + GRACE - 1);
        recovery.proposeRecovery(proposal, proof);
    }

    function test_guardianRevokedLongAfterItsEnd_doesNotCountAgain() public {
        VM.warp(named[0].notAfter + GRACE);
        bytes32 id = delegationId(named[0]);
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        RecoveryProposal memory proposal = proposalTo(NEW);
        refusedAs(proposal, proofOf(proposal, NEW_KEY, 2, false), id);
    }

    function test_guardianResignedLongAfterItsEnd_doesNotCountAgain() public {
        VM.warp(named[0].notAfter + GRACE);
        bytes32 id = delegationId(named[0]);
        DelegationHeader[] memory chain = chainOf(named[0]);
        registry.endDelegation(chain, 0, sign(guardianKeys[0], delegatedRevocation(id, id)));
        RecoveryProposal memory proposal = proposalTo(NEW);
        refusedAs(proposal, proofOf(proposal, NEW_KEY, 2, false), id);
    }

    function test_guardianRevokedBeforeItWasRecorded_neverCounts() public {
        DelegationHeader memory ahead = guardianship(SUBJECT, named[1].delegate);
        ahead.termsHash = keccak256("ahead");
        RecoveryPolicy memory policy = policyOf(2);
        policy.guardianships[1] = delegationId(ahead);
        setPolicy(policy);
        VM.warp(NOW + GRACE);
        registry.revokeDelegationAhead(ahead, sign(PATIENT_KEY, revocation(delegationId(ahead))));
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.policy = policy;
        proof.guardians[1] = ahead;
        refusedAs(proposal, proof, delegationId(ahead));
    }

    function test_guardianNotBegun_doesNotCountYet() public {
        DelegationHeader memory later = guardianship(SUBJECT, named[1].delegate);
        later.notBefore = NOW + 2 * GRACE;
        registry.delegate(later, sign(PATIENT_KEY, delegationId(later)));
        RecoveryPolicy memory policy = policyOf(2);
        policy.guardianships[1] = delegationId(later);
        setPolicy(policy);
        VM.warp(NOW + 2 * GRACE - 1);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, false);
        proof.policy = policy;
        proof.guardians[1] = later;
        refusedAs(proposal, proof, delegationId(later));
        VM.warp(NOW + 2 * GRACE);
        recovery.proposeRecovery(proposal, proof);
    }

    function test_guardians_asContractWallets_honestCounts_hostileCostsItsCap() public {
        DelegationHeader memory wallet = guardianship(SUBJECT, address(new HonestWallet()));
        DelegationHeader memory hostile = guardianship(SUBJECT, address(new BurningWallet()));
        registry.delegate(wallet, sign(PATIENT_KEY, delegationId(wallet)));
        registry.delegate(hostile, sign(PATIENT_KEY, delegationId(hostile)));
        RecoveryPolicy memory policy = policyOf(1);
        policy.guardianships[0] = delegationId(wallet);
        policy.guardianships[1] = delegationId(hostile);
        setPolicy(policy);
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 1, false);
        proof.policy = policy;
        proof.guardians[0] = hostile;
        proof.signatures[0] = "";
        uint256 before = gasleft();
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, hostile.delegate));
        recovery.proposeRecovery(proposal, proof);
        check(before - gasleft() < 700_000, "the cap");
        proof.guardians[0] = wallet;
        bytes32 digest_ = typed(domain("Assent Recovery", address(recovery)), command("ProposeRecovery", proposal));
        HonestWallet(wallet.delegate).confirm(digest_);
        recovery.proposeRecovery(proposal, proof);
        check(recovery.isRecoveryPending(SUBJECT), "proposed by a contract wallet");
    }

    function test_desk_onlyTheOpenerInStanding_andNeverAsAGuardian() public {
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 2, true);
        proof.desk = CLINIC;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotOpeningCustodian.selector, SUBJECT, CLINIC));
        recovery.proposeRecovery(proposal, proof);
        proof.desk = STRANGER;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotOpeningCustodian.selector, SUBJECT, STRANGER));
        recovery.proposeRecovery(proposal, proof);
        VM.prank(OPERATOR);
        participants.suspend(HOSPITAL_ID);
        proof.desk = DESK;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotOpeningCustodian.selector, SUBJECT, DESK));
        recovery.proposeRecovery(proposal, proof);
        VM.prank(OPERATOR);
        participants.reinstate(HOSPITAL_ID);
        DelegationHeader memory own = guardianship(SUBJECT, DESK);
        proof.guardians[0] = own;
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardianIsDesk.selector, DESK));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_custodianNamedAsGuardianByThePatient_neverCounts_withoutDeskEither() public {
        DelegationHeader memory own = guardianship(SUBJECT, DESK);
        registry.delegate(own, sign(PATIENT_KEY, delegationId(own)));
        RecoveryPolicy memory policy = policyOf(1);
        policy.guardianships[0] = delegationId(own);
        setPolicy(policy);
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = proposalTo(NEW);
        RecoveryProof memory proof = proofOf(proposal, NEW_KEY, 1, false);
        proof.policy = policy;
        proof.guardians[0] = own;
        proof.signatures[0] = sign2(HOSPITAL_KEY, command("ProposeRecovery", proposal));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardianIsDesk.selector, DESK));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_child_getsItsFirstController_fromAGuardianAndTheDesk() public {
        DelegationHeader memory guardian = openChild(DESK);
        RecoveryProposal memory proposal = RecoveryProposal(CHILD, NEW, 0, FOREVER);
        RecoveryProof memory proof = childProof(proposal, guardian);
        refusedAs(proposal, proof, delegationId(guardian));
        VM.warp(NOW + GRACE);
        bytes memory deskSignature = proof.deskSignature;
        (proof.desk, proof.deskSignature) = (address(0), bytes(""));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.DeskNeeded.selector, CHILD));
        recovery.proposeRecovery(proposal, proof);
        (proof.desk, proof.deskSignature) = (DESK, deskSignature);
        recovery.proposeRecovery(proposal, proof);
        VM.warp(NOW + GRACE + RECOVERY_DELAY);
        recovery.completeRecovery(CHILD);
        check(controllerOf(CHILD) == NEW, "of age");
        VM.prank(DESK);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SubjectHasController.selector, CHILD));
        registry.endGuardianship(delegationId(guardian));
        registry.revoke(delegationId(guardian), sign(NEW_KEY, revocation(delegationId(guardian))));
        check(!registry.isLive(delegationId(guardian), GUARDIANSHIP), "and ends the guardianship itself");
    }

    function test_child_custodianAlone_neverMakesItselfController() public {
        DelegationHeader memory own = guardianship(CHILD, DESK);
        bytes memory signature = sign(HOSPITAL_KEY, delegationId(own));
        VM.prank(DESK);
        registry.openSubjectUnderGuardian(own, signature);
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = RecoveryProposal(CHILD, NEW, 0, FOREVER);
        RecoveryProof memory proof = childProof(proposal, own);
        proof.signatures[0] = sign2(HOSPITAL_KEY, command("ProposeRecovery", proposal));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardianIsDesk.selector, DESK));
        recovery.proposeRecovery(proposal, proof);
        proof.guardians = new DelegationHeader[](0);
        proof.signatures = new bytes[](0);
        VM.expectRevert(abi.encodeWithSelector(IRecovery.GuardiansMissing.selector, 0, 1));
        recovery.proposeRecovery(proposal, proof);
    }

    function test_child_anyGuardianVetoesOnce() public {
        DelegationHeader memory guardian = openChild(DESK);
        DelegationHeader memory second = guardianship(CHILD, CARER);
        bytes memory signature = sign(CARER_KEY, delegationId(second));
        VM.prank(DESK);
        registry.addGuardian(second, signature);
        VM.warp(NOW + GRACE);
        RecoveryProposal memory proposal = RecoveryProposal(CHILD, NEW, 0, FOREVER);
        recovery.proposeRecovery(proposal, childProof(proposal, guardian));
        signature = sign2(CARER_KEY, vetoing(CHILD, 1));
        DelegationHeader memory ofSubject = named[0];
        VM.expectRevert(abi.encodeWithSelector(IRecovery.NotGuardian.selector, delegationId(ofSubject)));
        recovery.vetoRecoveryByGuardian(CHILD, 1, ofSubject, signature);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, GUARDIAN));
        recovery.vetoRecoveryByGuardian(CHILD, 1, guardian, signature);
        DelegationHeader memory weak = guardianship(CHILD, NURSE);
        weak.powers = 5;
        VM.expectRevert(abi.encodeWithSelector(IRecovery.NotGuardian.selector, delegationId(weak)));
        recovery.vetoRecoveryByGuardian(CHILD, 1, weak, signature);
        recovery.vetoRecoveryByGuardian(CHILD, 1, second, signature);
        check(!recovery.isRecoveryPending(CHILD), "vetoed");
        proposal.round = 2;
        recovery.proposeRecovery(proposal, childProof(proposal, guardian));
        signature = sign2(CARER_KEY, vetoing(CHILD, 3));
        VM.expectRevert(abi.encodeWithSelector(IRecovery.VetoSpent.selector, CHILD));
        recovery.vetoRecoveryByGuardian(CHILD, 3, second, signature);
    }

    function test_child_guardianWithoutPowerToRevoke_doesNotVeto() public {
        openChild(DESK);
        DelegationHeader memory weak = guardianship(CHILD, CARER);
        weak.powers = 5;
        bytes memory signature = sign(CARER_KEY, delegationId(weak));
        VM.prank(DESK);
        registry.addGuardian(weak, signature);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(2), uint16(5)));
        recovery.vetoRecoveryByGuardian(CHILD, 0, weak, "");
    }

    function childProof(RecoveryProposal memory proposal, DelegationHeader memory guardian)
        private
        view
        returns (RecoveryProof memory proof)
    {
        proof = proofOf(proposal, NEW_KEY, 1, true);
        proof.guardians[0] = guardian;
        proof.signatures[0] = sign2(GUARDIAN_KEY, command("ProposeRecovery", proposal));
    }

    function endGuardianships() private {
        for (uint256 i = 0; i < 3; ++i) {
            bytes32 id = delegationId(named[i]);
            registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        }
    }

    function refusedAs(RecoveryProposal memory proposal, RecoveryProof memory proof, bytes32 guardian) private {
        VM.expectRevert(abi.encodeWithSelector(IRecovery.NotGuardian.selector, guardian));
        recovery.proposeRecovery(proposal, proof);
    }
}

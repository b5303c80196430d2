// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader} from "../../../contracts/interfaces/IConsentTypes.sol";
import {RecoveryPolicy, RecoveryProof, RecoveryProposal} from "../../../contracts/interfaces/IRecovery.sol";
import {ConsentActor} from "./ConsentActor.sol";
import {VM} from "./Vm.sol";

/// @notice Adds a carer and two guardians to each subject, and the commands of delegates and of recovery.
contract RecoveryActor is ConsentActor {
    uint256 private constant CARERS_KEY = 0xc1;

    struct Pending {
        uint256 key;
        uint256 since;
        uint32 round;
        bool isVetoSpent;
        uint256 asOf;
    }

    uint256[2] private guards;
    mapping(uint96 => DelegationHeader) private carers;
    mapping(uint96 => DelegationHeader[2]) private guardianships;
    mapping(uint96 => Pending) public modelRecovery;
    /// @dev The carer's first, then the guardians'.
    mapping(uint96 => bytes32[3]) public delegations;

    constructor() {
        VM.warp(NOW);
        super.setUp();
        guards = VM.addr(0xb1) < VM.addr(0xb2) ? [uint256(0xb1), 0xb2] : [uint256(0xb2), 0xb1];
        VM.recordLogs();
        for (uint256 i = 0; i < 3; ++i) {
            uint96 subject = subjects[i];
            modelKey[subject] = 0xa1 + i;
            open(subject, 0xa1 + i, DESK);
            carers[subject] = delegationHeader(VM.addr(CARERS_KEY), 15);
            carers[subject].subject = subject;
            carers[subject].notAfter = FOREVER;
            note(subject, 0, carers[subject]);
            for (uint256 g = 0; g < 2; ++g) {
                guardianships[subject][g] = guardianship(subject, VM.addr(guards[g]));
                guardianships[subject][g].notAfter = FOREVER;
                note(subject, g + 1, guardianships[subject][g]);
            }
            bytes32 policy = policyHash(policyFor(subject));
            VM.prank(VM.addr(modelKey[subject]));
            recovery.setRecoveryPolicy(subject, policy, 0, FOREVER, "");
        }
        replay();
    }

    function isFrozen(uint96 subject) public view override returns (bool) {
        Pending memory state = modelRecovery[subject];
        return state.key != 0 && block.timestamp < state.since + LAPSE;
    }

    function giveByCarer(uint8 who, uint8 signer, uint8 kind, uint256 salt) external {
        uint96 subject = subjects[who % 3];
        bytes32 delegation = delegations[subject][0];
        GrantHeader memory header = permitHeader(salt % 40);
        header.subject = subject;
        header.kind = [PERMIT, DENY, REFUSAL, PERMIT][kind % 4];
        header.epoch = modelEpoch[subject];
        header.notBefore = 0;
        header.notAfter = FOREVER;
        if (salt % 4 == 3 && ids.length > 0) header.supersedes = ids[salt % ids.length];
        bool isRight = signer % 8 != 7;
        bytes memory signature =
            sign(isRight ? CARERS_KEY : WRONG_KEY, delegatedGrant(grantId(header), delegation));
        bool accepted;
        VM.recordLogs();
        try registry.grantByDelegate(header, chainOf(carers[subject]), signature) {
            accepted = true;
        } catch {}
        replay();
        bool isLive = model[delegation].revoked == 0 && modelEpoch[subject] == 0;
        settle(header, accepted, isRight && isLive, delegation);
    }

    function endDelegation(uint8 who, uint8 which, uint8 signer, bool forCause) external {
        uint96 subject = subjects[who % 3];
        bytes32 id = delegations[subject][which % 3];
        uint256 key = signer % 8 == 7 ? WRONG_KEY : modelKey[subject];
        bool accepted;
        VM.recordLogs();
        if (forCause) {
            try registry.endForCause(id, sign(key, endingForCause(id))) {
                accepted = true;
            } catch {}
        } else {
            try registry.revoke(id, sign(key, revocation(id))) {
                accepted = true;
            } catch {}
        }
        replay();
        bool done = forCause ? modelCause[subject][id] != 0 : model[id].revoked != 0;
        check(accepted == (done || key != WRONG_KEY), "ended exactly when it must be");
        if (!accepted) return;
        if (forCause && !done) modelCause[subject][id] = block.timestamp;
        if (model[id].revoked == 0) model[id].revoked = block.timestamp;
    }

    function propose(uint8 who, uint8 guardians, bool withDesk, uint8 to, uint8 roundShift) external {
        uint96 subject = subjects[who % 3];
        Pending memory state = modelRecovery[subject];
        uint256 key = 0xd0 + to % 4;
        uint32 round = state.round + (roundShift % 8 == 7 ? 1 : 0);
        RecoveryProposal memory proposal = RecoveryProposal(subject, VM.addr(key), round, FOREVER);
        RecoveryProof memory proof = proofFor(proposal, key, guardians % 8 == 7 ? 1 : 2, withDesk);
        bool accepted;
        VM.recordLogs();
        try recovery.proposeRecovery(proposal, proof) {
            accepted = true;
        } catch {}
        replay();
        uint256 asOf = isFrozen(subject) || state.isVetoSpent ? state.asOf : block.timestamp;
        bool expected = round == state.round && proof.guardians.length == 2 && counts(subject, 1, asOf)
            && counts(subject, 2, asOf) && (withDesk || !(isFrozen(subject) || state.isVetoSpent));
        check(accepted == expected, "proposed exactly when it must be");
        if (!accepted) return;
        modelRecovery[subject] = Pending(key, block.timestamp, round + 1, state.isVetoSpent, asOf);
    }

    function veto(uint8 who, uint8 signer) external {
        uint96 subject = subjects[who % 3];
        Pending storage state = modelRecovery[subject];
        uint256 key = signer % 8 == 7 ? WRONG_KEY : modelKey[subject];
        bool accepted;
        VM.recordLogs();
        try recovery.vetoRecovery(subject, state.round, sign2(key, vetoing(subject, state.round))) {
            accepted = true;
        } catch {}
        replay();
        bool expected = key != WRONG_KEY && isFrozen(subject) && !state.isVetoSpent;
        check(accepted == expected, "vetoed exactly when it must be");
        if (!accepted) return;
        (state.key, state.isVetoSpent) = (0, true);
        ++state.round;
    }

    function complete(uint8 who) external {
        uint96 subject = subjects[who % 3];
        Pending storage state = modelRecovery[subject];
        bool accepted;
        VM.recordLogs();
        try recovery.completeRecovery(subject) {
            accepted = true;
        } catch {}
        replay();
        check(
            accepted == (isFrozen(subject) && block.timestamp >= state.since + RECOVERY_DELAY),
            "completed exactly when it must be"
        );
        if (!accepted) return;
        modelKey[subject] = state.key;
        (state.key, state.isVetoSpent) = (0, false);
        ++state.round;
    }

    function note(uint96 subject, uint256 place, DelegationHeader memory header) private {
        bytes32 id = delegationId(header);
        registry.delegate(header, sign(modelKey[subject], id));
        delegations[subject][place] = id;
        model[id] = Known(subject, header.kind, 0, NOW, header.notAfter, 0, 0);
        ++modelCount[subject];
    }

    function counts(uint96 subject, uint256 place, uint256 asOf) private view returns (bool) {
        uint256 gone = model[delegations[subject][place]].revoked;
        return gone == 0 || asOf < gone + GRACE;
    }

    function policyFor(uint96 subject) private view returns (RecoveryPolicy memory policy) {
        policy.guardianships = new bytes32[](2);
        policy.guardianships[0] = delegations[subject][1];
        policy.guardianships[1] = delegations[subject][2];
        policy.threshold = 2;
    }

    function proofFor(RecoveryProposal memory proposal, uint256 key, uint256 signers, bool withDesk)
        private
        view
        returns (RecoveryProof memory proof)
    {
        proof.policy = policyFor(proposal.subject);
        proof.guardians = new DelegationHeader[](signers);
        proof.signatures = new bytes[](signers);
        for (uint256 i = 0; i < signers; ++i) {
            proof.guardians[i] = guardianships[proposal.subject][i];
            proof.signatures[i] = sign2(guards[i], command("ProposeRecovery", proposal));
        }
        proof.acceptance = sign2(key, command("AcceptRecovery", proposal));
        if (!withDesk) return proof;
        proof.desk = DESK;
        proof.deskSignature = sign2(HOSPITAL_KEY, command("ConfirmRecovery", proposal));
    }
}

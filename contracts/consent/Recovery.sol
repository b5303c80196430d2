// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {ConsentState, DelegationHeader, IConsentTypes} from "../interfaces/IConsentTypes.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IRecovery, RecoveryPolicy, RecoveryProof, RecoveryProposal, RecoveryState} from "../interfaces/IRecovery.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Powers} from "../libraries/Powers.sol";
import {RecoveryTypedData} from "../libraries/RecoveryTypedData.sol";
import {Roles} from "../libraries/Roles.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {TypedData} from "../libraries/TypedData.sol";

/// @dev Whoever holds the present controller's key may be a thief. So nothing that the key can do (ending
/// guardianships, naming other guardians, one veto) takes a guardian's power away sooner than GRACE delays later, and
/// nothing it does raises the round that the guardians sign, but the veto.
contract Recovery is IRecovery, EIP712 {
    /// @dev In delays: how long guardians still count after they were ended, and how long a new policy waits.
    uint256 private constant GRACE = 4;
    /// @dev How long a proposal can be completed once its delay is over.
    uint256 private constant COMPLETION_WINDOW = 7 days;

    IConsentRegistry public immutable REGISTRY;
    IParticipantRegistry public immutable PARTICIPANTS;
    /// @inheritdoc IRecovery
    uint40 public immutable RECOVERY_DELAY;

    mapping(uint96 subject => RecoveryState) internal _recoveries;

    constructor(IConsentRegistry registry, IParticipantRegistry participants, uint40 recoveryDelay)
        EIP712("Assent Recovery", "1")
    {
        REGISTRY = registry;
        PARTICIPANTS = participants;
        RECOVERY_DELAY = recoveryDelay;
    }

    /// @inheritdoc IRecovery
    function setRecoveryPolicy(uint96 subject, bytes32 policy, uint32 round, uint40 submitBy, bytes calldata signature)
        external
    {
        address controller = _controllerOf(subject);
        RecoveryState memory state = _recoveries[subject];
        if (round != state.policyRound) revert RoundNotCurrent(round, state.policyRound);
        if (block.timestamp > submitBy) revert IConsentTypes.SubmittedTooLate(submitBy);
        if (_isPending(state)) revert IConsentTypes.RecoveryPending(subject);
        _requireBy(controller, RecoveryTypedData.setRecoveryPolicy(subject, policy, round, submitBy), signature);
        _settlePolicy(state);
        state.policyRound = round + 1;
        if (state.policy == 0) {
            state.policy = policy;
        } else {
            state.nextPolicy = policy;
            state.nextFrom = uint40(block.timestamp + GRACE * RECOVERY_DELAY);
        }
        _recoveries[subject] = state;
        emit RecoveryPolicySet(subject, state);
    }

    /// @inheritdoc IRecovery
    function proposeRecovery(RecoveryProposal calldata proposal, RecoveryProof calldata proof) external {
        address present = _controllerOf(proposal.subject);
        RecoveryState memory state = _recoveries[proposal.subject];
        if (proposal.round != state.round) revert RoundNotCurrent(proposal.round, state.round);
        if (block.timestamp > proposal.submitBy) revert IConsentTypes.SubmittedTooLate(proposal.submitBy);
        bool isPending = _isPending(state);
        _settlePolicy(state);
        if (proof.desk != address(0)) {
            _requireDesk(proposal, proof);
        } else {
            if (present == address(0) || state.isVetoSpent) revert DeskNeeded(proposal.subject);
            if (isPending) revert IConsentTypes.RecoveryPending(proposal.subject);
        }
        // What was proposed first fixes who its guardians are, for all that follows upon it.
        if (!isPending && !state.isVetoSpent) state.guardiansAsOf = uint40(block.timestamp);
        bool byPolicy = present != address(0);
        if (byPolicy) _requirePolicy(state.policy, proof.policy, proof.guardians.length);
        else if (proof.guardians.length == 0) revert GuardiansMissing(0, 1);
        _requireGuardians(proposal, proof, state.guardiansAsOf, byPolicy);
        _requireSigned(proposal.controller, RecoveryTypedData.acceptRecovery(proposal), proof.acceptance);
        state.controller = proposal.controller;
        state.proposedAt = uint40(block.timestamp);
        ++state.round;
        _recoveries[proposal.subject] = state;
        emit RecoveryProposed(proposal.subject, proposal.controller, proof.desk, state);
        REGISTRY.stepRecovery(proposal.subject, present, true);
    }

    /// @inheritdoc IRecovery
    function vetoRecovery(uint96 subject, uint32 round, bytes calldata signature) external {
        address controller = _controllerOf(subject);
        _requireBy(controller, RecoveryTypedData.vetoRecovery(subject, round), signature);
        _veto(subject, controller, round);
    }

    /// @inheritdoc IRecovery
    function vetoRecoveryByGuardian(
        uint96 subject,
        uint32 round,
        DelegationHeader calldata guardianship,
        bytes calldata signature
    ) external {
        if (_controllerOf(subject) != address(0)) revert IConsentTypes.SubjectHasController(subject);
        bytes32 id = TypedData.linkId(guardianship);
        if (guardianship.subject != subject || !REGISTRY.isLive(id, Kinds.GUARDIANSHIP)) revert NotGuardian(id);
        if (!Powers.cover(guardianship.powers, Powers.REVOKE)) {
            revert IConsentTypes.PowerMissing(Powers.REVOKE, guardianship.powers);
        }
        _requireSigned(guardianship.delegate, RecoveryTypedData.vetoRecovery(subject, round), signature);
        _veto(subject, address(0), round);
    }

    /// @inheritdoc IRecovery
    function completeRecovery(uint96 subject) external {
        RecoveryState memory state = _recoveries[subject];
        if (!_isPending(state)) revert RecoveryNotPending(subject);
        uint256 ready = uint256(state.proposedAt) + RECOVERY_DELAY;
        if (block.timestamp < ready) revert RecoveryTooEarly(uint40(ready));
        address controller = state.controller;
        state.controller = address(0);
        state.isVetoSpent = false;
        ++state.round;
        _recoveries[subject] = state;
        emit RecoveryCompleted(subject, controller, state);
        REGISTRY.stepRecovery(subject, controller, false);
    }

    /// @inheritdoc IRecovery
    function recoveryOf(uint96 subject) external view returns (RecoveryState memory) {
        return _recoveries[subject];
    }

    /// @inheritdoc IRecovery
    function isRecoveryPending(uint96 subject) external view returns (bool) {
        return _isPending(_recoveries[subject]);
    }

    function _veto(uint96 subject, address controller, uint32 round) private {
        RecoveryState memory state = _recoveries[subject];
        if (!_isPending(state)) revert RecoveryNotPending(subject);
        if (round != state.round) revert RoundNotCurrent(round, state.round);
        if (state.isVetoSpent) revert VetoSpent(subject);
        state.controller = address(0);
        state.isVetoSpent = true;
        ++state.round;
        _recoveries[subject] = state;
        emit RecoveryVetoed(subject, state);
        REGISTRY.stepRecovery(subject, controller, false);
    }

    /// @dev Proposed, and neither vetoed, completed nor lapsed.
    function _isPending(RecoveryState memory state) private view returns (bool) {
        return state.controller != address(0)
            && block.timestamp < uint256(state.proposedAt) + RECOVERY_DELAY + COMPLETION_WINDOW;
    }

    /// @dev A queued policy that is due comes into force, with a fresh veto; any other is dropped. A policy set
    /// while another waits replaces it, and a proposal drops it, so that a thief's own guardians never overtake the
    /// true ones.
    function _settlePolicy(RecoveryState memory state) private view {
        if (state.nextPolicy == 0) return;
        if (block.timestamp >= state.nextFrom) {
            state.policy = state.nextPolicy;
            state.isVetoSpent = false;
        }
        state.nextPolicy = 0;
        state.nextFrom = 0;
    }

    function _controllerOf(uint96 subject) private view returns (address controller) {
        bool opened;
        // Epoch and count have no part in a recovery.
        // slither-disable-next-line unused-return
        (controller,,, opened) = REGISTRY.subjectOf(subject);
        if (!opened) revert IConsentTypes.SubjectUnknown(subject);
    }

    function _requireSigned(address signer, bytes32 command, bytes calldata signature) private view {
        if (!Signatures.isBy(signer, _hashTypedDataV4(command), signature)) {
            revert IConsentTypes.SignatureInvalid(signer);
        }
    }

    /// @dev As sender or by signature.
    function _requireBy(address signer, bytes32 command, bytes calldata signature) private view {
        if (msg.sender != signer) _requireSigned(signer, command, signature);
    }

    function _requireDesk(RecoveryProposal calldata proposal, RecoveryProof calldata proof) private view {
        bytes32 member = PARTICIPANTS.memberWithRole(proof.desk, Roles.CUSTODIAN);
        if (member == 0 || member != REGISTRY.openingCustodianOf(proposal.subject)) {
            revert IConsentTypes.NotOpeningCustodian(proposal.subject, proof.desk);
        }
        _requireSigned(proof.desk, RecoveryTypedData.confirmRecovery(proposal), proof.deskSignature);
    }

    function _requirePolicy(bytes32 expected, RecoveryPolicy calldata policy, uint256 guardians) private pure {
        bytes32 given = RecoveryTypedData.recoveryPolicy(policy);
        if (given != expected) revert RecoveryPolicyDiffers(given, expected);
        // A threshold of zero would need nobody, and so is nobody's.
        if (policy.threshold == 0 || guardians < policy.threshold) revert GuardiansMissing(guardians, policy.threshold);
    }

    /// @dev In ascending order of accounts, so that one person with two guardianships counts once.
    function _requireGuardians(
        RecoveryProposal calldata proposal,
        RecoveryProof calldata proof,
        uint256 asOf,
        bool byPolicy
    ) private view {
        if (proof.guardians.length != proof.signatures.length) {
            revert IConsentTypes.BatchLengthsDiffer(proof.guardians.length, proof.signatures.length);
        }
        bytes32 command = RecoveryTypedData.proposeRecovery(proposal);
        bytes32 custodian = REGISTRY.openingCustodianOf(proposal.subject);
        address previous = address(0);
        for (uint256 i = 0; i < proof.guardians.length; ++i) {
            DelegationHeader calldata guardian = proof.guardians[i];
            if (guardian.delegate <= previous) revert GuardiansUnordered(i);
            previous = guardian.delegate;
            // slither-disable-next-line calls-loop
            if (PARTICIPANTS.memberOf(guardian.delegate) == custodian) revert GuardianIsDesk(guardian.delegate);
            bytes32 id = TypedData.linkId(guardian);
            if (!_isGuardian(proposal.subject, id, asOf, byPolicy) || (byPolicy && !_names(proof.policy, id))) {
                revert NotGuardian(id);
            }
            _requireSigned(guardian.delegate, command, proof.signatures[i]);
        }
    }

    function _isGuardian(uint96 subject, bytes32 id, uint256 asOf, bool byPolicy) private view returns (bool) {
        // Once a guardian, of the registry that made this contract.
        // slither-disable-next-line calls-loop
        ConsentState memory slot = REGISTRY.stateOf(id);
        if (slot.subject != subject || slot.kind != Kinds.GUARDIANSHIP || slot.notBefore == 0) return false;
        uint256 grace = GRACE * RECOVERY_DELAY;
        // The earlier of the two: to revoke what ended long ago must not make it count again.
        bool isRevokedFirst = slot.revokedAt != 0 && slot.revokedAt < slot.notAfter;
        uint256 end = isRevokedFirst ? slot.revokedAt : slot.notAfter;
        // Without controller the custodian names the guardians: one that it has just made up must wait.
        uint256 begin = byPolicy ? slot.notBefore : slot.notBefore + grace;
        return begin <= asOf && asOf < end + grace;
    }

    function _names(RecoveryPolicy calldata policy, bytes32 guardianship) private pure returns (bool) {
        for (uint256 i = 0; i < policy.guardianships.length; ++i) {
            if (policy.guardianships[i] == guardianship) return true;
        }
        return false;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader} from "./IConsentTypes.sol";

/// @notice Who may recover a subject. The chain keeps its struct hash only, until guardians use it.
/// @param guardianships ids of guardianships of the subject
/// @param threshold how many of these guardians must sign, not zero
/// @param salt keeps the hash from being guessed
struct RecoveryPolicy {
    bytes32[] guardianships;
    uint8 threshold;
    bytes32 salt;
}

/// @notice What guardians sign as ProposeRecovery, the new account as AcceptRecovery, the identity desk as
/// ConfirmRecovery.
/// @param subject pseudonym of the patient
/// @param controller the account that is to control it
/// @param round the subject's current round
/// @param submitBy last second in which it may be recorded
struct RecoveryProposal {
    uint96 subject;
    address controller;
    uint32 round;
    uint40 submitBy;
}

/// @notice What shows that a proposal may be made.
/// @param policy the policy in force, opened; not read for a subject without controller
/// @param guardians the guardianships of those who signed, by ascending delegate
/// @param signatures theirs, in the same order
/// @param acceptance the new controller's
/// @param desk account of the custodian that opened the subject, or zero where the guardians propose alone
/// @param deskSignature the desk's, or empty
struct RecoveryProof {
    RecoveryPolicy policy;
    DelegationHeader[] guardians;
    bytes[] signatures;
    bytes acceptance;
    address desk;
    bytes deskSignature;
}

/// @notice The stored state of a subject's recovery.
/// @dev Warning: a proposal that lapsed stays here until the next one; ask `isRecoveryPending`.
/// @param policy hashStruct(RecoveryPolicy) that is in force, unless `nextPolicy` is due; zero for none
/// @param nextPolicy the policy that replaces it, or zero
/// @param nextFrom first second in which the replacement is in force
/// @param policyRound how many policies were ever set
/// @param guardiansAsOf the moment as of which it is judged who is a guardian: the first of the proposals that follow
/// upon each other
/// @param controller the account proposed, zero when vetoed, completed or never
/// @param proposedAt block time of the last proposal
/// @param round raised by every proposal, veto and completion, so that no signature counts twice
/// @param isVetoSpent whether the controller has used its veto: further proposals need the desk and end in no veto
struct RecoveryState {
    bytes32 policy;
    bytes32 nextPolicy;
    uint40 nextFrom;
    uint32 policyRound;
    uint40 guardiansAsOf;
    address controller;
    uint40 proposedAt;
    uint32 round;
    bool isVetoSpent;
}

/// @title Recovery of subjects whose controller is lost, stolen or not there yet
/// @notice Guardians whom the controller named propose another controller, a delay runs, then anyone completes it.
/// What the patient consented to stays as it is. Signatures as in `IConsentRegistry`; EIP-712 domain: name
/// "Assent Recovery", version "1", chain id, this contract.
/// @dev The registry makes this contract and takes steps from no other. It is its own for its size: the registry with
/// it would exceed what a chain accepts.
interface IRecovery {
    /// @dev `state` is what is stored from now on, here and below.
    event RecoveryPolicySet(uint96 indexed subject, RecoveryState state);
    /// @dev `desk` is zero where the guardians proposed alone.
    event RecoveryProposed(
        uint96 indexed subject, address indexed controller, address indexed desk, RecoveryState state
    );
    event RecoveryVetoed(uint96 indexed subject, RecoveryState state);
    event RecoveryCompleted(uint96 indexed subject, address indexed controller, RecoveryState state);

    error RoundNotCurrent(uint32 signed, uint32 current);
    error RecoveryNotPending(uint96 subject);
    error RecoveryTooEarly(uint40 from);
    error RecoveryPolicyDiffers(bytes32 given, bytes32 inForce);
    error DeskNeeded(uint96 subject);
    error VetoSpent(uint96 subject);
    error GuardiansMissing(uint256 signed, uint256 needed);
    error GuardiansUnordered(uint256 position);
    error GuardianIsDesk(address desk);
    error NotGuardian(bytes32 guardianship);

    /// @notice Say who may recover the subject; the controller signed SetRecoveryPolicy or is the sender.
    /// @dev The first policy is in force at once. A later one waits four recovery delays, and a proposal made while it
    /// waits drops it, so that whoever took the controller's key cannot quickly name guardians of its own. Refused
    /// while a recovery is pending.
    /// Warning: the policy is not looked into before it is used; check what is signed.
    /// @param policy hashStruct(RecoveryPolicy)
    /// @param round how many policies were set before
    /// @param submitBy last second in which this may be recorded
    function setRecoveryPolicy(
        uint96 subject,
        bytes32 policy,
        uint32 round,
        uint40 submitBy,
        bytes calldata signature
    ) external;

    /// @notice Propose another controller. As many guardians as the policy asks for signed ProposeRecovery, and the
    /// new controller AcceptRecovery. It can be completed after the recovery delay, for seven days; then it lapses.
    /// Until then permits, delegations and guardianships are not recorded; what is recorded stays live.
    /// @dev A guardianship counts here until four recovery delays after it was revoked or ended, whichever was first;
    /// the custodian that opened the subject never counts as a guardian. With the identity
    /// desk (the custodian that opened the subject, in standing, signed ConfirmRecovery) a proposal replaces a pending
    /// one; without, it is refused while another is pending or once the veto is spent. A subject without controller
    /// needs the desk and one guardian, whose guardianship began four recovery delays ago; the custodian's word is
    /// what makes a guardian there, so this bounds its haste and not its honesty.
    function proposeRecovery(RecoveryProposal calldata proposal, RecoveryProof calldata proof) external;

    /// @notice Stop a pending recovery, once; the present controller signed VetoRecovery or is the sender.
    /// @dev The veto comes back with another controller, or when a later policy comes into force.
    function vetoRecovery(uint96 subject, uint32 round, bytes calldata signature) external;

    /// @notice The same for a subject without controller; a guardian with the power to revoke signed VetoRecovery.
    function vetoRecoveryByGuardian(
        uint96 subject,
        uint32 round,
        DelegationHeader calldata guardianship,
        bytes calldata signature
    ) external;

    /// @notice Give the subject to the proposed controller. Anyone, once the delay is over. Consents, delegations,
    /// epoch and count stay as they are; what the former controller signed and nobody recorded is worth nothing.
    function completeRecovery(uint96 subject) external;

    /// @notice What is stored of the subject's recovery.
    /// @dev Warning: this says nothing about whether one is pending; `isRecoveryPending` does.
    function recoveryOf(uint96 subject) external view returns (RecoveryState memory);

    /// @notice Whether a recovery was proposed and neither vetoed, completed nor lapsed by this block.
    function isRecoveryPending(uint96 subject) external view returns (bool);

    /// @notice Seconds between a proposal and its completion; a constant of the deployment.
    function RECOVERY_DELAY() external view returns (uint40);
}

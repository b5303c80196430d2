// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentState, DelegationHeader, GrantHeader, IConsentTypes} from "./IConsentTypes.sol";
import {IParticipantRegistry} from "./IParticipantRegistry.sol";
import {IRecovery} from "./IRecovery.sol";

/// @title The ledger of consents, denies, refusals, delegations and guardianships
/// @notice A consent's id is the EIP-712 struct hash of what was signed (Grant or Delegation), so a client knows it
/// before sending and a retry is harmless. Anyone may relay what a patient signed. EIP-712 domain: name
/// "Assent Consent", version "1", chain id, this contract.
/// @dev A signature is an ECDSA signature of the expected account (low s, 65 bytes) or, outside batches, one that
/// the account's contract confirms through ERC-1271 within a gas cap.
///
/// No function that revokes or ends asks for a role, a fee, a deadline, a nonce or a second party, and there is no
/// pause; a pending recovery holds up permits and delegations only. Revoking twice, or revoking all in a past epoch,
/// does nothing and does not revert.
///
/// A delegation chain is given leaf first: `chain[0]` is the delegation used, `chain[i].parent` the id of
/// `chain[i + 1]`, and the last has no parent.
interface IConsentRegistry is IConsentTypes {
    // --- subjects

    /// @notice Open a subject for a controller who signed OpenSubject. Only a custodian.
    /// @param subject pseudonym, not zero and never opened
    /// @param controller the patient's account, not zero
    /// @param submitBy last second in which this may be recorded
    /// @param signature the controller's, over OpenSubject
    function openSubject(uint96 subject, address controller, uint40 submitBy, bytes calldata signature) external;

    /// @notice Open a subject without a controller under its first guardian, who signed the Delegation. Only a
    /// custodian; the evidence that it checked lies in the guardianship's terms.
    /// @dev The guardianship is a root (no parent) of kind 4, epoch 0, and must have a sunset date.
    /// @return id the guardianship's id
    function openSubjectUnderGuardian(DelegationHeader calldata guardianship, bytes calldata signature)
        external
        returns (bytes32 id);

    /// @notice Add a guardian to a subject without a controller. Only the custodian that opened it, in standing and
    /// from the account it has today.
    function addGuardian(DelegationHeader calldata guardianship, bytes calldata signature)
        external
        returns (bytes32 id);

    // --- grants

    /// @notice Record a Grant that the subject's controller signed. Revokes `header.supersedes` with it.
    /// @return id hashStruct(Grant)
    function grant(GrantHeader calldata header, bytes calldata signature) external returns (bytes32 id);

    /// @notice Record a Grant; the controller itself is the sender.
    function grantDirect(GrantHeader calldata header) external returns (bytes32 id);

    /// @notice Record a Grant that a delegate signed as DelegatedGrant.
    /// @dev Needs the power to grant, and to revoke if it supersedes. The grant ends no later than the delegation.
    function grantByDelegate(GrantHeader calldata header, DelegationHeader[] calldata chain, bytes calldata signature)
        external
        returns (bytes32 id);

    /// @notice Record many Grants, each signed by its subject's controller with an ECDSA key.
    /// @dev An item that fails emits `GrantRejected` and harms no other.
    function grantBatch(GrantHeader[] calldata headers, bytes[] calldata signatures) external;

    // --- revocations

    /// @notice Revoke a recorded consent, delegation or guardianship; the controller signed Revoke.
    function revoke(bytes32 id, bytes calldata signature) external;

    /// @notice The same; the controller itself is the sender.
    function revokeDirect(bytes32 id) external;

    /// @notice Revoke a consent; a delegate signed DelegatedRevoke.
    /// @dev Needs the power to revoke; for a deny, whose revocation widens access, also the power to grant. A
    /// guardian may end any delegation of kind 3 in this way. Other delegations end by `endDelegation`.
    function revokeByDelegate(bytes32 id, DelegationHeader[] calldata chain, bytes calldata signature) external;

    /// @notice Revoke many; each Revoke signed by the controller with an ECDSA key.
    /// @dev An item that fails emits `RevocationRejected` and harms no other.
    function revokeBatch(bytes32[] calldata ids, bytes[] calldata signatures) external;

    /// @notice Revoke a Grant whether or not it is recorded yet. The whole header is given, so that the id is
    /// recomputed and bound to its subject; if unrecorded it can then never be recorded.
    function revokeAhead(GrantHeader calldata header, bytes calldata signature) external returns (bytes32 id);

    /// @notice As `revokeAhead`, signed by a delegate as in `revokeByDelegate`.
    function revokeAheadByDelegate(
        GrantHeader calldata header,
        DelegationHeader[] calldata chain,
        bytes calldata signature
    ) external returns (bytes32 id);

    /// @notice As `revokeAhead`, for a Delegation.
    function revokeDelegationAhead(DelegationHeader calldata header, bytes calldata signature)
        external
        returns (bytes32 id);

    /// @notice End every permit and delegation of the subject by raising its epoch; denies, refusals and
    /// guardianships stand. The controller signed RevokeAll. Does nothing unless `epoch` is current.
    function revokeAll(uint96 subject, uint32 epoch, bytes calldata signature) external;

    /// @notice The same; the controller itself is the sender.
    function revokeAllDirect(uint96 subject, uint32 epoch) external;

    /// @notice The same; a guardian with the power to revoke signed RevokeAll.
    function revokeAllByGuardian(
        uint96 subject,
        uint32 epoch,
        DelegationHeader[] calldata chain,
        bytes calldata signature
    ) external;

    // --- delegations and guardianships

    /// @notice Record a Delegation (kind 3 or 4, no parent) that the controller signed.
    /// @return id hashStruct(Delegation)
    function delegate(DelegationHeader calldata header, bytes calldata signature) external returns (bytes32 id);

    /// @notice The same; the controller itself is the sender.
    function delegateDirect(DelegationHeader calldata header) external returns (bytes32 id);

    /// @notice Record a Delegation of kind 3 below `chain[0]`, whose delegate signed DelegatedDelegation.
    /// @dev Needs the power to delegate; powers, depth and end never exceed the parent's.
    function subdelegate(DelegationHeader calldata child, DelegationHeader[] calldata chain, bytes calldata signature)
        external
        returns (bytes32 id);

    /// @notice End `chain[0]` by the delegate of `chain[position]`, who signed DelegatedRevoke with that
    /// delegation's id: position 0 resigns, a higher one ends what was delegated onwards.
    /// @dev `chain[0]` may be unrecorded if `chain[1]` is live and position is not 0; it then never can be recorded.
    /// Where it is recorded, what lies above `position` is not looked at.
    function endDelegation(DelegationHeader[] calldata chain, uint256 position, bytes calldata signature) external;

    /// @notice End a guardianship of a subject without a controller. Only the custodian that opened it, from the
    /// account it has today, whether or not it still is in standing.
    function endGuardianship(bytes32 id) external;

    /// @notice End a delegation or guardianship, and from now on every permit given under it; denies and refusals
    /// stand. The controller signed EndForCause or is the sender. For a guardianship of a subject without a controller
    /// the custodian that opened it is the sender, as in `endGuardianship`.
    /// @dev Also for a delegation that ended before. Permits given under what it passed on need their own call. Doing
    /// it twice does nothing.
    function endForCause(bytes32 id, bytes calldata signature) external;

    /// @notice The same for a delegation of kind 3, by a guardian with the power to revoke, who signed
    /// DelegatedEndForCause.
    function endForCauseByGuardian(bytes32 id, DelegationHeader[] calldata chain, bytes calldata signature) external;

    // --- recovery

    /// @notice Take a step of a recovery. Only `RECOVERY`, after its own checks.
    /// @param controller the subject's controller from now on
    /// @param proposed whether the step was a proposal, so that a recovery may be pending
    function stepRecovery(uint96 subject, address controller, bool proposed) external;

    // --- views

    /// @notice The subject's controller (zero under guardians), epoch, number of consents and delegations ever
    /// recorded, and whether it was opened.
    function subjectOf(uint96 subject)
        external
        view
        returns (address controller, uint32 epoch, uint32 count, bool opened);

    /// @notice The custodian (its member id) that opened the subject and is its identity desk; zero if unopened.
    function openingCustodianOf(uint96 subject) external view returns (bytes32);

    /// @notice The members and their roles that this registry goes by.
    function PARTICIPANTS() external view returns (IParticipantRegistry);

    /// @notice The contract that decides on other controllers; made with this one and as immutable.
    function RECOVERY() external view returns (IRecovery);

    /// @notice What is stored of an id; all zero if nothing.
    /// @dev Warning: this says nothing about whether it counts now; `isLive` does.
    function stateOf(bytes32 id) external view returns (ConsentState memory);

    /// @notice Whether the id is recorded with this kind and counts in this block: begun, not ended, not revoked,
    /// of the current epoch where its kind ends with the epoch, and if it is a delegate's permit, its delegation not
    /// ended for cause.
    /// @dev Reverts with `ChainNeeded` for kind 3, which lives only with its parents: ask `isDelegationLive`.
    /// Warning: it says nothing about what was consented to.
    function isLive(bytes32 id, uint8 kind) external view returns (bool);

    /// @notice `isLive` of each.
    function areLive(bytes32[] calldata ids, uint8 kind) external view returns (bool[] memory);

    /// @notice Whether every delegation of the chain is recorded and counts in this block, and the first has all
    /// these powers.
    function isDelegationLive(DelegationHeader[] calldata chain, uint16 powers) external view returns (bool);

    /// @notice The slots a service decides from, in one call.
    /// @dev Subject slot, low to high: controller 160, epoch 32, count 32, flags 32 (bit 0 opened, bit 1 a recovery was
    /// proposed and neither vetoed nor completed). Consent slot: subject 96, kind 8, epoch 32, revokedAt 40, notAfter
    /// 40, notBefore 40 (zero: revoked ahead, not counted). A revokedAt of 2^39 or more means not revoked, given by a
    /// delegate; its low 39 bits are those of the delegation's id. A permit whose delegation was ended for cause comes
    /// with the time of that as its revokedAt; otherwise the slots are those stored.
    /// Warning: slots of other subjects come back as they are; compare the subject in each.
    function evidence(uint96 subject, bytes32[] calldata ids)
        external
        view
        returns (uint256 subjectSlot, uint256[] memory slots);

    /// @notice hashStruct(Grant).
    function grantId(GrantHeader calldata header) external pure returns (bytes32);

    /// @notice hashStruct(Delegation).
    function delegationId(DelegationHeader calldata header) external pure returns (bytes32);
}

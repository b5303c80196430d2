// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A signed Grant with its terms replaced by their EIP-712 struct hash. Times are unix seconds, windows
/// half open, `type(uint40).max` is unbounded and zero is never "for ever".
/// @param subject pseudonym of the patient at one custodian, not zero
/// @param termsHash hashStruct(ConsentTerms)
/// @param notBefore first second in which it may count
/// @param notAfter first second in which it no longer counts
/// @param kind 1 permit, 2 deny, 5 refusal
/// @param epoch the subject's epoch when it was signed
/// @param request hash of the request it answers, or zero
/// @param supersedes id of the consent it replaces, or zero
/// @param submitBy last second in which it may be recorded
struct GrantHeader {
    uint96 subject;
    bytes32 termsHash;
    uint40 notBefore;
    uint40 notAfter;
    uint8 kind;
    uint32 epoch;
    bytes32 request;
    bytes32 supersedes;
    uint40 submitBy;
}

/// @notice A signed Delegation with its terms replaced by their EIP-712 struct hash.
/// @param subject pseudonym of the patient
/// @param delegate the account that may act
/// @param powers bit mask: 1 grant, 2 revoke, 4 read, 8 delegate
/// @param notBefore first second in which it may count
/// @param notAfter first second in which it no longer counts
/// @param kind 3 delegation, 4 guardianship
/// @param depth how many further delegations may hang below this one
/// @param epoch the subject's epoch when it was signed
/// @param parent id of the delegation it derives from, or zero
/// @param termsHash hashStruct(DelegationTerms)
/// @param submitBy last second in which it may be recorded
struct DelegationHeader {
    uint96 subject;
    address delegate;
    uint16 powers;
    uint40 notBefore;
    uint40 notAfter;
    uint8 kind;
    uint8 depth;
    uint32 epoch;
    bytes32 parent;
    bytes32 termsHash;
    uint40 submitBy;
}

/// @notice The stored slot of a consent or delegation, opened.
/// @param subject pseudonym of the patient; zero when nothing is stored
/// @param kind 1 permit, 2 deny, 3 delegation, 4 guardianship, 5 refusal
/// @param epoch the epoch it was signed for
/// @param notBefore the later of the signed date and the block that recorded it; zero when it was revoked before it
/// was recorded, and so never counted
/// @param notAfter first second in which it no longer counts
/// @param revokedAt block time of its revocation, or zero; for a permit whose delegation was ended for cause, of that
/// @param delegationTag for what a delegate gave and nobody revoked: 2^39 plus the low 39 bits of the id of the
/// delegation used; else zero
struct ConsentState {
    uint96 subject;
    uint8 kind;
    uint32 epoch;
    uint40 notBefore;
    uint40 notAfter;
    uint40 revokedAt;
    uint40 delegationTag;
}

/// @title Events and errors of the consent registry
/// @notice Every write emits an event; the events rebuild the storage exactly. `slot` is the stored word, laid out as
/// `IConsentRegistry.evidence` says.
interface IConsentTypes {
    /// @dev `controller` is zero for a subject under guardians. `custodian` is the account that opened it, `member`
    /// the custodian it belongs to.
    event SubjectOpened(
        uint96 indexed subject, address indexed controller, address indexed custodian, bytes32 member
    );
    /// @dev Raises the subject's count by one. `delegation` is the one a delegate used, zero if the controller signed.
    event ConsentGranted(bytes32 indexed id, uint96 indexed subject, uint256 slot, bytes32 delegation);
    /// @dev Raises the subject's count by one.
    event DelegationRecorded(
        bytes32 indexed id, uint96 indexed subject, address indexed delegate, uint256 slot
    );
    /// @dev For consents, delegations and guardianships alike.
    event ConsentRevoked(bytes32 indexed id, uint96 indexed subject, uint40 revokedAt);
    /// @dev The id was not recorded and now never will be; the subject's count stays.
    event ConsentRevokedAhead(bytes32 indexed id, uint96 indexed subject, uint256 slot);
    /// @dev `epoch` is the new one.
    event AllRevoked(uint96 indexed subject, uint32 epoch);
    /// @dev From `endedAt` on no permit given under this delegation counts. `ConsentRevoked` follows unless the
    /// delegation was revoked before.
    event DelegationEndedForCause(bytes32 indexed id, uint96 indexed subject, uint40 endedAt);
    /// @dev A step of a recovery, whose own contract tells more: from now on this is the subject's controller, and
    /// flag 1 of its slot is set if `proposed`, else cleared.
    event RecoveryStepped(uint96 indexed subject, address indexed controller, bool proposed);
    /// @dev A batch item that was left out; `reason` is the encoded error the single call would have reverted with.
    event GrantRejected(bytes32 indexed id, uint96 indexed subject, bytes reason);
    /// @dev As `GrantRejected`, for a batch of revocations.
    event RevocationRejected(bytes32 indexed id, bytes reason);

    error SubjectZero();
    error SubjectUnknown(uint96 subject);
    error SubjectAlreadyOpen(uint96 subject);
    error SubjectHasController(uint96 subject);
    error ControllerZero();
    error NotCustodian(address caller);
    error NotController(uint96 subject, address caller);
    error NotOpeningCustodian(uint96 subject, address caller);
    error SignatureInvalid(address signer);
    error KindNotAllowed(uint8 kind);
    error EpochNotCurrent(uint32 signed, uint32 current);
    error SubmittedTooLate(uint40 submitBy);
    error WindowEmpty(uint40 notBefore, uint40 notAfter);
    error SunsetMissing(bytes32 id);
    error AlreadyRecorded(bytes32 id);
    error AlreadyRevoked(bytes32 id);
    error ConsentUnknown(bytes32 id);
    error SupersededUnknown(bytes32 id);
    error SupersededElsewhere(bytes32 id);
    error BatchLengthsDiffer(uint256 items, uint256 signatures);
    error DelegateZero();
    error PowersInvalid(uint16 powers);
    error PowerMissing(uint16 needed, uint16 held);
    error DepthInvalid(uint8 depth, uint8 limit);
    error ParentInvalid(bytes32 parent);
    error OutlivesDelegation(uint40 notAfter, uint40 limit);
    error ChainLengthInvalid(uint256 length);
    error ChainBroken(uint256 position);
    error DelegationNotLive(bytes32 id);
    error ChainNeeded(uint8 kind);
    error RecoveryPending(uint96 subject);
    error NotRecovery(address caller);
}

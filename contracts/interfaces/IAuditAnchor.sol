// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A checkpoint with its custodian's SignCheckpoint.
struct SignedCheckpoint {
    uint64 size;
    bytes32 root;
    bytes signature;
}

/// @title Checkpoints of the custodians' audit logs
/// @notice Each log is an RFC 6962 Merkle tree (SHA-256). A checkpoint is accepted only with a proof that the tree
/// anchored before is its prefix, so a fork cannot be recorded.
///
/// Witnesses cosign what is anchored, and only that. A custodian that signed two histories is shown by anyone who has
/// both. EIP-712 domain: name "Assent Audit", version "1". Types:
/// SignCheckpoint(bytes32 log,uint64 size,bytes32 root) by a custodian,
/// CosignCheckpoint(bytes32 log,uint64 size,bytes32 root) by a witness.
/// @dev A log belongs to the custodian member, not to its account: its id is derived from both names, and needs no
/// registration that another could do first.
interface IAuditAnchor {
    event CheckpointAnchored(
        bytes32 indexed logId, bytes32 indexed custodian, bytes32 indexed origin, uint64 size, bytes32 root
    );

    /// @dev `witness` is a member.
    event CheckpointCosigned(
        bytes32 indexed logId, bytes32 indexed witness, uint64 size, bytes32 root, uint40 cosignedAt
    );
    /// @dev Two checkpoints of one log that no single log can have. `reportedAt` is this block's time; the first one
    /// of a log is stored.
    event ForkReported(
        bytes32 indexed logId,
        bytes32 indexed custodian,
        bytes32 indexed origin,
        uint64 size,
        bytes32 root,
        uint64 otherSize,
        bytes32 otherRoot,
        uint40 reportedAt
    );

    error NotCustodian(address caller);
    error CheckpointEmpty();
    error CheckpointBehind(uint64 size, uint64 anchored);
    error CheckpointForks(uint64 size, bytes32 root, bytes32 anchored);
    error ConsistencyProofInvalid(uint64 size, bytes32 root);
    error CheckpointAhead(uint64 size, uint64 anchored);
    error NotWitness(address account);
    error WitnessOfOwnLog(bytes32 member);
    error NotCustodianOfLog(address account, bytes32 custodian);
    error ForkNotShown();
    error SignatureInvalid(address signer);

    /// @notice Anchor a checkpoint of the sender's log. Only a custodian. The anchored one again does nothing.
    /// @param origin hash of the checkpoint's origin line
    /// @param size number of leaves, above the anchored one
    /// @param root RFC 6962 root of that size
    /// @param consistencyProof RFC 6962 section 2.1.2 from the anchored size; empty for the first checkpoint
    /// @return logId see `logIdOf`
    function anchor(bytes32 origin, uint64 size, bytes32 root, bytes32[] calldata consistencyProof)
        external
        returns (bytes32 logId);

    /// @notice Record a witness's cosignature of a checkpoint that lies on the anchored history. Anyone relays. One of
    /// a size the witness cosigned or passed does nothing: the larger one covers it.
    /// @param custodian member the log belongs to
    /// @param origin hash of the checkpoint's origin line
    /// @param size number of leaves, not above the anchored one
    /// @param root RFC 6962 root of that size
    /// @param consistencyProof from this size to the anchored one; empty if they are the same
    /// @param witness account of a member with the auditor's role, not the custodian itself
    /// @param signature its CosignCheckpoint; empty if it is the sender
    function cosign(
        bytes32 custodian,
        bytes32 origin,
        uint64 size,
        bytes32 root,
        bytes32[] calldata consistencyProof,
        address witness,
        bytes calldata signature
    ) external;

    /// @notice Show that a custodian signed two checkpoints that contradict each other: of one size with two roots, or
    /// of two sizes where the smaller is no prefix of the larger. Anyone may; the custodian's standing is no matter.
    /// @dev Warning: the signer must be the member's account of today; what an account signed that the member has
    /// given up cannot be shown here.
    /// @param signer the custodian member's account
    /// @param prefixRoot for two sizes: the root the larger tree has at the smaller size, which is another; else zero
    /// @param consistencyProof of the larger tree from `prefixRoot`; else empty
    function reportFork(
        bytes32 custodian,
        bytes32 origin,
        address signer,
        SignedCheckpoint calldata one,
        SignedCheckpoint calldata other,
        bytes32 prefixRoot,
        bytes32[] calldata consistencyProof
    ) external;

    /// @notice Show that a custodian signed a checkpoint that contradicts the one it anchored last. As `reportFork`.
    function reportForkOfAnchored(
        bytes32 custodian,
        bytes32 origin,
        address signer,
        SignedCheckpoint calldata signed,
        bytes32 prefixRoot,
        bytes32[] calldata consistencyProof
    ) external;

    /// @notice The id of a custodian member's log.
    function logIdOf(bytes32 custodian, bytes32 origin) external pure returns (bytes32 logId);

    /// @notice The last anchored checkpoint; all zero if none.
    function headOf(bytes32 logId)
        external
        view
        returns (uint64 size, bytes32 root, uint64 blockNumber, uint40 anchoredAt);

    /// @notice The largest size of the log that the member cosigned, and the block time; zero if none.
    /// @dev Warning: this says nothing about the witness's standing today.
    function cosignedOf(bytes32 logId, bytes32 witness) external view returns (uint64 size, uint40 cosignedAt);

    /// @notice Block time at which a fork of the log was first shown; zero if never.
    function forkReportedAt(bytes32 logId) external view returns (uint40);

    /// @notice Whether the leaf lies at this index of the last anchored tree.
    /// @param leafHash SHA-256 of 0x00 and the leaf
    /// @param inclusionProof RFC 6962 section 2.1.1, from the leaf up
    function isIncluded(bytes32 logId, bytes32 leafHash, uint64 index, bytes32[] calldata inclusionProof)
        external
        view
        returns (bool);
}

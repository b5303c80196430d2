// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Checkpoints of the custodians' audit logs
/// @notice Each log is an RFC 6962 Merkle tree (SHA-256). A checkpoint is accepted only with a proof that the tree
/// anchored before is its prefix, so a fork cannot be recorded.
/// @dev A log belongs to the custodian member, not to its account: its id is derived from both names, and needs no
/// registration that another could do first.
interface IAuditAnchor {
    event CheckpointAnchored(
        bytes32 indexed logId, bytes32 indexed custodian, bytes32 indexed origin, uint64 size, bytes32 root
    );

    error NotCustodian(address caller);
    error CheckpointEmpty();
    error CheckpointBehind(uint64 size, uint64 anchored);
    error CheckpointForks(uint64 size, bytes32 root, bytes32 anchored);
    error ConsistencyProofInvalid(uint64 size, bytes32 root);

    /// @notice Anchor a checkpoint of the sender's log. Only a custodian. The anchored one again does nothing.
    /// @param origin hash of the checkpoint's origin line
    /// @param size number of leaves, above the anchored one
    /// @param root RFC 6962 root of that size
    /// @param consistencyProof RFC 6962 section 2.1.2 from the anchored size; empty for the first checkpoint
    /// @return logId see `logIdOf`
    function anchor(bytes32 origin, uint64 size, bytes32 root, bytes32[] calldata consistencyProof)
        external
        returns (bytes32 logId);

    /// @notice The id of a custodian member's log.
    function logIdOf(bytes32 custodian, bytes32 origin) external pure returns (bytes32 logId);

    /// @notice The last anchored checkpoint; all zero if none.
    function headOf(bytes32 logId)
        external
        view
        returns (uint64 size, bytes32 root, uint64 blockNumber, uint40 anchoredAt);

    /// @notice Whether the leaf lies at this index of the last anchored tree.
    /// @param leafHash SHA-256 of 0x00 and the leaf
    /// @param inclusionProof RFC 6962 section 2.1.1, from the leaf up
    function isIncluded(bytes32 logId, bytes32 leafHash, uint64 index, bytes32[] calldata inclusionProof)
        external
        view
        returns (bool);
}

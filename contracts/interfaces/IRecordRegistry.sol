// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Commitments to versions of records
/// @notice A commitment is the salted hash of a record version's manifest. Each belongs to the custodian account that
/// sent it: two custodians may commit to the same value without touching each other, so none can be front-run.
interface IRecordRegistry {
    event RecordCommitted(bytes32 indexed commitment, address indexed custodian, uint40 committedAt);
    event RecordWithdrawn(bytes32 indexed commitment, address indexed custodian, uint40 withdrawnAt);

    error NotCustodian(address caller);
    error CommitmentZero();
    error AlreadyCommitted(bytes32 commitment);
    error CommitmentUnknown(bytes32 commitment);

    /// @notice Commit to one record version. Only a custodian.
    function commit(bytes32 commitment) external;

    /// @notice Commit to many. Only a custodian. Those the sender committed to before are passed over.
    function commitBatch(bytes32[] calldata commitments) external;

    /// @notice Mark the sender's own commitment as withdrawn (on erasure). Needs no role; twice does nothing.
    function withdraw(bytes32 commitment) external;

    /// @notice Block times at which the custodian committed and withdrew; zero where it did not.
    /// @dev Warning: a withdrawn commitment keeps its `committedAt`.
    function commitmentOf(address custodian, bytes32 commitment)
        external
        view
        returns (uint40 committedAt, uint40 withdrawnAt);
}

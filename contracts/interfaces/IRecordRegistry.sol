// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Commitments to versions of records
/// @notice A commitment is the salted hash of a record version's manifest. Each belongs to the custodian account that
/// sent it: two custodians may commit to the same value without touching each other, so none can be front-run.
/// Custody passes to another custodian with both signatures. EIP-712 domain: name "Assent Records", version "1". Type:
/// TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy).
interface IRecordRegistry {
    event RecordCommitted(bytes32 indexed commitment, address indexed custodian, uint40 committedAt);
    event RecordWithdrawn(bytes32 indexed commitment, address indexed custodian, uint40 withdrawnAt);

    /// @dev Deletes what `from` had; `to` then has `committedAt`.
    event RecordTransferred(
        bytes32 indexed commitment, address indexed from, address indexed to, uint40 committedAt
    );
    /// @dev One for each transfer; its id cannot be used again.
    event CustodyTransferred(bytes32 indexed transfer, address indexed from, address indexed to);

    error NotCustodian(address caller);
    error CommitmentZero();
    error AlreadyCommitted(bytes32 commitment);
    error CommitmentUnknown(bytes32 commitment);
    error CommitmentWithdrawn(bytes32 commitment);
    error CustodianSame(address custodian);
    error AlreadyTransferred(bytes32 transfer);
    error SubmittedTooLate(uint40 submitBy);
    error SignatureInvalid(address signer);

    /// @notice Commit to one record version. Only a custodian.
    function commit(bytes32 commitment) external;

    /// @notice Commit to many. Only a custodian. Those the sender committed to before are passed over.
    function commitBatch(bytes32[] calldata commitments) external;

    /// @notice Mark the sender's own commitment as withdrawn (on erasure). Needs no role; twice does nothing.
    function withdraw(bytes32 commitment) external;

    /// @notice Pass the custody of commitments on. Both signed TransferCustody; either may send it itself, with an
    /// empty signature. All pass or none: nobody is left with another set than was signed.
    /// @dev Only who takes over must be a custodian in standing, so that one that closes can still hand over. The first
    /// date at which either committed stays. Nothing that either has withdrawn passes. A signed transfer counts once.
    /// @param from account that has them
    /// @param to account that takes them over
    /// @param commitments each of `from`, none twice
    /// @param submitBy last second in which this may be recorded
    /// @return transfer hashStruct(TransferCustody)
    function transferCustody(
        address from,
        address to,
        bytes32[] calldata commitments,
        uint40 submitBy,
        bytes calldata fromSignature,
        bytes calldata toSignature
    ) external returns (bytes32 transfer);

    /// @notice Whether this transfer was made.
    function isTransferred(bytes32 transfer) external view returns (bool);

    /// @notice Block times at which the custodian committed and withdrew; zero where it did not.
    /// @dev Warning: a withdrawn commitment keeps its `committedAt`; one that was passed on has none.
    function commitmentOf(address custodian, bytes32 commitment)
        external
        view
        returns (uint40 committedAt, uint40 withdrawnAt);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {IRecordRegistry} from "./interfaces/IRecordRegistry.sol";
import {Roles} from "./libraries/Roles.sol";

contract RecordRegistry is IRecordRegistry {
    /// @dev One word.
    struct Commitment {
        uint40 committedAt;
        uint40 withdrawnAt;
    }

    IParticipantRegistry public immutable PARTICIPANTS;

    mapping(address custodian => mapping(bytes32 commitment => Commitment)) private _commitments;

    constructor(IParticipantRegistry participants) {
        PARTICIPANTS = participants;
    }

    /// @inheritdoc IRecordRegistry
    function commit(bytes32 commitment) external {
        _requireCustodian();
        if (!_commit(commitment)) revert AlreadyCommitted(commitment);
    }

    /// @inheritdoc IRecordRegistry
    function commitBatch(bytes32[] calldata commitments) external {
        _requireCustodian();
        for (uint256 i = 0; i < commitments.length; ++i) {
            _commit(commitments[i]);
        }
    }

    /// @inheritdoc IRecordRegistry
    function withdraw(bytes32 commitment) external {
        Commitment storage found = _commitments[msg.sender][commitment];
        if (found.committedAt == 0) revert CommitmentUnknown(commitment);
        if (found.withdrawnAt != 0) return;
        found.withdrawnAt = uint40(block.timestamp);
        emit RecordWithdrawn(commitment, msg.sender, uint40(block.timestamp));
    }

    /// @inheritdoc IRecordRegistry
    function commitmentOf(address custodian, bytes32 commitment)
        external
        view
        returns (uint40 committedAt, uint40 withdrawnAt)
    {
        Commitment storage found = _commitments[custodian][commitment];
        return (found.committedAt, found.withdrawnAt);
    }

    function _requireCustodian() private view {
        if (!PARTICIPANTS.hasRole(msg.sender, Roles.CUSTODIAN)) revert NotCustodian(msg.sender);
    }

    /// @return whether it is new
    function _commit(bytes32 commitment) private returns (bool) {
        if (commitment == 0) revert CommitmentZero();
        Commitment storage found = _commitments[msg.sender][commitment];
        if (found.committedAt != 0) return false;
        found.committedAt = uint40(block.timestamp);
        emit RecordCommitted(commitment, msg.sender, uint40(block.timestamp));
        return true;
    }
}

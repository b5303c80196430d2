// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuditAnchor} from "./interfaces/IAuditAnchor.sol";
import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {MerkleLog} from "./libraries/MerkleLog.sol";
import {Roles} from "./libraries/Roles.sol";

contract AuditAnchor is IAuditAnchor {
    /// @dev Two words.
    struct Head {
        bytes32 root;
        uint64 size;
        uint64 blockNumber;
        uint40 anchoredAt;
    }

    IParticipantRegistry public immutable PARTICIPANTS;

    mapping(bytes32 logId => Head) private _heads;

    constructor(IParticipantRegistry participants) {
        PARTICIPANTS = participants;
    }

    /// @inheritdoc IAuditAnchor
    function anchor(bytes32 origin, uint64 size, bytes32 root, bytes32[] calldata consistencyProof)
        external
        returns (bytes32 logId)
    {
        bytes32 custodian = PARTICIPANTS.memberWithRole(msg.sender, Roles.CUSTODIAN);
        if (custodian == 0) revert NotCustodian(msg.sender);
        if (size == 0) revert CheckpointEmpty();
        logId = logIdOf(custodian, origin);
        Head memory head = _heads[logId];
        if (size < head.size) revert CheckpointBehind(size, head.size);
        if (size == head.size && root != head.root) revert CheckpointForks(size, root, head.root);
        if (size == head.size) return logId;
        if (head.size != 0 && !MerkleLog.isConsistent(head.size, head.root, size, root, consistencyProof)) {
            revert ConsistencyProofInvalid(size, root);
        }
        _heads[logId] = Head(root, size, uint64(block.number), uint40(block.timestamp));
        emit CheckpointAnchored(logId, custodian, origin, size, root);
    }

    /// @inheritdoc IAuditAnchor
    function logIdOf(bytes32 custodian, bytes32 origin) public pure returns (bytes32 logId) {
        return keccak256(abi.encode(custodian, origin));
    }

    /// @inheritdoc IAuditAnchor
    function headOf(bytes32 logId)
        external
        view
        returns (uint64 size, bytes32 root, uint64 blockNumber, uint40 anchoredAt)
    {
        Head memory head = _heads[logId];
        return (head.size, head.root, head.blockNumber, head.anchoredAt);
    }

    /// @inheritdoc IAuditAnchor
    function isIncluded(bytes32 logId, bytes32 leafHash, uint64 index, bytes32[] calldata inclusionProof)
        external
        view
        returns (bool)
    {
        Head memory head = _heads[logId];
        return MerkleLog.isIncluded(leafHash, index, head.size, head.root, inclusionProof);
    }
}

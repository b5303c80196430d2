// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAuditAnchor, SignedCheckpoint} from "./interfaces/IAuditAnchor.sol";
import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {MerkleLog} from "./libraries/MerkleLog.sol";
import {Roles} from "./libraries/Roles.sol";
import {Signatures} from "./libraries/Signatures.sol";

contract AuditAnchor is IAuditAnchor, EIP712 {
    bytes32 private constant SIGN_TYPEHASH = keccak256("SignCheckpoint(bytes32 log,uint64 size,bytes32 root)");
    bytes32 private constant COSIGN_TYPEHASH = keccak256("CosignCheckpoint(bytes32 log,uint64 size,bytes32 root)");

    /// @dev Two words.
    struct Head {
        bytes32 root;
        uint64 size;
        uint64 blockNumber;
        uint40 anchoredAt;
    }

    /// @dev One word: the largest size covers every smaller one, because all lie on one history.
    struct Cosignature {
        uint64 size;
        uint40 cosignedAt;
    }

    IParticipantRegistry public immutable PARTICIPANTS;

    mapping(bytes32 logId => Head) private _heads;
    mapping(bytes32 logId => mapping(bytes32 witness => Cosignature)) private _cosignatures;
    mapping(bytes32 logId => uint40) private _forkReportedAt;

    constructor(IParticipantRegistry participants) EIP712("Assent Audit", "1") {
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
    function cosign(
        bytes32 custodian,
        bytes32 origin,
        uint64 size,
        bytes32 root,
        bytes32[] calldata consistencyProof,
        address witness,
        bytes calldata signature
    ) external {
        bytes32 logId = logIdOf(custodian, origin);
        bytes32 member = PARTICIPANTS.memberWithRole(witness, Roles.AUDITOR);
        if (member == 0) revert NotWitness(witness);
        if (member == custodian) revert WitnessOfOwnLog(member);
        _requireAnchored(logId, size, root, consistencyProof);
        bytes32 command = keccak256(abi.encode(COSIGN_TYPEHASH, logId, size, root));
        if (msg.sender != witness) _requireSigned(witness, command, signature);
        if (size <= _cosignatures[logId][member].size) return;
        _cosignatures[logId][member] = Cosignature(size, uint40(block.timestamp));
        emit CheckpointCosigned(logId, member, size, root, uint40(block.timestamp));
    }

    /// @inheritdoc IAuditAnchor
    function reportFork(
        bytes32 custodian,
        bytes32 origin,
        address signer,
        SignedCheckpoint calldata one,
        SignedCheckpoint calldata other,
        bytes32 prefixRoot,
        bytes32[] calldata consistencyProof
    ) external {
        bytes32 logId = _requireCheckpoint(custodian, origin, signer, one);
        _requireCheckpoint(custodian, origin, signer, other);
        _requireContradiction(one.size, one.root, other.size, other.root, prefixRoot, consistencyProof);
        _report(logId);
        emit ForkReported(
            logId, custodian, origin, one.size, one.root, other.size, other.root, uint40(block.timestamp)
        );
    }

    /// @inheritdoc IAuditAnchor
    function reportForkOfAnchored(
        bytes32 custodian,
        bytes32 origin,
        address signer,
        SignedCheckpoint calldata signed,
        bytes32 prefixRoot,
        bytes32[] calldata consistencyProof
    ) external {
        bytes32 logId = _requireCheckpoint(custodian, origin, signer, signed);
        Head memory head = _heads[logId];
        _requireContradiction(signed.size, signed.root, head.size, head.root, prefixRoot, consistencyProof);
        _report(logId);
        emit ForkReported(
            logId, custodian, origin, signed.size, signed.root, head.size, head.root, uint40(block.timestamp)
        );
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
    function cosignedOf(bytes32 logId, bytes32 witness) external view returns (uint64 size, uint40 cosignedAt) {
        Cosignature memory found = _cosignatures[logId][witness];
        return (found.size, found.cosignedAt);
    }

    /// @inheritdoc IAuditAnchor
    function forkReportedAt(bytes32 logId) external view returns (uint40) {
        return _forkReportedAt[logId];
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

    function _report(bytes32 logId) private {
        if (_forkReportedAt[logId] != 0) return;
        _forkReportedAt[logId] = uint40(block.timestamp);
    }

    function _requireAnchored(bytes32 logId, uint64 size, bytes32 root, bytes32[] calldata proof) private view {
        Head memory head = _heads[logId];
        if (size == 0) revert CheckpointEmpty();
        if (size > head.size) revert CheckpointAhead(size, head.size);
        // Sizes, not dates; Slither takes every field of a struct with a date for one.
        // slither-disable-next-line incorrect-equality
        if (size == head.size && root != head.root) revert CheckpointForks(size, root, head.root);
        if (size < head.size && !MerkleLog.isConsistent(size, root, head.size, head.root, proof)) {
            revert ConsistencyProofInvalid(size, root);
        }
    }

    function _requireCheckpoint(bytes32 custodian, bytes32 origin, address signer, SignedCheckpoint calldata signed)
        private
        view
        returns (bytes32 logId)
    {
        logId = logIdOf(custodian, origin);
        if (custodian == 0 || PARTICIPANTS.memberOf(signer) != custodian) revert NotCustodianOfLog(signer, custodian);
        bytes32 command = keccak256(abi.encode(SIGN_TYPEHASH, logId, signed.size, signed.root));
        _requireSigned(signer, command, signed.signature);
    }

    function _requireSigned(address signer, bytes32 command, bytes calldata signature) private view {
        if (!Signatures.isBy(signer, _hashTypedDataV4(command), signature)) revert SignatureInvalid(signer);
    }

    /// @dev A consistency proof gives the root of the smaller size within the larger tree, and that root is unique:
    /// no proof can frame a custodian that signed one history.
    function _requireContradiction(
        uint64 size,
        bytes32 root,
        uint64 otherSize,
        bytes32 otherRoot,
        bytes32 prefixRoot,
        bytes32[] calldata proof
    ) private pure {
        if (size > otherSize) (size, root, otherSize, otherRoot) = (otherSize, otherRoot, size, root);
        bool shown = size == otherSize
            ? size != 0 && root != otherRoot
            : prefixRoot != root && MerkleLog.isConsistent(size, prefixRoot, otherSize, otherRoot, proof);
        if (!shown) revert ForkNotShown();
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {IRecordRegistry} from "./interfaces/IRecordRegistry.sol";
import {Roles} from "./libraries/Roles.sol";
import {Signatures} from "./libraries/Signatures.sol";

contract RecordRegistry is IRecordRegistry, EIP712 {
    bytes32 private constant TRANSFER_TYPEHASH =
        keccak256("TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy)");

    /// @dev One word.
    struct Commitment {
        uint40 committedAt;
        uint40 withdrawnAt;
    }

    IParticipantRegistry public immutable PARTICIPANTS;

    mapping(address custodian => mapping(bytes32 commitment => Commitment)) private _commitments;
    mapping(bytes32 transfer => bool) private _transferred;

    constructor(IParticipantRegistry participants) EIP712("Assent Records", "1") {
        PARTICIPANTS = participants;
    }

    /// @inheritdoc IRecordRegistry
    function commit(bytes32 commitment) external {
        _requireCustodian(msg.sender);
        if (!_commit(commitment)) revert AlreadyCommitted(commitment);
    }

    /// @inheritdoc IRecordRegistry
    function commitBatch(bytes32[] calldata commitments) external {
        _requireCustodian(msg.sender);
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
    function transferCustody(
        address from,
        address to,
        bytes32[] calldata commitments,
        uint40 submitBy,
        bytes calldata fromSignature,
        bytes calldata toSignature
    ) external returns (bytes32 transfer) {
        bytes32 list = keccak256(abi.encodePacked(commitments));
        transfer = keccak256(abi.encode(TRANSFER_TYPEHASH, from, to, list, submitBy));
        if (from == to) revert CustodianSame(from);
        if (block.timestamp > submitBy) revert SubmittedTooLate(submitBy);
        if (_transferred[transfer]) revert AlreadyTransferred(transfer);
        _requireCustodian(to);
        _requireBy(from, transfer, fromSignature);
        _requireBy(to, transfer, toSignature);
        _transferred[transfer] = true;
        for (uint256 i = 0; i < commitments.length; ++i) {
            _transfer(commitments[i], from, to);
        }
        emit CustodyTransferred(transfer, from, to);
    }

    /// @inheritdoc IRecordRegistry
    function isTransferred(bytes32 transfer) external view returns (bool) {
        return _transferred[transfer];
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

    function _requireCustodian(address account) private view {
        if (!PARTICIPANTS.hasRole(account, Roles.CUSTODIAN)) revert NotCustodian(account);
    }

    function _requireBy(address signer, bytes32 command, bytes calldata signature) private view {
        if (msg.sender == signer) return;
        if (!Signatures.isBy(signer, _hashTypedDataV4(command), signature)) revert SignatureInvalid(signer);
    }

    function _transfer(bytes32 commitment, address from, address to) private {
        Commitment memory given = _commitments[from][commitment];
        Commitment memory held = _commitments[to][commitment];
        // Zero is no date but the absence of one.
        // slither-disable-next-line incorrect-equality
        if (given.committedAt == 0) revert CommitmentUnknown(commitment);
        if (given.withdrawnAt != 0 || held.withdrawnAt != 0) revert CommitmentWithdrawn(commitment);
        // The receiver may have committed to the same value itself, and earlier.
        bool heldFirst = held.committedAt != 0 && held.committedAt < given.committedAt;
        uint40 first = heldFirst ? held.committedAt : given.committedAt;
        delete _commitments[from][commitment];
        _commitments[to][commitment].committedAt = first;
        emit RecordTransferred(commitment, from, to, first);
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

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {BoundKey, IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IRecovery} from "./interfaces/IRecovery.sol";
import {Signatures} from "./libraries/Signatures.sol";

contract KeyRegistry is IKeyRegistry, EIP712 {
    bytes32 private constant BIND_KEY_TYPEHASH =
        keccak256("BindKey(uint96 subject,bytes32 keyHash,uint32 sequence,uint40 submitBy)");
    bytes32 internal constant WITHDRAW_KEY_TYPEHASH = keccak256("WithdrawKey(uint96 subject,uint32 sequence)");
    bytes32 private constant ALLOW_MEDIATED_TYPEHASH =
        keccak256("AllowMediated(uint96 subject,bytes32 segmentKind,uint32 sequence,uint40 submitBy)");

    /// @dev Two words. All but `sequence` is zero where nothing is bound.
    struct Binding {
        bytes32 keyHash;
        address controller;
        uint32 sequence;
        uint40 boundAt;
    }

    /// @inheritdoc IKeyRegistry
    IConsentRegistry public immutable CONSENTS;
    IRecovery public immutable RECOVERY;

    mapping(uint96 subject => Binding) internal _bindings;

    constructor(IConsentRegistry consents) EIP712("Assent Keys", "1") {
        CONSENTS = consents;
        RECOVERY = consents.RECOVERY();
    }

    /// @inheritdoc IKeyRegistry
    function bindKey(uint96 subject, bytes32 keyHash, uint32 sequence, uint40 submitBy, bytes calldata signature)
        external
    {
        address controller = _controllerOf(subject);
        uint32 next = _sequenceOf(subject) + 1;
        if (keyHash == 0) revert KeyHashZero();
        if (sequence != next) revert SequenceNotNext(sequence, next);
        _requireTimely(subject, submitBy);
        bytes32 command = keccak256(abi.encode(BIND_KEY_TYPEHASH, subject, keyHash, sequence, submitBy));
        _requireBy(controller, command, signature);
        _bindings[subject] = Binding(keyHash, controller, sequence, uint40(block.timestamp));
        emit KeyBound(subject, keyHash, sequence, controller, uint40(block.timestamp));
    }

    /// @inheritdoc IKeyRegistry
    function withdrawKey(uint96 subject, uint32 sequence, bytes calldata signature) external virtual {
        address controller = _controllerOf(subject);
        Binding memory held = _bindings[subject];
        if (sequence < held.sequence || (sequence == held.sequence && held.keyHash == 0)) return;
        if (sequence > uint256(held.sequence) + 1) revert SequenceNotNext(sequence, held.sequence + 1);
        _requireBy(controller, keccak256(abi.encode(WITHDRAW_KEY_TYPEHASH, subject, sequence)), signature);
        _bindings[subject] = Binding(0, address(0), sequence, 0);
        emit KeyWithdrawn(subject, sequence, controller, uint40(block.timestamp));
    }

    /// @inheritdoc IKeyRegistry
    function checkMediated(
        uint96 subject,
        bytes32 segmentKind,
        uint32 sequence,
        uint40 submitBy,
        bytes calldata signature
    ) external view {
        address controller = _controllerOf(subject);
        BoundKey memory bound = _keyOf(subject);
        // Hashes and numbers are compared; Slither takes every field of a struct with a date for a date.
        // slither-disable-next-line incorrect-equality
        if (bound.keyHash == 0 || sequence != bound.sequence) revert KeyNotBound(sequence);
        _requireTimely(subject, submitBy);
        bytes32 command =
            keccak256(abi.encode(ALLOW_MEDIATED_TYPEHASH, subject, segmentKind, sequence, submitBy));
        _requireSigned(controller, command, signature);
    }

    /// @inheritdoc IKeyRegistry
    function keyOf(uint96 subject) external view returns (BoundKey memory) {
        return _keyOf(subject);
    }

    /// @inheritdoc IKeyRegistry
    function keysOf(uint96[] calldata subjects) external view returns (BoundKey[] memory keys) {
        keys = new BoundKey[](subjects.length);
        for (uint256 i = 0; i < subjects.length; ++i) {
            keys[i] = _keyOf(subjects[i]);
        }
    }

    /// @dev The number used last. A registry that succeeds another follows that one in the virtual functions.
    function _sequenceOf(uint96 subject) internal view virtual returns (uint32) {
        return _bindings[subject].sequence;
    }

    function _keyOf(uint96 subject) internal view virtual returns (BoundKey memory) {
        Binding memory held = _bindings[subject];
        // What was bound has a controller, and so an opened subject.
        if (held.controller == address(0) || held.controller != _controllerOf(subject)) {
            return BoundKey(0, held.sequence, 0);
        }
        return BoundKey(held.keyHash, held.sequence, held.boundAt);
    }

    /// @dev Nothing that widens is taken late, or from an account that may be about to be replaced.
    function _requireTimely(uint96 subject, uint40 submitBy) private view {
        if (block.timestamp > submitBy) revert SubmittedTooLate(submitBy);
        if (RECOVERY.isRecoveryPending(subject)) revert RecoveryPending(subject);
    }

    /// @return controller zero for a subject under guardians
    function _controllerOf(uint96 subject) internal view returns (address controller) {
        bool opened = false;
        // Neither epoch nor count concern keys. Of many subjects each is asked for, of a contract that cannot fail.
        // slither-disable-next-line unused-return,calls-loop
        (controller,,, opened) = CONSENTS.subjectOf(subject);
        if (!opened) revert SubjectUnknown(subject);
    }

    /// @dev As sender or by signature.
    function _requireBy(address signer, bytes32 command, bytes calldata signature) internal view {
        if (msg.sender != signer) _requireSigned(signer, command, signature);
    }

    function _requireSigned(address signer, bytes32 command, bytes calldata signature) private view {
        if (!Signatures.isBy(signer, _hashTypedDataV4(command), signature)) revert SignatureInvalid(signer);
    }
}

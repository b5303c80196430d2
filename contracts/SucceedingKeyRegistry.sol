// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKeyRegistry, BoundKey} from "./interfaces/IKeyRegistry.sol";
import {ISuccession, ISuccessionErrors} from "./interfaces/ISuccession.sol";
import {KeyRegistry} from "./KeyRegistry.sol";

/// @notice Keys after a succession: the highest number counts, here and in the registry before this one. What was bound
/// there before the subject was adopted counts on until a higher number is used, in either; what is bound there since
/// then does not count, and ends what has that number or a lower one, as a withdrawal does.
contract SucceedingKeyRegistry is KeyRegistry, ISuccessionErrors {
    IKeyRegistry public immutable PREDECESSOR;

    /// @param predecessor the key registry of the consent registry before `consents`
    constructor(IKeyRegistry predecessor, ISuccession consents) KeyRegistry(consents) {
        (address found, address wanted) = (address(predecessor.CONSENTS()), address(consents.PREDECESSOR()));
        if (found != wanted) revert PredecessorsDiffer(found, wanted);
        PREDECESSOR = predecessor;
    }

    /// @inheritdoc IKeyRegistry
    /// @dev As its parent's, on what counts here or there.
    function withdrawKey(uint96 subject, uint32 sequence, bytes calldata signature) external override {
        address controller = _controllerOf(subject);
        Binding memory held = _heldOf(subject);
        // A number and a hash; Slither takes every field of a struct with a date for a date.
        // slither-disable-next-line incorrect-equality
        if (sequence < held.sequence || (sequence == held.sequence && held.keyHash == 0)) return;
        if (sequence > uint256(held.sequence) + 1) revert SequenceNotNext(sequence, held.sequence + 1);
        _requireBy(controller, keccak256(abi.encode(WITHDRAW_KEY_TYPEHASH, subject, sequence)), signature);
        _bindings[subject] = Binding(0, address(0), sequence, 0);
        emit KeyWithdrawn(subject, sequence, controller, uint40(block.timestamp));
    }

    function _sequenceOf(uint96 subject) internal view override returns (uint32) {
        return _heldOf(subject).sequence;
    }

    function _keyOf(uint96 subject) internal view override returns (BoundKey memory) {
        Binding memory held = _heldOf(subject);
        if (held.controller == address(0) || held.controller != _controllerOf(subject)) {
            return BoundKey(0, held.sequence, 0);
        }
        return BoundKey(held.keyHash, held.sequence, held.boundAt);
    }

    /// @dev What was bound or withdrawn last, here or there.
    function _heldOf(uint96 subject) private view returns (Binding memory here) {
        here = _bindings[subject];
        // Of many subjects each is asked for, of contracts that cannot fail; and likewise below.
        // slither-disable-next-line calls-loop
        BoundKey memory there = PREDECESSOR.keyOf(subject);
        if (here.sequence > there.sequence) return here;
        // slither-disable-next-line calls-loop
        uint40 adoptedAt = ISuccession(address(CONSENTS)).adoptedAtOf(subject);
        bool counts = here.sequence < there.sequence && there.keyHash != 0 && there.boundAt < adoptedAt;
        if (!counts) return Binding(0, address(0), there.sequence, 0);
        // It counts there, so who controls the subject there bound it.
        // slither-disable-next-line calls-loop,unused-return
        (address controller,,,) = PREDECESSOR.CONSENTS().subjectOf(subject);
        return Binding(there.keyHash, controller, there.sequence, there.boundAt);
    }
}

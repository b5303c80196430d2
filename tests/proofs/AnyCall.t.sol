// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentProof} from "./support/ConsentProof.sol";
import {SVM, VM} from "./support/Proof.sol";

/// @notice What no call whatever can do: every function, every sender, every argument and every signature, which
/// counts as good or not as the prover likes.
/// @custom:halmos --default-array-lengths 1 --default-bytes-lengths 65
contract AnyCallProof is ConsentProof {
    /// S9, S13, N3, S41: what is recorded keeps its subject, kind, epoch and window, and a revocation its date.
    function check_anyCall_changesNoMoreThanTheDateOfASlot(bytes32 id, address sender, uint40 time) public {
        _at(time);
        uint256 before = _slot(id);
        VM.assume(before != 0);
        // Only what a delegate gave is tagged, which is never a delegation.
        if (_isTagged(before)) VM.assume(_kind(before) == 1 || _kind(before) == 2 || _kind(before) == 5);
        _call(sender);
        uint256 stamp = _stamp(_slot(id));
        uint256 mask = uint256(type(uint40).max) << 136;
        assert(_slot(id) & ~mask == before & ~mask);
        if (stamp != _stamp(before)) {
            assert(_stamp(before) == 0 || _isTagged(before));
            assert(stamp == time || stamp == _revokedAt(before));
        }
    }

    /// S15, S23, RC18: a subject stays opened, its epoch and count never fall, and only Recovery changes its
    /// controller.
    function check_anyCall_changesNoControllerAndTurnsNothingBack(uint96 subject, address sender, uint40 time) public {
        _at(time);
        uint256 before = _subjectSlot(subject);
        VM.assume(_isOpened(subject));
        VM.assume(_field(before, 160, 32) < type(uint32).max);
        VM.assume(_field(before, 192, 32) < type(uint32).max - 1);
        VM.assume(sender != address(recovery));
        _call(sender);
        uint256 afterwards = _subjectSlot(subject);
        assert(afterwards >> 224 == before >> 224 && uint160(afterwards) == uint160(before));
        assert(_field(afterwards, 160, 32) - _field(before, 160, 32) <= 1);
        assert(_field(afterwards, 192, 32) >= _field(before, 192, 32));
    }

    function _call(address sender) private {
        bytes memory data = SVM.createCalldata("ConsentRegistry");
        VM.prank(sender);
        (bool success,) = address(registry).call(data);
        VM.assume(success);
    }
}

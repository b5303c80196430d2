// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentProof} from "./support/ConsentProof.sol";
import {VM} from "./support/Proof.sol";

/// @notice What no plain command can do, whoever sends it, with any arguments and any signature, which counts as good
/// or not as the prover likes. Plain is every command but those that name a chain of delegations, which have too many
/// paths, batches, and grants, which are in `Grants.t.sol`.
/// @custom:halmos --default-bytes-lengths 65
contract AnyCallProof is ConsentProof {
    struct Arguments {
        bytes32 id;
        uint96 subject;
        uint32 epoch;
        address controller;
        uint40 submitBy;
        bool proposed;
    }

    /// S9, S13, N3, S41: what is recorded keeps its subject, kind, epoch and window, and a revocation its date.
    function check_anyCall_changesNoMoreThanTheDateOfASlot(
        bytes32 id,
        uint8 command,
        Arguments memory arguments,
        bytes memory signature,
        address sender,
        uint40 time
    ) public {
        _at(time);
        uint256 before = _slot(id);
        VM.assume(before != 0);
        // Only what a delegate gave is tagged, which is never a delegation.
        if (_isTagged(before)) VM.assume(_kind(before) == 1);
        uint256 dateBefore = _revokedAt(before);
        VM.prank(sender);
        _send(command, arguments, signature);
        uint256 stamp = _stamp(_slot(id));
        uint256 mask = uint256(type(uint40).max) << 136;
        assert(_slot(id) & ~mask == before & ~mask);
        if (stamp == _stamp(before)) return;
        assert(dateBefore == 0);
        assert(stamp == time);
    }

    /// S15, S23, RC18: a subject stays opened, its epoch never falls, and only Recovery changes its controller.
    function check_anyCall_turnsNothingOfASubjectBack(
        uint96 subject,
        uint8 command,
        Arguments memory arguments,
        bytes memory signature,
        address sender,
        uint40 time
    ) public {
        _at(time);
        uint256 before = _subjectSlot(subject);
        VM.assume(_isOpened(subject));
        VM.assume(_field(before, 160, 32) < type(uint32).max);
        VM.assume(sender != address(recovery));
        VM.prank(sender);
        _send(command, arguments, signature);
        uint256 raised = _subjectSlot(subject) - before;
        assert(raised == 0 || raised == 1 << 160);
    }

    function _send(uint8 command, Arguments memory a, bytes memory signature) private {
        if (command == 0) registry.openSubject(a.subject, a.controller, a.submitBy, signature);
        else if (command == 1) registry.stepRecovery(a.subject, a.controller, a.proposed);
        else if (command == 2) registry.endGuardianship(a.id);
        else if (command == 3) registry.endForCause(a.id, signature);
        else if (command == 4) registry.revoke(a.id, signature);
        else if (command == 5) registry.revokeDirect(a.id);
        else if (command == 6) registry.revokeAll(a.subject, a.epoch, signature);
        else registry.revokeAllDirect(a.subject, a.epoch);
    }
}

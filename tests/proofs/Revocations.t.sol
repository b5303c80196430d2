// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentProof} from "./support/ConsentProof.sol";
import {VM} from "./support/Proof.sol";

/// @notice Nothing holds a revocation up, and it ends one thing only.
contract RevocationsProof is ConsentProof {
    /// L1: whatever all slots, the Recovery and the clock hold.
    function check_revokeDirect_byController_neverRevertsAndEndsForEver(
        bytes32 id,
        uint8 kind,
        uint40 time,
        uint40 later
    ) public {
        _at(time);
        VM.assume(kind != 3);
        _assumeRecorded(id);
        VM.prank(_controller(_subjectOf(_slot(id))));
        try registry.revokeDirect(id) {}
        catch {
            assert(false);
        }
        assert(_revokedAt(_slot(id)) != 0);
        _at(later);
        assert(!registry.isLive(id, kind));
    }

    /// S13, N3: it changes one field of one slot, and an earlier date stays.
    function check_revokeDirect_changesOnlyTheDate(bytes32 id, bytes32 other, uint96 subject, address sender, uint40 time)
        public
    {
        _at(time);
        VM.assume(other != id);
        uint256 before = _slot(id);
        uint256 dateBefore = _revokedAt(before);
        uint256 otherBefore = _slot(other);
        uint256 subjectBefore = _subjectSlot(subject);
        VM.prank(sender);
        registry.revokeDirect(id);
        uint256 mask = uint256(type(uint40).max) << 136;
        assert(_slot(id) & ~mask == before & ~mask);
        assert(_revokedAt(_slot(id)) == (dateBefore == 0 ? time : dateBefore));
        assert(_slot(other) == otherBefore && _subjectSlot(subject) == subjectBefore);
    }

    /// S13
    function check_revokeDirect_byAnyoneElse_changesNothing(bytes32 id, address sender, uint40 time) public {
        _at(time);
        uint256 before = _slot(id);
        VM.assume(sender != _controller(_subjectOf(before)));
        VM.prank(sender);
        try registry.revokeDirect(id) {
            // Nothing to do.
            assert(_revokedAt(before) != 0);
        } catch {}
        assert(_slot(id) == before);
    }

    /// S15, N4: the epoch rises by one, or nothing changes when it is stale; never a revert.
    function check_revokeAllDirect_byController_raisesTheEpochByOne(uint96 subject, uint32 epoch, uint40 time) public {
        _at(time);
        uint256 before = _subjectSlot(subject);
        VM.assume(_isOpened(subject) && _epoch(subject) < type(uint32).max);
        VM.prank(_controller(subject));
        try registry.revokeAllDirect(subject, epoch) {}
        catch {
            assert(false);
        }
        assert(_subjectSlot(subject) == (epoch == _field(before, 160, 32) ? before + (1 << 160) : before));
    }

    /// S15: afterwards no permit of any earlier epoch counts, at any time; what protects stands as it stood.
    function check_revokeAllDirect_endsPermitsAndNothingElse(bytes32 id, uint8 kind, uint40 time, uint40 later) public {
        _at(time);
        VM.assume(kind != 3);
        uint256 slot = _slot(id);
        uint96 subject = _subjectOf(slot);
        uint256 epoch = _epoch(subject);
        // A slot of a future epoch is never recorded (S8).
        VM.assume(_isOpened(subject) && epoch < type(uint32).max && _field(slot, 104, 32) <= epoch);
        _at(later);
        bool wasLive = registry.isLive(id, kind);
        VM.prank(_controller(subject));
        registry.revokeAllDirect(subject, uint32(epoch));
        assert(_slot(id) == slot);
        assert(registry.isLive(id, kind) == (wasLive && kind != 1));
    }

    /// S16
    function check_revokeAllDirect_byAnyoneElse_changesNothing(
        uint96 subject,
        uint96 other,
        uint32 epoch,
        address sender
    ) public {
        uint256 before = _subjectSlot(subject);
        uint256 otherBefore = _subjectSlot(other);
        VM.assume(sender != _controller(subject));
        VM.prank(sender);
        try registry.revokeAllDirect(subject, epoch) {} catch {}
        assert(_subjectSlot(subject) == before && _subjectSlot(other) == otherBefore);
    }

    /// L9, S39, N6: ending for cause by the controller is never held up, and ends every permit given under it.
    function check_endForCause_byController_neverRevertsAndEndsItsPermits(bytes32 id, bytes32 given, uint40 time)
        public
    {
        _at(time);
        _assumeRecorded(id);
        uint256 slot = _slot(id);
        VM.assume(_kind(slot) == 3 || _kind(slot) == 4);
        // Only what a delegate gave is tagged, which is never a delegation.
        VM.assume(!_isTagged(slot));
        address controller = _controller(_subjectOf(slot));
        VM.assume(controller != address(0));
        uint256 permit = _slot(given);
        VM.assume(_kind(permit) == 1 && _subjectOf(permit) == _subjectOf(slot));
        VM.assume(_stamp(permit) == uint256(id) % 2 ** 39 + 2 ** 39);
        VM.prank(controller);
        try registry.endForCause(id, "") {}
        catch {
            assert(false);
        }
        assert(_ended(permit) != 0 && !registry.isLive(given, 1));
        VM.prank(controller);
        try registry.endForCause(id, "") {}
        catch {
            assert(false);
        }
    }

    function _assumeRecorded(bytes32 id) private view {
        uint256 slot = _slot(id);
        VM.assume(_kind(slot) != 0 && _subjectOf(slot) != 0);
        _revokedAt(slot);
    }
}

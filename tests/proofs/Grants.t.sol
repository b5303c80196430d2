// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentProof} from "./support/ConsentProof.sol";
import {VM} from "./support/Proof.sol";

/// @notice What a controller records as sender, for every document, storage, sender and time.
contract GrantsProof is ConsentProof {
    /// S2, S6, S7, S8, S9, S11: what is recorded was allowed, and is stored as published.
    function check_grantDirect_recordsOnlyWhatMayBe(GrantHeader memory grant, address sender, uint40 time) public {
        _at(time);
        bytes32 id = registry.grantId(grant);
        uint256 slotBefore = _slot(id);
        uint256 subject = _subjectSlot(grant.subject);
        VM.assume(_field(subject, 192, 32) < type(uint32).max);
        VM.assume(grant.supersedes != id);
        VM.prank(sender);
        registry.grantDirect(grant);
        assert(sender == address(uint160(subject)));
        assert(_field(subject, 224, 1) == 1);
        assert(slotBefore == 0);
        // 1, 2 and 5 are the bits of this mask.
        assert((1 << grant.kind) & 38 != 0);
        assert(grant.epoch == _field(subject, 160, 32));
        assert(time <= grant.submitBy);
        uint40 begin = grant.notBefore > time ? grant.notBefore : time;
        assert(begin < grant.notAfter);
        bytes memory published =
            abi.encodePacked(begin, grant.notAfter, uint40(0), grant.epoch, grant.kind, grant.subject);
        assert(_slot(id) == uint256(bytes32(published)));
        assert(_subjectSlot(grant.subject) == subject + (1 << 192));
    }

    /// S9, L2: what was recorded or revoked, ahead or after, is never recorded again.
    function check_grantDirect_ofAKnownId_refused(GrantHeader memory grant, address sender, uint40 time) public {
        _at(time);
        uint256 before = _slot(registry.grantId(grant));
        VM.assume(before != 0);
        VM.prank(sender);
        try registry.grantDirect(grant) {
            assert(false);
        } catch {}
    }

    /// S9, S13: nothing but the id, what it supersedes and its subject's count changes.
    function check_grantDirect_touchesNothingElse(
        GrantHeader memory grant,
        bytes32 other,
        uint96 otherSubject,
        address sender,
        uint40 time
    ) public {
        _at(time);
        VM.assume(other != registry.grantId(grant));
        VM.assume(other != grant.supersedes);
        VM.assume(otherSubject != grant.subject);
        uint256 before = _slot(other);
        uint256 subjectBefore = _subjectSlot(otherSubject);
        VM.prank(sender);
        registry.grantDirect(grant);
        assert((_slot(other) ^ before) | (_subjectSlot(otherSubject) ^ subjectBefore) == 0);
    }

    /// S10, N1: what it supersedes is revoked with it, by the date of this block or an earlier one that stands.
    function check_grantDirect_endsWhatItSupersedes(GrantHeader memory grant, address sender, uint40 time) public {
        _at(time);
        uint256 before = _slot(grant.supersedes);
        VM.assume(grant.supersedes != 0);
        VM.assume(grant.supersedes != registry.grantId(grant));
        VM.prank(sender);
        registry.grantDirect(grant);
        uint256 dateBefore = _revokedAt(before);
        assert(_subjectOf(before) == grant.subject);
        assert(_revokedAt(_slot(grant.supersedes)) == (dateBefore == 0 ? time : dateBefore));
    }

    /// RC3: while a recovery is pending nothing is recorded that widens.
    function check_whilePending_nothingThatWidensIsRecorded(
        GrantHeader memory grant,
        DelegationHeader memory delegation,
        address sender,
        uint40 time
    ) public {
        _at(time);
        VM.assume(recovery.isRecoveryPending(grant.subject));
        VM.assume(grant.subject == delegation.subject);
        // The flag says where to look; Recovery raises it with each proposal.
        VM.assume(_field(_subjectSlot(grant.subject), 225, 1) == 1);
        VM.assume(grant.kind == 1);
        VM.prank(sender);
        try registry.grantDirect(grant) {
            assert(false);
        } catch {}
        VM.prank(sender);
        try registry.delegateDirect(delegation) {
            assert(false);
        } catch {}
    }

    /// S2, S6, S7, S8, S18: the same for delegations.
    function check_delegateDirect_recordsOnlyWhatMayBe(DelegationHeader memory given, address sender, uint40 time)
        public
    {
        _at(time);
        bytes32 id = registry.delegationId(given);
        uint256 slotBefore = _slot(id);
        uint256 subject = _subjectSlot(given.subject);
        VM.prank(sender);
        registry.delegateDirect(given);
        assert(sender == address(uint160(subject)) && _field(subject, 224, 1) == 1);
        assert(slotBefore == 0);
        assert(given.kind == 3 || given.kind == 4);
        assert(given.epoch == _field(subject, 160, 32) && time <= given.submitBy);
        assert(given.delegate != address(0) && given.powers != 0 && given.powers < 16);
        assert(given.parent == 0 && given.depth <= 3);
        assert(_field(_slot(id), 216, 40) < _field(_slot(id), 176, 40) && _field(_slot(id), 216, 40) >= time);
    }
}

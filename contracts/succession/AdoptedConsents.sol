// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentViews} from "../consent/ConsentViews.sol";
import {ConsentRegistry} from "../ConsentRegistry.sol";
import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {DelegationHeader} from "../interfaces/IConsentTypes.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IRecovery} from "../interfaces/IRecovery.sol";
import {ISucceedingRecovery, ISuccession} from "../interfaces/ISuccession.sol";
import {isMarked, marked, uncounted, unmarked} from "../libraries/AdoptedConsentSlot.sol";
import {adopted, caughtUp, isAdopted, shown} from "../libraries/AdoptedSubjectSlot.sol";
import {ConsentSlot} from "../libraries/ConsentSlot.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {SubjectSlot} from "../libraries/SubjectSlot.sol";
import {SucceedingRecovery} from "./SucceedingRecovery.sol";

// Outside the contract: Brownie cannot read them within one.
using {isMarked, marked, uncounted, unmarked} for ConsentSlot;
using {adopted, caughtUp, isAdopted, shown} for SubjectSlot;

/// @notice Taking over from the registry before this one, and following what ends there.
/// @dev What is adopted lies in the same slots as what was recorded here, with a mark. The other parts read slots
/// through the functions below, which ask the predecessor about what is marked; to any other reader nothing marked is
/// live. The predecessor is a contract of this kind or of the first, whose views neither fail nor write.
abstract contract AdoptedConsents is ConsentRegistry, ISuccession {
    /// @inheritdoc ISuccession
    IConsentRegistry public immutable PREDECESSOR;
    /// @inheritdoc ISuccession
    mapping(uint96 subject => uint40 time) public adoptedAtOf;

    constructor(IConsentRegistry predecessor) {
        PREDECESSOR = predecessor;
    }

    /// @inheritdoc ISuccession
    function adopt(uint96 subject, bytes32[] calldata ids) external {
        SubjectSlot slot = _subjects[subject];
        if (slot.isOpen()) revert SubjectAlreadyOpen(subject);
        (SubjectSlot there,) = _there(subject, _anyId(slot));
        if (!there.isOpen()) revert SubjectUnknown(subject);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (_adoptConsent(subject, ids[i])) slot = slot.counted();
        }
        if (slot.count() == there.count()) _adoptSubject(subject, there.adopted());
        else _subjects[subject] = slot;
    }

    /// @inheritdoc IConsentRegistry
    /// @dev Also of a subject that waits for its adoption, so that no later registry takes it for one never opened.
    function openingCustodianOf(uint96 subject)
        public
        view
        override(ConsentViews, IConsentRegistry)
        returns (bytes32 member)
    {
        member = _openingCustodians[subject];
        if (member == 0) member = PREDECESSOR.openingCustodianOf(subject);
    }

    function _newRecovery(IParticipantRegistry participants, uint40 recoveryDelay)
        internal
        override
        returns (IRecovery)
    {
        return new SucceedingRecovery(this, participants, recoveryDelay);
    }

    function _subject(uint96 subjectId) internal view override returns (SubjectSlot) {
        return _followed(subjectId, _subjects[subjectId]).shown();
    }

    /// @dev With its mark, because who asks for it may write it back.
    function _opened(uint96 subjectId) internal view override returns (SubjectSlot) {
        return _followed(subjectId, super._opened(subjectId));
    }

    /// @dev What was recorded here as it lies here; what was adopted, with the first of its endings here and there; of
    /// anything else only that it was revoked there. That comes uncounted, as if revoked ahead, so that it cannot stand
    /// in for something that was counted here.
    function _consent(bytes32 id) internal view override returns (ConsentSlot slot) {
        slot = _consents[id];
        if (!slot.isEmpty() && !slot.isMarked()) return slot;
        (, ConsentSlot there) = _there(slot.subject(), id);
        if (slot.isMarked() && _subjects[slot.subject()].isOpen()) {
            slot = slot.unmarked();
            // To end these narrows, and counts. To end a deny or a refusal widens, and has to be signed for here.
            return there.isRevoked() && Kinds.waitsForRecovery(slot.kind()) ? there : slot;
        }
        return there.isRevoked() ? there.uncounted() : ConsentSlot.wrap(0);
    }

    /// @dev Of the slot that is given, which is not stored yet where a subject is opened under a guardian.
    function _recordingFault(
        bytes32 id,
        uint96 subjectId,
        SubjectSlot slot,
        uint8 kind,
        uint32 epoch,
        uint40 notBefore,
        uint40 notAfter,
        uint40 submitBy
    ) internal view override returns (bytes memory) {
        return super._recordingFault(
            id, subjectId, _followed(subjectId, slot).shown(), kind, epoch, notBefore, notAfter, submitBy
        );
    }

    function _chainFault(uint96 subjectId, SubjectSlot, DelegationHeader[] calldata chain, uint16 powers)
        internal
        view
        override
        returns (bytes32, bytes memory)
    {
        return super._chainFault(subjectId, _subject(subjectId), chain, powers);
    }

    function _requireOpenable(uint96 subject) internal view override returns (bytes32 member) {
        member = super._requireOpenable(subject);
        if (openingCustodianOf(subject) != 0) revert SubjectAlreadyOpen(subject);
    }

    /// @dev Raised with every revoke-all there, for what was adopted and for what was recorded here.
    function _followed(uint96 subjectId, SubjectSlot slot) private view returns (SubjectSlot) {
        if (!slot.isAdopted()) return slot;
        (SubjectSlot there,) = _there(subjectId, _anyId(slot));
        return slot.caughtUp(there);
    }

    /// @return isNew whether it counts towards the subject's number of consents
    function _adoptConsent(uint96 subject, bytes32 id) private returns (bool isNew) {
        (, ConsentSlot there) = _there(subject, id);
        if (there.subject() != subject) revert ConsentUnknown(id);
        // Revoked ahead: never counted, and followed without being here.
        if (!there.isRecorded()) return false;
        isNew = _consents[id].isEmpty();
        _consents[id] = there.marked();
        emit ConsentAdopted(id, subject, ConsentSlot.unwrap(there));
    }

    function _adoptSubject(uint96 subject, SubjectSlot slot) private {
        // Not open here yet, and so asked of the predecessor.
        bytes32 member = openingCustodianOf(subject);
        _subjects[subject] = slot;
        _openingCustodians[subject] = member;
        adoptedAtOf[subject] = uint40(block.timestamp);
        emit SubjectAdopted(subject, member, SubjectSlot.unwrap(slot.shown()));
        ISucceedingRecovery(address(RECOVERY)).adoptRecovery(subject);
    }

    /// @dev Where only the subject is asked for. For a constant the compiler would write the question out once more.
    function _anyId(SubjectSlot slot) private pure returns (bytes32) {
        return bytes32(SubjectSlot.unwrap(slot));
    }

    /// @dev How a subject and an id stand in the predecessor: in its slots, with the endings that it follows itself.
    function _there(uint96 subject, bytes32 id) private view returns (SubjectSlot, ConsentSlot) {
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        // Batches ask this of each item.
        // slither-disable-next-line calls-loop
        (uint256 subjectSlot, uint256[] memory slots) = PREDECESSOR.evidence(subject, ids);
        return (SubjectSlot.wrap(subjectSlot), ConsentSlot.wrap(slots[0]));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IRecovery} from "../interfaces/IRecovery.sol";
import {ConsentSlot, packConsent} from "../libraries/ConsentSlot.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {SubjectSlot} from "../libraries/SubjectSlot.sol";
import {Recovery} from "./Recovery.sol";

/// @notice The registry's storage, with the checks and writes that its parts share.
/// @dev A check that a batch must survive returns a fault: the encoded error, empty when all is well.
abstract contract ConsentStorage is IConsentRegistry, EIP712 {
    /// @inheritdoc IConsentRegistry
    IParticipantRegistry public immutable PARTICIPANTS;
    /// @inheritdoc IConsentRegistry
    IRecovery public immutable RECOVERY;

    mapping(uint96 subject => SubjectSlot) internal _subjects;
    mapping(bytes32 id => ConsentSlot) internal _consents;
    mapping(uint96 subject => bytes32 member) internal _openingCustodians;
    mapping(uint96 subject => mapping(uint40 tag => uint40 time)) internal _endedForCause;

    constructor(IParticipantRegistry participants, uint40 recoveryDelay) EIP712("Assent Consent", "1") {
        PARTICIPANTS = participants;
        RECOVERY = _newRecovery(participants, recoveryDelay);
    }

    function _newRecovery(IParticipantRegistry participants, uint40 recoveryDelay)
        internal
        virtual
        returns (IRecovery)
    {
        return new Recovery(this, participants, recoveryDelay);
    }

    /// @dev What the views show of a subject. A registry that succeeds another follows that one here and in the other
    /// virtual functions.
    function _subject(uint96 subjectId) internal view virtual returns (SubjectSlot) {
        return _subjects[subjectId];
    }

    /// @dev What every part reads of a consent or delegation.
    function _consent(bytes32 id) internal view virtual returns (ConsentSlot) {
        return _consents[id];
    }

    function _opened(uint96 subjectId) internal view virtual returns (SubjectSlot subject) {
        subject = _subjects[subjectId];
        if (!subject.isOpen()) revert SubjectUnknown(subjectId);
    }

    function _requireSigned(address signer, bytes32 command, bytes calldata signature) internal view {
        if (!Signatures.isBy(signer, _hashTypedDataV4(command), signature)) revert SignatureInvalid(signer);
    }

    function _requireSender(uint96 subjectId, SubjectSlot subject) internal view {
        if (msg.sender != subject.controller()) revert NotController(subjectId, msg.sender);
    }

    /// @dev What a Grant and a Delegation must both satisfy to be recorded in this block.
    function _recordingFault(
        bytes32 id,
        uint96 subjectId,
        SubjectSlot subject,
        uint8 kind,
        uint32 epoch,
        uint40 notBefore,
        uint40 notAfter,
        uint40 submitBy
    ) internal view virtual returns (bytes memory fault) {
        if (!subject.isUndisturbed()) {
            if (!subject.isOpen()) return abi.encodeWithSelector(SubjectUnknown.selector, subjectId);
            // In a batch this asks once an item, of a contract that this one made and that cannot fail.
            // slither-disable-next-line calls-loop
            if (Kinds.waitsForRecovery(kind) && RECOVERY.isRecoveryPending(subjectId)) {
                return abi.encodeWithSelector(RecoveryPending.selector, subjectId);
            }
        }
        if (epoch != subject.currentEpoch()) {
            return abi.encodeWithSelector(EpochNotCurrent.selector, epoch, subject.currentEpoch());
        }
        if (block.timestamp > submitBy) return abi.encodeWithSelector(SubmittedTooLate.selector, submitBy);
        if (notAfter <= _effective(notBefore)) {
            return abi.encodeWithSelector(WindowEmpty.selector, _effective(notBefore), notAfter);
        }
        ConsentSlot slot = _consent(id);
        if (!slot.isEmpty()) {
            return abi.encodeWithSelector(slot.isRevoked() ? AlreadyRevoked.selector : AlreadyRecorded.selector, id);
        }
    }

    /// @dev Nothing counts before the block that records it.
    function _effective(uint40 notBefore) internal view returns (uint40) {
        return notBefore > block.timestamp ? notBefore : uint40(block.timestamp);
    }

    /// @dev Without tag: a permit that a delegate gave counts as revoked since its delegation was ended for cause.
    function _asItStands(ConsentSlot slot) internal view returns (ConsentSlot) {
        if (!slot.isTagged()) return slot;
        if (slot.kind() != Kinds.PERMIT) return slot.untagged();
        return slot.untagged().revokedIn(_endedForCause[slot.subject()][slot.delegationTag()]);
    }

    function _revoke(bytes32 id, ConsentSlot slot) internal {
        _consents[id] = slot.revokedIn(uint40(block.timestamp));
        emit ConsentRevoked(id, slot.subject(), uint40(block.timestamp));
    }

    /// @dev Leaves notBefore at zero, which tells it from what was recorded and counted.
    function _revokeAhead(bytes32 id, uint96 subjectId, uint8 kind, uint32 epoch, uint40 notAfter) internal {
        ConsentSlot slot = packConsent(subjectId, kind, epoch, 0, notAfter).revokedIn(uint40(block.timestamp));
        _consents[id] = slot;
        emit ConsentRevokedAhead(id, subjectId, ConsentSlot.unwrap(slot));
    }

    /// @dev Revert with a fault, through OpenZeppelin's way of passing on a failed call's reason.
    function _raise(bytes memory fault) internal pure {
        // slither-disable-next-line unused-return
        if (fault.length != 0) Address.verifyCallResult(false, fault);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {DelegationHeader} from "../interfaces/IConsentTypes.sol";
import {ConsentSlot, packConsent} from "../libraries/ConsentSlot.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Powers} from "../libraries/Powers.sol";
import {SubjectSlot} from "../libraries/SubjectSlot.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {DelegationChains} from "./DelegationChains.sol";

/// @notice Giving delegations and guardianships, passing them on, and ending them.
abstract contract Delegations is DelegationChains {
    /// @inheritdoc IConsentRegistry
    function delegate(DelegationHeader calldata header, bytes calldata signature) external returns (bytes32 id) {
        DelegationHeader memory given = header;
        id = TypedData.delegationId(given);
        SubjectSlot subject = _subjects[given.subject];
        _requireRootDelegation(id, given, subject);
        _requireSigned(subject.controller(), id, signature);
        _recordDelegation(id, given, subject);
    }

    /// @inheritdoc IConsentRegistry
    function delegateDirect(DelegationHeader calldata header) external returns (bytes32 id) {
        DelegationHeader memory given = header;
        id = TypedData.delegationId(given);
        SubjectSlot subject = _subjects[given.subject];
        _requireRootDelegation(id, given, subject);
        _requireSender(given.subject, subject);
        _recordDelegation(id, given, subject);
    }

    /// @inheritdoc IConsentRegistry
    function subdelegate(DelegationHeader calldata child, DelegationHeader[] calldata chain, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        DelegationHeader memory given = child;
        id = TypedData.delegationId(given);
        SubjectSlot subject = _subjects[given.subject];
        _requireDelegation(id, given, subject);
        bytes32 parentId = _requireLiveChain(given.subject, subject, chain, Powers.DELEGATE);
        DelegationHeader calldata parent = chain[0];
        if (given.kind != Kinds.DELEGATION) revert KindNotAllowed(given.kind);
        if (given.parent != parentId) revert ParentInvalid(given.parent);
        if (!Powers.cover(parent.powers, given.powers)) revert PowerMissing(given.powers, parent.powers);
        if (given.depth >= parent.depth) revert DepthInvalid(given.depth, parent.depth);
        if (given.notAfter > parent.notAfter) revert OutlivesDelegation(given.notAfter, parent.notAfter);
        _requireSigned(parent.delegate, TypedData.delegatedDelegation(id, parentId), signature);
        _recordDelegation(id, given, subject);
    }

    /// @inheritdoc IConsentRegistry
    function endDelegation(DelegationHeader[] calldata chain, uint256 position, bytes calldata signature) external {
        if (position >= chain.length) revert ChainLengthInvalid(chain.length);
        DelegationHeader memory target = chain[0];
        bytes32 id = TypedData.delegationId(target);
        ConsentSlot slot = _consent(id);
        if (slot.isRevoked()) return;
        if (slot.isEmpty()) _requireDelegable(id, position, chain);
        bytes32 used = id;
        for (uint256 i = 1; i <= position; ++i) {
            used = TypedData.linkId(chain[i]);
            if (chain[i - 1].parent != used) revert ChainBroken(i);
        }
        _requireSigned(chain[position].delegate, TypedData.delegatedRevoke(id, used), signature);
        if (slot.isEmpty()) _revokeAhead(id, target.subject, target.kind, target.epoch, target.notAfter);
        else _revoke(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function endGuardianship(bytes32 id) external {
        ConsentSlot slot = _consent(id);
        if (slot.kind() != Kinds.GUARDIANSHIP) revert ConsentUnknown(id);
        _requireOpeningCustodian(slot.subject());
        if (slot.isRevoked()) return;
        _revoke(id, slot);
    }

    /// @dev It is the one authority over a subject without controller, and none over any other.
    function _requireOpeningCustodian(uint96 subjectId) internal view {
        if (_subjects[subjectId].controller() != address(0)) revert SubjectHasController(subjectId);
        bytes32 member = PARTICIPANTS.memberOf(msg.sender);
        if (member == 0 || member != _openingCustodians[subjectId]) revert NotOpeningCustodian(subjectId, msg.sender);
    }

    function _requireRootDelegation(bytes32 id, DelegationHeader memory header, SubjectSlot subject) internal view {
        _requireDelegation(id, header, subject);
        if (header.parent != 0) revert ParentInvalid(header.parent);
        if (header.depth > MAX_DEPTH) revert DepthInvalid(header.depth, MAX_DEPTH);
    }

    function _recordDelegation(bytes32 id, DelegationHeader memory header, SubjectSlot subject) internal {
        ConsentSlot slot = packConsent(
            header.subject, header.kind, header.epoch, _effective(header.notBefore), header.notAfter
        );
        _consents[id] = slot;
        _subjects[header.subject] = subject.counted();
        emit DelegationRecorded(id, header.subject, header.delegate, ConsentSlot.unwrap(slot));
    }

    function _requireDelegation(bytes32 id, DelegationHeader memory header, SubjectSlot subject) private view {
        _raise(
            _recordingFault(
                id,
                header.subject,
                subject,
                header.kind,
                header.epoch,
                header.notBefore,
                header.notAfter,
                header.submitBy
            )
        );
        if (!Kinds.isDelegation(header.kind)) revert KindNotAllowed(header.kind);
        if (header.delegate == address(0)) revert DelegateZero();
        if (header.powers == 0 || header.powers & ~Powers.ALL != 0) revert PowersInvalid(header.powers);
    }

    /// @dev An unrecorded delegation may be ended only by someone above it, whose own delegation is live: so that
    /// nobody else can write under a subject.
    function _requireDelegable(bytes32 id, uint256 position, DelegationHeader[] calldata chain) private view {
        if (position == 0) revert ConsentUnknown(id);
        uint96 subjectId = chain[0].subject;
        bytes32 parentId = _requireLiveChain(subjectId, _opened(subjectId), chain[1:], 0);
        if (chain[0].parent != parentId) revert ParentInvalid(chain[0].parent);
        if (chain[0].kind != Kinds.DELEGATION) revert KindNotAllowed(chain[0].kind);
    }
}

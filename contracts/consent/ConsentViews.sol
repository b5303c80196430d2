// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {ConsentState, DelegationHeader, GrantHeader} from "../interfaces/IConsentTypes.sol";
import {ConsentSlot} from "../libraries/ConsentSlot.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {SubjectSlot} from "../libraries/SubjectSlot.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {DelegationChains} from "./DelegationChains.sol";

/// @notice What anyone may ask.
abstract contract ConsentViews is DelegationChains {
    /// @inheritdoc IConsentRegistry
    function subjectOf(uint96 subject)
        external
        view
        returns (address controller, uint32 epoch, uint32 count, bool opened)
    {
        SubjectSlot slot = _subject(subject);
        return (slot.controller(), slot.currentEpoch(), slot.count(), slot.isOpen());
    }

    /// @inheritdoc IConsentRegistry
    function openingCustodianOf(uint96 subject) external view virtual returns (bytes32) {
        return _openingCustodians[subject];
    }

    /// @inheritdoc IConsentRegistry
    function stateOf(bytes32 id) external view returns (ConsentState memory) {
        ConsentSlot slot = _asShown(id);
        return ConsentState(
            slot.subject(),
            slot.kind(),
            slot.epoch(),
            slot.notBefore(),
            slot.notAfter(),
            slot.revokedAt(),
            slot.delegationTag()
        );
    }

    /// @inheritdoc IConsentRegistry
    function isLive(bytes32 id, uint8 kind) external view returns (bool) {
        if (kind == Kinds.DELEGATION) revert ChainNeeded(kind);
        ConsentSlot slot = _asItStands(_consent(id));
        return slot.isLive(kind, _subject(slot.subject()).currentEpoch(), block.timestamp);
    }

    /// @inheritdoc IConsentRegistry
    function areLive(bytes32[] calldata ids, uint8 kind) external view returns (bool[] memory live) {
        if (kind == Kinds.DELEGATION) revert ChainNeeded(kind);
        live = new bool[](ids.length);
        uint96 subject = 0;
        uint32 epoch = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            ConsentSlot slot = _asItStands(_consent(ids[i]));
            if (slot.subject() != subject) {
                subject = slot.subject();
                epoch = _subject(subject).currentEpoch();
            }
            live[i] = slot.isLive(kind, epoch, block.timestamp);
        }
    }

    /// @inheritdoc IConsentRegistry
    function isDelegationLive(DelegationHeader[] calldata chain, uint16 powers) external view returns (bool) {
        if (chain.length == 0) return false;
        uint96 subject = chain[0].subject;
        (, bytes memory fault) = _chainFault(subject, _subjects[subject], chain, powers);
        return fault.length == 0;
    }

    /// @inheritdoc IConsentRegistry
    function evidence(uint96 subject, bytes32[] calldata ids)
        external
        view
        returns (uint256 subjectSlot, uint256[] memory slots)
    {
        subjectSlot = SubjectSlot.unwrap(_subject(subject));
        slots = new uint256[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            slots[i] = ConsentSlot.unwrap(_asShown(ids[i]));
        }
    }

    /// @inheritdoc IConsentRegistry
    function grantId(GrantHeader calldata header) external pure returns (bytes32) {
        return TypedData.grantId(header);
    }

    /// @inheritdoc IConsentRegistry
    function delegationId(DelegationHeader calldata header) external pure returns (bytes32) {
        return TypedData.delegationId(header);
    }

    /// @dev With its tag, unless its delegation was ended for cause.
    function _asShown(bytes32 id) private view returns (ConsentSlot) {
        ConsentSlot stored = _consent(id);
        ConsentSlot standing = _asItStands(stored);
        return standing.isRevoked() ? standing : stored;
    }
}

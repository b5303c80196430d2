// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {DelegationHeader} from "../interfaces/IConsentTypes.sol";
import {ConsentSlot, tagOf} from "../libraries/ConsentSlot.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Powers} from "../libraries/Powers.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Delegations} from "./Delegations.sol";

/// @notice Ending a delegation together with the permits it gave. Like a revocation, it can never be held up.
abstract contract EndingForCause is Delegations {
    /// @inheritdoc IConsentRegistry
    function endForCause(bytes32 id, bytes calldata signature) external {
        ConsentSlot slot = _delegation(id);
        if (_endedForCause[slot.subject()][tagOf(id)] != 0) return;
        address controller = _subjects[slot.subject()].controller();
        if (controller != address(0)) {
            if (msg.sender != controller) _requireSigned(controller, TypedData.endForCause(id), signature);
        } else {
            if (slot.kind() != Kinds.GUARDIANSHIP) revert KindNotAllowed(slot.kind());
            _requireOpeningCustodian(slot.subject());
        }
        _endForCause(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function endForCauseByGuardian(bytes32 id, DelegationHeader[] calldata chain, bytes calldata signature) external {
        ConsentSlot slot = _delegation(id);
        uint96 subject = slot.subject();
        if (_endedForCause[subject][tagOf(id)] != 0) return;
        bytes32 delegation = _requireLiveChain(subject, _subjects[subject], chain, Powers.REVOKE);
        DelegationHeader calldata used = chain[0];
        if (used.kind != Kinds.GUARDIANSHIP) revert KindNotAllowed(used.kind);
        if (slot.kind() != Kinds.DELEGATION) revert KindNotAllowed(slot.kind());
        _requireSigned(used.delegate, TypedData.delegatedEndForCause(id, delegation), signature);
        _endForCause(id, slot);
    }

    function _delegation(bytes32 id) private view returns (ConsentSlot slot) {
        slot = _consent(id);
        if (!Kinds.isDelegation(slot.kind())) revert ConsentUnknown(id);
    }

    function _endForCause(bytes32 id, ConsentSlot slot) private {
        _endedForCause[slot.subject()][tagOf(id)] = uint40(block.timestamp);
        emit DelegationEndedForCause(id, slot.subject(), uint40(block.timestamp));
        if (!slot.isRevoked()) _revoke(id, slot);
    }
}

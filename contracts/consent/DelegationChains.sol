// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader} from "../interfaces/IConsentTypes.sol";
import {ConsentSlot} from "../libraries/ConsentSlot.sol";
import {Powers} from "../libraries/Powers.sol";
import {SubjectSlot} from "../libraries/SubjectSlot.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {ConsentStorage} from "./ConsentStorage.sol";

/// @notice Checks of a chain of delegations, leaf first.
/// @dev A recorded delegation was narrower than its parent when it was recorded, and ids bind contents and parents.
/// So the leaf's powers and end stand for the chain's, and only liveness needs every link.
abstract contract DelegationChains is ConsentStorage {
    /// @dev The root's greatest depth; a chain has at most one link more.
    uint8 internal constant MAX_DEPTH = 3;

    function _chainFault(
        uint96 subjectId,
        SubjectSlot subject,
        DelegationHeader[] calldata chain,
        uint16 powers
    ) internal view virtual returns (bytes32 leaf, bytes memory fault) {
        if (chain.length == 0 || chain.length > MAX_DEPTH + 1) {
            return (0, abi.encodeWithSelector(ChainLengthInvalid.selector, chain.length));
        }
        bytes32 expected = 0;
        for (uint256 i = 0; i < chain.length; ++i) {
            DelegationHeader calldata link = chain[i];
            bytes32 id = TypedData.linkId(link);
            if (i == 0) leaf = id;
            else if (id != expected) return (0, abi.encodeWithSelector(ChainBroken.selector, i));
            // The slot has the kind and the subject that the id binds.
            ConsentSlot slot = _consent(id);
            if (
                slot.subject() != subjectId
                    || !slot.isLive(slot.kind(), subject.currentEpoch(), block.timestamp)
            ) {
                return (0, abi.encodeWithSelector(DelegationNotLive.selector, id));
            }
            expected = link.parent;
        }
        if (expected != 0) return (0, abi.encodeWithSelector(ChainBroken.selector, chain.length));
        if (!Powers.cover(chain[0].powers, powers)) {
            return (0, abi.encodeWithSelector(PowerMissing.selector, powers, chain[0].powers));
        }
    }

    /// @return leaf id of the delegation used
    function _requireLiveChain(
        uint96 subjectId,
        SubjectSlot subject,
        DelegationHeader[] calldata chain,
        uint16 powers
    ) internal view returns (bytes32 leaf) {
        bytes memory fault;
        (leaf, fault) = _chainFault(subjectId, subject, chain, powers);
        _raise(fault);
    }
}

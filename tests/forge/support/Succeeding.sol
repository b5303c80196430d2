// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../../../contracts/ConsentRegistry.sol";
import {EmergencyAccess} from "../../../contracts/EmergencyAccess.sol";
import {ConsentState} from "../../../contracts/interfaces/IConsentTypes.sol";
import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {ISuccession} from "../../../contracts/interfaces/ISuccession.sol";
import {ConsentBase} from "./ConsentBase.sol";
import {Deploy} from "./Deploy.sol";

/// @notice A deployment and the one that succeeds it. The helpers that sign and send do so to whichever is in use.
abstract contract Succeeding is ConsentBase {
    ConsentRegistry internal old;
    EmergencyAccess internal oldEmergency;
    IKeyRegistry internal oldKeys;
    ISuccession internal successor;
    EmergencyAccess internal newEmergency;
    IKeyRegistry internal newKeys;

    /// @dev Ids recorded there of the subject.
    bytes32[] internal ids;

    /// @dev What is in use now becomes the old one.
    function succeed() internal {
        (old, oldEmergency, oldKeys) = (registry, emergency, keys);
        successor = Deploy.succeedingConsentRegistry(old);
        newEmergency = Deploy.succeedingEmergencyAccess(oldEmergency, successor);
        newKeys = Deploy.succeedingKeyRegistry(oldKeys, successor);
    }

    function useOld() internal {
        (registry, emergency, keys) = (old, oldEmergency, oldKeys);
        recovery = registry.RECOVERY();
    }

    function useNew() internal {
        (registry, emergency, keys) = (ConsentRegistry(address(successor)), newEmergency, newKeys);
        recovery = registry.RECOVERY();
    }

    function adopt() internal {
        successor.adopt(SUBJECT, ids);
    }

    function listOf(bytes32 id) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = id;
    }

    function sameState(bytes32 id) internal view {
        check(
            keccak256(abi.encode(old.stateOf(id))) == keccak256(abi.encode(successor.stateOf(id))), "another state"
        );
    }

    function revokedAt(bytes32 id) internal view returns (uint40) {
        return successor.stateOf(id).revokedAt;
    }

    function stateless(bytes32 id) internal view {
        ConsentState memory nothing;
        check(
            keccak256(abi.encode(nothing)) == keccak256(abi.encode(successor.stateOf(id))), "something is shown"
        );
    }

    function revoked(bytes32 id) internal {
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
    }

    function revokedAll(uint96 subject) internal {
        uint32 epoch = epochOf(subject);
        registry.revokeAll(subject, epoch, sign(PATIENT_KEY, revocationOfAll(subject, epoch)));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BoundKey} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RecoveryBase} from "./RecoveryBase.sol";

/// @notice Commands of the key registry, hashed here independently of the contract.
abstract contract KeyBase is RecoveryBase {
    bytes32 internal constant KEY = keccak256("public key");
    bytes32 internal constant OTHER_KEY = keccak256("another public key");
    bytes32 internal constant SEGMENT_KIND = keccak256("salted kind of segments");

    function bindingOf(uint96 subject, bytes32 keyHash, uint32 sequence, uint40 submitBy)
        internal
        pure
        returns (bytes32)
    {
        bytes memory kind = "BindKey(uint96 subject,bytes32 keyHash,uint32 sequence,uint40 submitBy)";
        return keccak256(abi.encode(keccak256(kind), subject, keyHash, sequence, submitBy));
    }

    function withdrawalOf(uint96 subject, uint32 sequence) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("WithdrawKey(uint96 subject,uint32 sequence)"), subject, sequence));
    }

    function mediationOf(bytes32 segmentKind, uint32 sequence, uint40 submitBy) internal pure returns (bytes32) {
        bytes memory kind = "AllowMediated(uint96 subject,bytes32 segmentKind,uint32 sequence,uint40 submitBy)";
        return keccak256(abi.encode(keccak256(kind), SUBJECT, segmentKind, sequence, submitBy));
    }

    function signKey(uint256 key, bytes32 command) internal view returns (bytes memory) {
        return signDigest(key, typed(domain("Assent Keys", address(keys)), command));
    }

    /// @dev By the patient, relayed.
    function bound(bytes32 keyHash, uint32 sequence) internal {
        bytes memory signature = signKey(PATIENT_KEY, bindingOf(SUBJECT, keyHash, sequence, FOREVER));
        keys.bindKey(SUBJECT, keyHash, sequence, FOREVER, signature);
    }

    function withdrawn(uint32 sequence) internal {
        keys.withdrawKey(SUBJECT, sequence, signKey(PATIENT_KEY, withdrawalOf(SUBJECT, sequence)));
    }

    function expectKey(bytes32 keyHash, uint32 sequence, uint40 boundAt) internal view {
        BoundKey memory found = keys.keyOf(SUBJECT);
        check(found.keyHash == keyHash, "another key");
        equal(found.sequence, sequence, "number");
        equal(found.boundAt, boundAt, "bound at");
    }
}

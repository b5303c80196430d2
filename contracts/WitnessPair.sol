// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {IWitnessPair} from "./interfaces/IWitnessPairs.sol";
import {Signatures} from "./libraries/Signatures.sol";

contract WitnessPair is IWitnessPair {
    uint256 private constant SIGNATURE_BYTES = 65;

    address public immutable FIRST;
    address public immutable SECOND;

    constructor(address first, address second) {
        if (first == second || first == address(0) || second == address(0)) revert WitnessesInvalid(first, second);
        FIRST = first;
        SECOND = second;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bool both = signature.length == 2 * SIGNATURE_BYTES
            && Signatures.isByKey(FIRST, hash, signature[:SIGNATURE_BYTES])
            && Signatures.isByKey(SECOND, hash, signature[SIGNATURE_BYTES:]);
        return both ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

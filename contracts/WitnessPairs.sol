// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";

import {IWitnessPairs} from "./interfaces/IWitnessPairs.sol";
import {WitnessPair} from "./WitnessPair.sol";

contract WitnessPairs is IWitnessPairs {
    /// @inheritdoc IWitnessPairs
    function open(address first, address second, bytes32 salt) external returns (address pair) {
        pair = pairOf(first, second, salt);
        if (pair.code.length == 0) new WitnessPair{salt: salt}(first, second);
    }

    /// @inheritdoc IWitnessPairs
    function pairOf(address first, address second, bytes32 salt) public view returns (address) {
        bytes memory code = bytes.concat(type(WitnessPair).creationCode, abi.encode(first, second));
        return Create2.computeAddress(salt, keccak256(code));
    }
}

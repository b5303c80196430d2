// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Two people who sign together
/// @notice The account of two witnesses of a paper: it signed what both signed, and nothing that one of them signed
/// alone. It has no owner, no storage and no function that changes anything.
/// @dev A signature is 130 bytes: that of the first witness, then that of the second, each `r || s || v` with a low
/// `s`. Both sign the digest itself, so what they are shown is what is recorded.
interface IWitnessPair is IERC1271 {
    /// @dev Two different people, so two different accounts, and neither is zero.
    error WitnessesInvalid(address first, address second);

    // Named as the constants they are.
    // solhint-disable func-name-mixedcase
    function FIRST() external view returns (address);

    function SECOND() external view returns (address);
    // solhint-enable func-name-mixedcase
}

/// @title Where pairs of witnesses are made
/// @notice A pair's address follows from the two accounts and a salt, so anyone can say beforehand what it will be, and
/// afterwards who stands behind it. With a salt for each paper, two papers have nothing but their witnesses in common.
interface IWitnessPairs {
    /// @notice Make the pair, unless it is there. Anyone may: it gives no power to anybody.
    /// @param salt drawn anew for each paper
    /// @return pair address of the IWitnessPair
    function open(address first, address second, bytes32 salt) external returns (address pair);

    /// @notice The address that `open` makes or made.
    /// @dev Warning: it has one also for two accounts that cannot be a pair.
    function pairOf(address first, address second, bytes32 salt) external view returns (address);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A patient's standing policy on emergency access. Who never set one has the first.
library Policies {
    uint8 internal constant LIMIT = 0;
    uint8 internal constant ALLOW = 1;
    uint8 internal constant FORBID = 2;

    function isKnown(uint8 policy) internal pure returns (bool) {
        return policy <= FORBID;
    }
}

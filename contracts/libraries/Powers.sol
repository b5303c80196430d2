// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Power bits of delegations.
library Powers {
    uint16 internal constant GRANT = 1;
    uint16 internal constant REVOKE = 2;
    uint16 internal constant READ = 4;
    uint16 internal constant DELEGATE = 8;
    uint16 internal constant ALL = 15;

    /// @dev Whether `held` contains every bit of `needed`.
    function cover(uint16 held, uint16 needed) internal pure returns (bool) {
        return needed & ~held == 0;
    }
}

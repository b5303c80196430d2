// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Kinds of entries in the consent registry. Kind 0 does not exist.
library Kinds {
    uint8 internal constant PERMIT = 1;
    uint8 internal constant DENY = 2;
    uint8 internal constant DELEGATION = 3;
    uint8 internal constant GUARDIANSHIP = 4;
    uint8 internal constant REFUSAL = 5;

    /// @dev Whether a Grant may have this kind.
    function isConsent(uint8 kind) internal pure returns (bool) {
        return kind == PERMIT || kind == DENY || kind == REFUSAL;
    }

    /// @dev Whether a Delegation may have this kind.
    function isDelegation(uint8 kind) internal pure returns (bool) {
        return kind == DELEGATION || kind == GUARDIANSHIP;
    }

    /// @dev A pending recovery holds these up; what restricts, or answers a request with no, goes on.
    function waitsForRecovery(uint8 kind) internal pure returns (bool) {
        return kind == PERMIT || isDelegation(kind);
    }

    /// @dev Revoke-all ends these; what protects the patient stands.
    function endsWithEpoch(uint8 kind) internal pure returns (bool) {
        return kind == PERMIT || kind == DELEGATION;
    }
}

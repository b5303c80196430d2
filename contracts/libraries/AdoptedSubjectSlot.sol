// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RECOVERY_FLAG, SubjectSlot} from "./SubjectSlot.sol";

/// @dev A subject that was adopted has bit 2 of its flags set, and in the 29 above it the epoch there that its epoch
/// here has caught up with. Each step costs a transaction's gas, so 29 bits do not run over.
uint256 constant ADOPTED_SUBJECT = 1 << 226;

/// @dev As it is adopted: as it stands there, without any trace of a recovery.
function adopted(SubjectSlot there) pure returns (SubjectSlot) {
    uint256 kept = SubjectSlot.unwrap(there) & (RECOVERY_FLAG - 1);
    return SubjectSlot.wrap(kept | ADOPTED_SUBJECT | uint256(there.currentEpoch()) << 227);
}

function isAdopted(SubjectSlot slot) pure returns (bool) {
    return SubjectSlot.unwrap(slot) & ADOPTED_SUBJECT != 0;
}

/// @dev Raised here as often as it was raised there since. Only for a subject that was adopted.
function caughtUp(SubjectSlot slot, SubjectSlot there) pure returns (SubjectSlot) {
    unchecked {
        uint256 raised = there.currentEpoch() - (SubjectSlot.unwrap(slot) >> 227);
        return SubjectSlot.wrap(SubjectSlot.unwrap(slot) + raised * (1 << 160 | 1 << 227));
    }
}

/// @dev In the layout of a subject that was opened here.
function shown(SubjectSlot slot) pure returns (SubjectSlot) {
    return SubjectSlot.wrap(SubjectSlot.unwrap(slot) & (ADOPTED_SUBJECT - 1));
}

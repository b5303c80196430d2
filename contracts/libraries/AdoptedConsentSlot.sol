// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentSlot} from "./ConsentSlot.sol";

/// @dev The kind's highest bit, which no kind has: a slot with it is of no kind, and so never live before the mark is
/// taken off.
uint256 constant ADOPTED_CONSENT = 0x80 << 96;

function marked(ConsentSlot slot) pure returns (ConsentSlot) {
    return ConsentSlot.wrap(ConsentSlot.unwrap(slot) | ADOPTED_CONSENT);
}

function isMarked(ConsentSlot slot) pure returns (bool) {
    return ConsentSlot.unwrap(slot) & ADOPTED_CONSENT != 0;
}

function unmarked(ConsentSlot slot) pure returns (ConsentSlot) {
    return ConsentSlot.wrap(ConsentSlot.unwrap(slot) & ~ADOPTED_CONSENT);
}

/// @dev As if it had been revoked ahead.
function uncounted(ConsentSlot slot) pure returns (ConsentSlot) {
    return ConsentSlot.wrap(ConsentSlot.unwrap(slot) << 40 >> 40);
}

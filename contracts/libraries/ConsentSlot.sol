// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Kinds} from "./Kinds.sol";

/// @notice One consent or delegation in one word, low to high: subject 96, kind 8, epoch 32, revokedAt 40,
/// notAfter 40, notBefore 40. Packed by hand: a Solidity struct would cost a masked write per field.
type ConsentSlot is uint256;

using {
    subject,
    kind,
    epoch,
    revokedAt,
    notAfter,
    notBefore,
    isEmpty,
    isRecorded,
    isRevoked,
    isLive,
    revokedIn
} for ConsentSlot global;

function packConsent(uint96 subject_, uint8 kind_, uint32 epoch_, uint40 notBefore_, uint40 notAfter_)
    pure
    returns (ConsentSlot)
{
    return ConsentSlot.wrap(
        uint256(subject_) | uint256(kind_) << 96 | uint256(epoch_) << 104 | uint256(notAfter_) << 176
            | uint256(notBefore_) << 216
    );
}

function subject(ConsentSlot slot) pure returns (uint96) {
    return uint96(ConsentSlot.unwrap(slot));
}

function kind(ConsentSlot slot) pure returns (uint8) {
    return uint8(ConsentSlot.unwrap(slot) >> 96);
}

function epoch(ConsentSlot slot) pure returns (uint32) {
    return uint32(ConsentSlot.unwrap(slot) >> 104);
}

function revokedAt(ConsentSlot slot) pure returns (uint40) {
    return uint40(ConsentSlot.unwrap(slot) >> 136);
}

function notAfter(ConsentSlot slot) pure returns (uint40) {
    return uint40(ConsentSlot.unwrap(slot) >> 176);
}

function notBefore(ConsentSlot slot) pure returns (uint40) {
    return uint40(ConsentSlot.unwrap(slot) >> 216);
}

function isEmpty(ConsentSlot slot) pure returns (bool) {
    return ConsentSlot.unwrap(slot) == 0;
}

/// @dev What is recorded begins no earlier than its block, so never at zero; what was revoked ahead begins at zero.
function isRecorded(ConsentSlot slot) pure returns (bool) {
    return slot.notBefore() != 0;
}

function isRevoked(ConsentSlot slot) pure returns (bool) {
    return slot.revokedAt() != 0;
}

/// @dev One comparison for kind and revocation, one for begin and existence (a begin of zero wraps around).
function isLive(ConsentSlot slot, uint8 kind_, uint32 currentEpoch, uint256 time) pure returns (bool) {
    uint256 kindAndRevoked = ConsentSlot.unwrap(slot) & (uint256(0xff) << 96 | uint256(type(uint40).max) << 136);
    if (kindAndRevoked != uint256(kind_) << 96) return false;
    unchecked {
        if (uint256(slot.notBefore()) - 1 >= time) return false;
    }
    return time < slot.notAfter() && (slot.epoch() == currentEpoch || !Kinds.endsWithEpoch(kind_));
}

/// @dev Only for a slot that is not revoked.
function revokedIn(ConsentSlot slot, uint40 time) pure returns (ConsentSlot) {
    return ConsentSlot.wrap(ConsentSlot.unwrap(slot) | uint256(time) << 136);
}

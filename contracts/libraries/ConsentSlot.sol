// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Kinds} from "./Kinds.sol";

/// @notice One consent or delegation in one word, low to high: subject 96, kind 8, epoch 32, revokedAt 40,
/// notAfter 40, notBefore 40. Packed by hand: a Solidity struct would cost a masked write per field.
/// @dev Until its revocation, what a delegate gave has in place of revokedAt the tag of the delegation used: bit 39
/// set, below it the low bits of the delegation's id. No block time reaches bit 39.
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
    isTagged,
    delegationTag,
    givenUnder,
    untagged,
    revokedIn
} for ConsentSlot global;

uint40 constant TAG_FLAG = 1 << 39;
uint256 constant REVOKED_AT_MASK = uint256(type(uint40).max) << 136;

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
    return slot.isTagged() ? 0 : uint40(ConsentSlot.unwrap(slot) >> 136);
}

/// @dev Whether a delegate gave it and nobody revoked it.
function isTagged(ConsentSlot slot) pure returns (bool) {
    return ConsentSlot.unwrap(slot) & uint256(TAG_FLAG) << 136 != 0;
}

/// @dev Zero unless `isTagged`.
function delegationTag(ConsentSlot slot) pure returns (uint40) {
    return slot.isTagged() ? uint40(ConsentSlot.unwrap(slot) >> 136) : 0;
}

/// @dev Two delegations of one subject may share a tag, one pair in 2^39; then both end for cause together.
function tagOf(bytes32 delegation) pure returns (uint40) {
    return uint40(uint256(delegation)) | TAG_FLAG;
}

/// @dev Only for a fresh slot.
function givenUnder(ConsentSlot slot, bytes32 delegation) pure returns (ConsentSlot) {
    return ConsentSlot.wrap(ConsentSlot.unwrap(slot) | uint256(tagOf(delegation)) << 136);
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

/// @dev Only for a slot without tag. One comparison for kind and revocation, one for begin and existence (a begin of
/// zero wraps around).
function isLive(ConsentSlot slot, uint8 kind_, uint32 currentEpoch, uint256 time) pure returns (bool) {
    uint256 kindAndRevoked = ConsentSlot.unwrap(slot) & (uint256(0xff) << 96 | REVOKED_AT_MASK);
    if (kindAndRevoked != uint256(kind_) << 96) return false;
    unchecked {
        if (uint256(slot.notBefore()) - 1 >= time) return false;
    }
    return time < slot.notAfter() && (slot.epoch() == currentEpoch || !Kinds.endsWithEpoch(kind_));
}

/// @dev Only for a slot with a tag.
function untagged(ConsentSlot slot) pure returns (ConsentSlot) {
    return ConsentSlot.wrap(ConsentSlot.unwrap(slot) & ~REVOKED_AT_MASK);
}

/// @dev Only for a slot that is not revoked and has no tag.
function revokedIn(ConsentSlot slot, uint40 time) pure returns (ConsentSlot) {
    return ConsentSlot.wrap(ConsentSlot.unwrap(slot) | uint256(time) << 136);
}

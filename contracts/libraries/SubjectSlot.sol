// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One subject in one word, low to high: controller 160, epoch 32, count 32, flags 32 (bit 0 opened, bit 1 a
/// recovery was proposed and neither vetoed nor completed).
type SubjectSlot is uint256;

using {controller, currentEpoch, count, isOpen, isUndisturbed, counted, nextEpoch, steppedTo} for SubjectSlot
    global;

uint256 constant RECOVERY_FLAG = 1 << 225;

function packSubject(address controller_) pure returns (SubjectSlot) {
    return SubjectSlot.wrap(uint256(uint160(controller_)) | 1 << 224);
}

function controller(SubjectSlot slot) pure returns (address) {
    return address(uint160(SubjectSlot.unwrap(slot)));
}

function currentEpoch(SubjectSlot slot) pure returns (uint32) {
    return uint32(SubjectSlot.unwrap(slot) >> 160);
}

function count(SubjectSlot slot) pure returns (uint32) {
    return uint32(SubjectSlot.unwrap(slot) >> 192);
}

function isOpen(SubjectSlot slot) pure returns (bool) {
    return SubjectSlot.unwrap(slot) >> 224 & 1 == 1;
}

/// @dev Open, and no recovery to look for: in one comparison, because every grant asks. A lapsed recovery leaves its
/// flag, which says where to look and not that anything is pending.
function isUndisturbed(SubjectSlot slot) pure returns (bool) {
    return SubjectSlot.unwrap(slot) >> 224 == 1;
}

/// @dev Epoch and count stay, so consents do.
function steppedTo(SubjectSlot slot, address controller_, bool proposed) pure returns (SubjectSlot) {
    uint256 kept = SubjectSlot.unwrap(slot) & ~(uint256(type(uint160).max) | RECOVERY_FLAG);
    return SubjectSlot.wrap(kept | uint160(controller_) | (proposed ? RECOVERY_FLAG : 0));
}

/// @dev Each step costs a transaction's gas, so 32 bits cannot run over into the next field.
function counted(SubjectSlot slot) pure returns (SubjectSlot) {
    unchecked {
        return SubjectSlot.wrap(SubjectSlot.unwrap(slot) + (1 << 192));
    }
}

/// @dev As for `counted`.
function nextEpoch(SubjectSlot slot) pure returns (SubjectSlot) {
    unchecked {
        return SubjectSlot.wrap(SubjectSlot.unwrap(slot) + (1 << 160));
    }
}

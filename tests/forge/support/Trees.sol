// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Payment} from "../../../contracts/interfaces/IResearchTypes.sol";

/// @notice Trees of payments, written from the interface's words: sorted pairs, leaves hashed twice, an odd node goes up.
library Trees {
    function leafOf(bytes32 round, Payment memory p) internal pure returns (bytes32) {
        bytes32 inner = keccak256(abi.encode(round, p.index, p.account, p.amount, p.salt));
        return keccak256(abi.encodePacked(inner));
    }

    function rootOf(bytes32 round, Payment[] memory payments) internal pure returns (bytes32) {
        bytes32[] memory level = leavesOf(round, payments);
        while (level.length > 1) level = above(level);
        return level[0];
    }

    function proofOf(bytes32 round, Payment[] memory payments, uint256 position)
        internal
        pure
        returns (bytes32[] memory)
    {
        bytes32[] memory level = leavesOf(round, payments);
        bytes32[] memory long = new bytes32[](32);
        uint256 length;
        while (level.length > 1) {
            uint256 sibling = position ^ 1;
            if (sibling < level.length) {
                long[length] = level[sibling];
                ++length;
            }
            position /= 2;
            level = above(level);
        }
        bytes32[] memory proof = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            proof[i] = long[i];
        }
        return proof;
    }

    function leavesOf(bytes32 round, Payment[] memory payments) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](payments.length);
        for (uint256 i = 0; i < payments.length; ++i) {
            leaves[i] = leafOf(round, payments[i]);
        }
    }

    function above(bytes32[] memory level) internal pure returns (bytes32[] memory next) {
        next = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            next[i] = 2 * i + 1 < level.length ? join(level[2 * i], level[2 * i + 1]) : level[2 * i];
        }
    }

    function join(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }
}

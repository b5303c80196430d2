// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleLog} from "../../contracts/libraries/MerkleLog.sol";
import {Proof, VM} from "./support/Proof.sol";

/// @notice What of the logs is decided before any hash is computed: the prover has no working SHA-256.
contract LogsProof is Proof {
    function isConsistent(uint64 oldSize, bytes32 oldRoot, uint64 newSize, bytes32 newRoot, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleLog.isConsistent(oldSize, oldRoot, newSize, newRoot, proof);
    }

    function isIncluded(bytes32 leaf, uint64 index, uint64 size, bytes32 root, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleLog.isIncluded(leaf, index, size, root, proof);
    }

    /// S32: no step back, no standing still and no empty tree, for all sizes, roots and hashes.
    function check_isConsistent_onlyGrowthIsAccepted(
        uint64 oldSize,
        bytes32 oldRoot,
        uint64 newSize,
        bytes32 newRoot,
        bytes32[] memory proof
    ) public view {
        VM.assume(oldSize == 0 || oldSize >= newSize);
        assert(!this.isConsistent(oldSize, oldRoot, newSize, newRoot, proof));
    }

    /// S34: no place beyond the end, for all sizes, roots and hashes; a log of one is its leaf.
    function check_isIncluded_neverBeyondTheEnd(
        bytes32 leaf,
        uint64 index,
        uint64 size,
        bytes32 root,
        bytes32[] memory proof
    ) public view {
        VM.assume(index >= size);
        assert(!this.isIncluded(leaf, index, size, root, proof));
        assert(this.isIncluded(leaf, 0, 1, root, new bytes32[](0)) == (leaf == root));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Proofs for trees of any size without building them: the recursive definitions of RFC 6962 section 2.1 are
/// followed with made-up hashes for the subtrees that a proof names, and the roots come out.
library MerkleProofs {
    struct Consistency {
        bytes32 oldRoot;
        bytes32 newRoot;
        bytes32[] proof;
    }

    struct Inclusion {
        bytes32 leafHash;
        bytes32 root;
        bytes32[] proof;
    }

    function consistency(uint64 oldSize, uint64 newSize, uint256 seed) internal pure returns (Consistency memory c) {
        bytes32[] memory proof = new bytes32[](130);
        uint256 length;
        (c.oldRoot, c.newRoot, length) = subproof(oldSize, newSize, true, seed, proof);
        c.proof = shortened(proof, length);
    }

    function inclusion(uint64 index, uint64 size, uint256 seed) internal pure returns (Inclusion memory i) {
        bytes32[] memory proof = new bytes32[](130);
        i.leafHash = made(seed, 999);
        uint256 length;
        (i.root, length) = path(index, size, i.leafHash, seed, proof);
        i.proof = shortened(proof, length);
    }

    /// @dev SUBPROOF(m, D[n], b) of section 2.1.2.
    function subproof(uint64 m, uint64 n, bool complete, uint256 seed, bytes32[] memory proof)
        private
        pure
        returns (bytes32 oldRoot, bytes32 newRoot, uint256 length)
    {
        if (m == n) {
            bytes32 hash = made(seed, 0);
            if (complete) return (hash, hash, 0);
            proof[0] = hash;
            return (hash, hash, 1);
        }
        uint64 k = split(n);
        if (m <= k) {
            (oldRoot, newRoot, length) = subproof(m, k, complete, seed, proof);
            proof[length] = made(seed, length + 1);
            newRoot = join(newRoot, proof[length]);
        } else {
            (oldRoot, newRoot, length) = subproof(m - k, n - k, false, seed, proof);
            proof[length] = made(seed, length + 1);
            oldRoot = join(proof[length], oldRoot);
            newRoot = join(proof[length], newRoot);
        }
        ++length;
    }

    /// @dev PATH(m, D[n]) of section 2.1.1.
    function path(uint64 m, uint64 n, bytes32 leafHash, uint256 seed, bytes32[] memory proof)
        private
        pure
        returns (bytes32 root, uint256 length)
    {
        if (n == 1) return (leafHash, 0);
        uint64 k = split(n);
        if (m < k) {
            (root, length) = path(m, k, leafHash, seed, proof);
            proof[length] = made(seed, length + 1);
            root = join(root, proof[length]);
        } else {
            (root, length) = path(m - k, n - k, leafHash, seed, proof);
            proof[length] = made(seed, length + 1);
            root = join(proof[length], root);
        }
        ++length;
    }

    /// @dev The largest power of two below n.
    function split(uint64 n) private pure returns (uint64 k) {
        k = 1;
        while (k < n - k) k *= 2;
    }

    function made(uint256 seed, uint256 index) private pure returns (bytes32) {
        return keccak256(abi.encode(seed, index));
    }

    function join(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function shortened(bytes32[] memory long, uint256 length) private pure returns (bytes32[] memory short) {
        short = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            short[i] = long[i];
        }
    }
}

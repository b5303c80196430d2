// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuditAnchor} from "../../contracts/interfaces/IAuditAnchor.sol";
import {Base} from "./support/Base.sol";
import {MerkleProofs} from "./support/MerkleProofs.sol";
import {VM} from "./support/Vm.sol";

contract AuditTest is Base {
    bytes32 private constant ORIGIN = keccak256("hospital.example/audit");

    function test_anchor_first_needsNoProof() public {
        bytes32 logId = anchored(3, keccak256("root"));
        (uint64 size, bytes32 root, uint64 blockNumber, uint40 anchoredAt) = anchor.headOf(logId);
        check(size == 3 && root == keccak256("root"), "head");
        check(blockNumber == block.number && anchoredAt == NOW, "when");
        check(logId == anchor.logIdOf(HOSPITAL_ID, ORIGIN), "id");
    }

    function test_anchor_emptyOrByOthers_refused() public {
        VM.prank(HOSPITAL);
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.CheckpointEmpty.selector));
        anchor.anchor(ORIGIN, 0, "", new bytes32[](0));
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.NotCustodian.selector, STRANGER));
        anchor.anchor(ORIGIN, 1, "root", new bytes32[](0));
    }

    function test_anchor_sameOrigin_eachCustodianHasItsOwnLog() public {
        bytes32 logId = anchored(3, "root");
        VM.prank(CLINIC);
        bytes32 other = anchor.anchor(ORIGIN, 1, "other", new bytes32[](0));
        check(other != logId, "two logs");
        (uint64 size,,,) = anchor.headOf(logId);
        equal(size, 3, "untouched");
    }

    function test_anchor_accountChanged_logGoesOn() public {
        anchored(3, "root");
        VM.prank(OPERATOR);
        participants.amend(HOSPITAL_ID, STRANGER, 1, NOW + 1 days, 0, 0);
        VM.prank(STRANGER);
        bytes32 logId = anchor.anchor(ORIGIN, 3, "root", new bytes32[](0));
        check(logId == anchor.logIdOf(HOSPITAL_ID, ORIGIN), "the member's log");
    }

    function test_anchor_sameAgain_doesNothing_forkOrBehindRefused() public {
        bytes32 logId = anchored(3, "root");
        VM.warp(NOW + 5);
        anchored(3, "root");
        (,,, uint40 anchoredAt) = anchor.headOf(logId);
        equal(anchoredAt, NOW, "first date");
        VM.startPrank(HOSPITAL);
        VM.expectRevert(
            abi.encodeWithSelector(
                IAuditAnchor.CheckpointForks.selector, uint64(3), bytes32("fork"), bytes32("root")
            )
        );
        anchor.anchor(ORIGIN, 3, "fork", new bytes32[](0));
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.CheckpointBehind.selector, uint64(2), uint64(3)));
        anchor.anchor(ORIGIN, 2, "past", new bytes32[](0));
        VM.expectRevert(
            abi.encodeWithSelector(IAuditAnchor.ConsistencyProofInvalid.selector, uint64(4), bytes32("next"))
        );
        anchor.anchor(ORIGIN, 4, "next", new bytes32[](0));
    }

    function test_anchor_consistentGrowth_accepted(uint64 a, uint64 b, uint256 seed) public {
        (uint64 oldSize, uint64 newSize) = sizes(a, b);
        MerkleProofs.Consistency memory c = MerkleProofs.consistency(oldSize, newSize, seed);
        bytes32 logId = anchored(oldSize, c.oldRoot);
        VM.prank(HOSPITAL);
        anchor.anchor(ORIGIN, newSize, c.newRoot, c.proof);
        (uint64 size, bytes32 root,,) = anchor.headOf(logId);
        check(size == newSize && root == c.newRoot, "grown");
    }

    function test_anchor_anythingChangedInTheProof_refused(uint64 a, uint64 b, uint256 seed) public {
        (uint64 oldSize, uint64 newSize) = sizes(a, b);
        MerkleProofs.Consistency memory c = MerkleProofs.consistency(oldSize, newSize, seed);
        anchored(oldSize, c.oldRoot);
        uint256 change = seed % 4;
        if (change == 0) c.proof[seed % c.proof.length] ^= bytes32(uint256(1) << (seed >> 8) % 256);
        if (change == 1) c.newRoot ^= bytes32(uint256(1) << (seed >> 8) % 256);
        if (change == 2) c.proof = resized(c.proof, c.proof.length - 1);
        if (change == 3) c.proof = resized(c.proof, c.proof.length + 1);
        VM.prank(HOSPITAL);
        VM.expectRevert(
            abi.encodeWithSelector(IAuditAnchor.ConsistencyProofInvalid.selector, newSize, c.newRoot)
        );
        anchor.anchor(ORIGIN, newSize, c.newRoot, c.proof);
    }

    function test_isIncluded_rightProof_andNothingElse(uint64 a, uint64 b, uint256 seed) public {
        uint64 size = b % 2 ** 40 + 1;
        uint64 index = a % size;
        MerkleProofs.Inclusion memory i = MerkleProofs.inclusion(index, size, seed);
        bytes32 logId = anchored(size, i.root);
        check(anchor.isIncluded(logId, i.leafHash, index, i.proof), "included");
        check(!anchor.isIncluded(logId, keccak256("leaf"), index, i.proof), "another leaf");
        check(!anchor.isIncluded(logId, i.leafHash, size, i.proof), "out of range");
        check(!anchor.isIncluded(logId, i.leafHash, index, resized(i.proof, i.proof.length + 1)), "longer");
        check(!anchor.isIncluded("no log", i.leafHash, index, i.proof), "no log");
        if (i.proof.length == 0) return;
        check(!anchor.isIncluded(logId, i.leafHash, index, resized(i.proof, i.proof.length - 1)), "shorter");
        i.proof[seed % i.proof.length] ^= bytes32(uint256(1) << (seed >> 8) % 256);
        check(!anchor.isIncluded(logId, i.leafHash, index, i.proof), "changed");
    }

    function test_anchor_smallTrees_realRoots() public {
        // Eight leaves, each one byte, their number; every pair of sizes and every leaf, from the definition.
        bytes32[] memory leaves = new bytes32[](8);
        for (uint256 i = 0; i < 8; ++i) {
            leaves[i] = sha256(abi.encodePacked(bytes1(0), bytes1(uint8(i))));
        }
        // Known answers, computed apart from this code.
        check(rootOf(leaves, 0, 7) == 0x3560191803028444b232018ac047fdb561c09c23a7a6876c85e08b5e4d48e9f3, "seven");
        check(rootOf(leaves, 0, 8) == 0xef7f49b620f6c7ea9b963a214da34b5021c6ded8ed57734380a311ab726aa907, "eight");
        for (uint64 n = 2; n <= 8; ++n) {
            for (uint64 m = 1; m < n; ++m) {
                bytes32[] memory proof = new bytes32[](8);
                uint256 length = consistency(leaves, m, 0, n, true, proof);
                bytes32 origin = keccak256(abi.encode(m, n));
                VM.startPrank(HOSPITAL);
                anchor.anchor(origin, m, rootOf(leaves, 0, m), new bytes32[](0));
                anchor.anchor(origin, n, rootOf(leaves, 0, n), resized(proof, length));
                VM.stopPrank();
            }
        }
    }

    /// @dev MTH of leaves[from .. from + n), RFC 6962 section 2.1.
    function rootOf(bytes32[] memory leaves, uint64 from, uint64 n) private pure returns (bytes32) {
        if (n == 1) return leaves[from];
        uint64 k = split(n);
        return sha256(abi.encodePacked(bytes1(0x01), rootOf(leaves, from, k), rootOf(leaves, from + k, n - k)));
    }

    function consistency(
        bytes32[] memory leaves,
        uint64 m,
        uint64 from,
        uint64 n,
        bool complete,
        bytes32[] memory proof
    ) private pure returns (uint256 length) {
        if (m == n) {
            if (complete) return 0;
            proof[0] = rootOf(leaves, from, n);
            return 1;
        }
        uint64 k = split(n);
        if (m <= k) {
            length = consistency(leaves, m, from, k, complete, proof);
            proof[length] = rootOf(leaves, from + k, n - k);
        } else {
            length = consistency(leaves, m - k, from + k, n - k, false, proof);
            proof[length] = rootOf(leaves, from, k);
        }
        return length + 1;
    }

    function split(uint64 n) private pure returns (uint64 k) {
        k = 1;
        while (k < n - k) k *= 2;
    }

    function anchored(uint64 size, bytes32 root_) private returns (bytes32) {
        VM.prank(HOSPITAL);
        return anchor.anchor(ORIGIN, size, root_, new bytes32[](0));
    }

    function sizes(uint64 a, uint64 b) private pure returns (uint64 oldSize, uint64 newSize) {
        newSize = b % 2 ** 40 + 2;
        oldSize = a % (newSize - 1) + 1;
    }

    function resized(bytes32[] memory proof, uint256 length) private pure returns (bytes32[] memory result) {
        result = new bytes32[](length);
        for (uint256 i = 0; i < length && i < proof.length; ++i) {
            result[i] = proof[i];
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuditAnchor, SignedCheckpoint} from "../../contracts/interfaces/IAuditAnchor.sol";
import {Base} from "./support/Base.sol";
import {MerkleProofs} from "./support/MerkleProofs.sol";
import {Vm, VM} from "./support/Vm.sol";

/// @notice Witnesses' cosignatures and reports of forks.
contract WitnessesTest is Base {
    bytes32 private constant ORIGIN = keccak256("hospital.example/audit");
    uint256 private constant WARD_KEY = 0x3a4d;
    uint256 private constant AUDITOR_KEY = 0xa0d17;
    address private immutable WARD = VM.addr(WARD_KEY);
    address private immutable AUDITOR = VM.addr(AUDITOR_KEY);
    bytes32 private constant WARD_ID = keccak256("ward");
    bytes32 private constant AUDITOR_ID = keccak256("auditor");
    bytes32[] private none;
    bytes32 private logId;

    struct Rebuilt {
        uint64 size;
        bytes32 root;
        uint64 cosigned;
        uint40 cosignedAt;
        uint40 reportedAt;
        uint256 blockNumber;
        uint256 anchoredAt;
    }

    mapping(bytes32 => Rebuilt) private rebuilt;

    function setUp() public override {
        super.setUp();
        VM.startPrank(OPERATOR);
        participants.admit(WARD_ID, WARD, 1, NOW + 1 days, 0, 0);
        participants.admit(AUDITOR_ID, AUDITOR, 16, NOW + 1 days, 0, 0);
        VM.stopPrank();
        logId = anchor.logIdOf(WARD_ID, ORIGIN);
    }

    // --- cosignatures

    function test_cosign_theAnchoredCheckpoint_recordsIt() public {
        anchored(3, "root", none);
        VM.warp(NOW + 5);
        VM.prank(RELAYER);
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, AUDITOR, cosignature(AUDITOR_KEY, 3, "root"));
        (uint64 size, uint40 cosignedAt) = anchor.cosignedOf(logId, AUDITOR_ID);
        check(size == 3 && cosignedAt == NOW + 5, "recorded");
        (size,) = anchor.cosignedOf(logId, WARD_ID);
        equal(size, 0, "nobody else's");
    }

    function test_cosign_direct_needsNoSignature() public {
        anchored(3, "root", none);
        VM.prank(AUDITOR);
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, AUDITOR, "");
        (uint64 size,) = anchor.cosignedOf(logId, AUDITOR_ID);
        equal(size, 3, "recorded");
    }

    function test_cosign_anEarlierCheckpoint_onlyOnTheAnchoredHistory(uint64 a, uint64 b, uint256 seed) public {
        (uint64 oldSize, uint64 newSize) = sizes(a, b);
        MerkleProofs.Consistency memory c = MerkleProofs.consistency(oldSize, newSize, seed);
        anchored(newSize, c.newRoot, none);
        VM.startPrank(AUDITOR);
        bytes32 wrong = c.oldRoot ^ bytes32(uint256(1));
        VM.expectRevert(
            abi.encodeWithSelector(IAuditAnchor.ConsistencyProofInvalid.selector, oldSize, wrong)
        );
        anchor.cosign(WARD_ID, ORIGIN, oldSize, wrong, c.proof, AUDITOR, "");
        anchor.cosign(WARD_ID, ORIGIN, oldSize, c.oldRoot, c.proof, AUDITOR, "");
        (uint64 size,) = anchor.cosignedOf(logId, AUDITOR_ID);
        equal(size, oldSize, "the earlier one");
        anchor.cosign(WARD_ID, ORIGIN, newSize, c.newRoot, none, AUDITOR, "");
        VM.warp(NOW + 5);
        anchor.cosign(WARD_ID, ORIGIN, oldSize, c.oldRoot, c.proof, AUDITOR, "");
        uint40 cosignedAt;
        (size, cosignedAt) = anchor.cosignedOf(logId, AUDITOR_ID);
        check(size == newSize && cosignedAt == NOW, "the larger one covers the smaller");
    }

    function test_cosign_contradictingAheadOrEmpty_refused() public {
        anchored(3, "root", none);
        VM.startPrank(AUDITOR);
        VM.expectRevert(
            abi.encodeWithSelector(
                IAuditAnchor.CheckpointForks.selector, uint64(3), bytes32("fork"), bytes32("root")
            )
        );
        anchor.cosign(WARD_ID, ORIGIN, 3, "fork", none, AUDITOR, "");
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.CheckpointAhead.selector, uint64(4), uint64(3)));
        anchor.cosign(WARD_ID, ORIGIN, 4, "next", none, AUDITOR, "");
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.CheckpointEmpty.selector));
        anchor.cosign(WARD_ID, ORIGIN, 0, "", none, AUDITOR, "");
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.CheckpointAhead.selector, uint64(1), uint64(0)));
        anchor.cosign(CLINIC_ID, ORIGIN, 1, "root", none, AUDITOR, "");
    }

    function test_cosign_byOthersUnsignedOrForItsOwnLog_refused() public {
        anchored(3, "root", none);
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.NotWitness.selector, STRANGER));
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, STRANGER, "");
        VM.prank(WARD);
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.NotWitness.selector, WARD));
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, WARD, "");
        bytes memory reason = abi.encodeWithSelector(IAuditAnchor.SignatureInvalid.selector, AUDITOR);
        VM.expectRevert(reason);
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, AUDITOR, cosignature(WARD_KEY, 3, "root"));
        VM.expectRevert(reason);
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, AUDITOR, cosignature(AUDITOR_KEY, 2, "root"));
        bytes memory asCustodian = checkpoint(AUDITOR_KEY, 3, "root").signature;
        VM.expectRevert(reason);
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, AUDITOR, asCustodian);
        VM.startPrank(OPERATOR);
        participants.amend(WARD_ID, WARD, 1 | 16, NOW + 1 days, 0, 0);
        participants.suspend(AUDITOR_ID);
        VM.stopPrank();
        VM.prank(WARD);
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.WitnessOfOwnLog.selector, WARD_ID));
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, WARD, "");
        VM.prank(AUDITOR);
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.NotWitness.selector, AUDITOR));
        anchor.cosign(WARD_ID, ORIGIN, 3, "root", none, AUDITOR, "");
    }

    // --- forks

    function test_reportFork_sameSizeTwoRoots_leavesAnEvent() public {
        VM.recordLogs();
        VM.prank(STRANGER);
        anchor.reportFork(
            WARD_ID, ORIGIN, WARD, checkpoint(WARD_KEY, 3, "one"), checkpoint(WARD_KEY, 3, "two"), 0, none
        );
        Vm.Log[] memory logs = VM.getRecordedLogs();
        check(logs.length == 1 && logs[0].topics[0] == IAuditAnchor.ForkReported.selector, "an event");
        check(logs[0].topics[1] == logId && logs[0].topics[2] == WARD_ID, "of this log");
        equal(anchor.forkReportedAt(logId), NOW, "and a date");
    }

    function test_reportFork_smallerNotAPrefix_leavesAnEvent(uint64 a, uint64 b, uint256 seed) public {
        (uint64 oldSize, uint64 newSize) = sizes(a, b);
        MerkleProofs.Consistency memory c = MerkleProofs.consistency(oldSize, newSize, seed);
        SignedCheckpoint memory larger = checkpoint(WARD_KEY, newSize, c.newRoot);
        SignedCheckpoint memory forked = checkpoint(WARD_KEY, oldSize, "forked");
        anchor.reportFork(WARD_ID, ORIGIN, WARD, forked, larger, c.oldRoot, c.proof);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, larger, forked, c.oldRoot, c.proof);
        equal(anchor.forkReportedAt(logId), NOW, "shown in either order");
    }

    function test_reportFork_oneHistory_cannotBeFramed(uint64 a, uint64 b, uint256 seed) public {
        (uint64 oldSize, uint64 newSize) = sizes(a, b);
        MerkleProofs.Consistency memory c = MerkleProofs.consistency(oldSize, newSize, seed);
        anchored(oldSize, c.oldRoot, none);
        anchored(newSize, c.newRoot, c.proof);
        SignedCheckpoint memory smaller = checkpoint(WARD_KEY, oldSize, c.oldRoot);
        SignedCheckpoint memory larger = checkpoint(WARD_KEY, newSize, c.newRoot);
        bytes memory reason = abi.encodeWithSelector(IAuditAnchor.ForkNotShown.selector);
        VM.expectRevert(reason);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, smaller, larger, c.oldRoot, c.proof);
        VM.expectRevert(reason);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, larger, larger, c.oldRoot, c.proof);
        bytes32 invented = c.oldRoot ^ bytes32(uint256(1) << seed % 256);
        VM.expectRevert(reason);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, smaller, larger, invented, c.proof);
        VM.expectRevert(reason);
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, smaller, invented, c.proof);
        VM.expectRevert(reason);
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, larger, invented, c.proof);
        c.proof[seed % c.proof.length] ^= bytes32(uint256(1));
        VM.expectRevert(reason);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, smaller, larger, invented, c.proof);
        equal(anchor.forkReportedAt(logId), 0, "nothing reported");
    }

    function test_reportFork_ofAnchored_smallerSameOrLarger(uint64 a, uint64 b, uint256 seed) public {
        (uint64 oldSize, uint64 newSize) = sizes(a, b);
        MerkleProofs.Consistency memory c = MerkleProofs.consistency(oldSize, newSize, seed);
        anchored(newSize, c.newRoot, none);
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, checkpoint(WARD_KEY, newSize, "fork"), 0, none);
        SignedCheckpoint memory forked = checkpoint(WARD_KEY, oldSize, "fork");
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, forked, c.oldRoot, c.proof);
        // A larger tree whose prefix at the anchored size is another one.
        MerkleProofs.Consistency memory d = MerkleProofs.consistency(newSize, newSize + 1, seed ^ 1);
        SignedCheckpoint memory grown = checkpoint(WARD_KEY, newSize + 1, d.newRoot);
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, grown, d.oldRoot, d.proof);
        (uint64 size, bytes32 root,,) = anchor.headOf(logId);
        check(size == newSize && root == c.newRoot, "the anchored history stands");
    }

    function test_reportFork_notSignedByTheLogsCustodian_refused() public {
        SignedCheckpoint memory one = checkpoint(WARD_KEY, 3, "one");
        SignedCheckpoint memory two = checkpoint(WARD_KEY, 3, "two");
        bytes memory other = abi.encodeWithSelector(IAuditAnchor.NotCustodianOfLog.selector, AUDITOR, WARD_ID);
        VM.expectRevert(other);
        anchor.reportFork(WARD_ID, ORIGIN, AUDITOR, one, two, 0, none);
        VM.expectRevert(other);
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, AUDITOR, one, 0, none);
        VM.expectRevert(
            abi.encodeWithSelector(IAuditAnchor.NotCustodianOfLog.selector, STRANGER, bytes32(0))
        );
        anchor.reportFork(0, ORIGIN, STRANGER, one, two, 0, none);
        bytes memory reason = abi.encodeWithSelector(IAuditAnchor.SignatureInvalid.selector, WARD);
        two.signature = cosignature(WARD_KEY, 3, "two");
        VM.expectRevert(reason);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, one, two, 0, none);
        VM.expectRevert(reason);
        anchor.reportFork(WARD_ID, keccak256("another log"), WARD, one, one, 0, none);
        // The custodian itself as sender does not stand for a signature: it would frame itself with no evidence.
        VM.prank(WARD);
        VM.expectRevert(reason);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, one, SignedCheckpoint(3, "two", ""), 0, none);
    }

    function test_reportFork_whateverTheStanding_andTheFirstDateStays() public {
        SignedCheckpoint memory one = checkpoint(WARD_KEY, 3, "one");
        SignedCheckpoint memory two = checkpoint(WARD_KEY, 3, "two");
        VM.prank(OPERATOR);
        participants.remove(WARD_ID);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, one, two, 0, none);
        VM.warp(NOW + 9);
        anchor.reportFork(WARD_ID, ORIGIN, WARD, two, one, 0, none);
        equal(anchor.forkReportedAt(logId), NOW, "first date");
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.ForkNotShown.selector));
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, one, 0, none);
        SignedCheckpoint memory empty = checkpoint(WARD_KEY, 0, "one");
        VM.expectRevert(abi.encodeWithSelector(IAuditAnchor.ForkNotShown.selector));
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, empty, 0, none);
    }

    // --- rebuild

    function test_auditStorage_equalsReplayOfEvents(uint64 a, uint64 b, uint256 seed) public {
        (uint64 oldSize, uint64 newSize) = sizes(a, b);
        MerkleProofs.Consistency memory c = MerkleProofs.consistency(oldSize, newSize, seed);
        VM.recordLogs();
        anchored(oldSize, c.oldRoot, none);
        replay();
        VM.warp(NOW + 10);
        VM.roll(block.number + 3);
        anchored(newSize, c.newRoot, c.proof);
        anchored(newSize, c.newRoot, none);
        replay();
        VM.warp(NOW + 20);
        bytes memory signature = cosignature(AUDITOR_KEY, oldSize, c.oldRoot);
        anchor.cosign(WARD_ID, ORIGIN, oldSize, c.oldRoot, c.proof, AUDITOR, signature);
        anchor.cosign(WARD_ID, ORIGIN, oldSize, c.oldRoot, c.proof, AUDITOR, signature);
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, checkpoint(WARD_KEY, newSize, "fork"), 0, none);
        replay();
        VM.warp(NOW + 30);
        anchor.reportForkOfAnchored(WARD_ID, ORIGIN, WARD, checkpoint(WARD_KEY, newSize, "fork"), 0, none);
        replay();
        Rebuilt memory made = rebuilt[logId];
        (uint64 size, bytes32 root, uint64 blockNumber, uint40 anchoredAt) = anchor.headOf(logId);
        check(size == made.size && root == made.root, "head");
        check(blockNumber == made.blockNumber && anchoredAt == made.anchoredAt, "head's block");
        (uint64 cosigned, uint40 cosignedAt) = anchor.cosignedOf(logId, AUDITOR_ID);
        check(cosigned == made.cosigned && cosignedAt == made.cosignedAt, "cosignature");
        equal(anchor.forkReportedAt(logId), made.reportedAt, "report");
    }

    function replay() private {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            Rebuilt storage made = rebuilt[logs[i].topics[1]];
            if (logs[i].topics[0] == IAuditAnchor.CheckpointAnchored.selector) {
                (made.size, made.root) = abi.decode(logs[i].data, (uint64, bytes32));
                (made.blockNumber, made.anchoredAt) = (block.number, block.timestamp);
            } else if (logs[i].topics[0] == IAuditAnchor.CheckpointCosigned.selector) {
                (made.cosigned,, made.cosignedAt) = abi.decode(logs[i].data, (uint64, bytes32, uint40));
            } else if (logs[i].topics[0] == IAuditAnchor.ForkReported.selector && made.reportedAt == 0) {
                (,,,, made.reportedAt) = abi.decode(logs[i].data, (uint64, bytes32, uint64, bytes32, uint40));
            }
        }
    }

    function anchored(uint64 size, bytes32 root, bytes32[] memory proof) private {
        VM.prank(WARD);
        anchor.anchor(ORIGIN, size, root, proof);
    }

    function checkpoint(uint256 key, uint64 size, bytes32 root) private view returns (SignedCheckpoint memory) {
        return SignedCheckpoint(size, root, signature_("SignCheckpoint", key, size, root));
    }

    function cosignature(uint256 key, uint64 size, bytes32 root) private view returns (bytes memory) {
        return signature_("CosignCheckpoint", key, size, root);
    }

    function signature_(string memory name, uint256 key, uint64 size, bytes32 root)
        private
        view
        returns (bytes memory)
    {
        bytes32 kind = keccak256(bytes(string.concat(name, "(bytes32 log,uint64 size,bytes32 root)")));
        bytes32 command = keccak256(abi.encode(kind, logId, size, root));
        return signDigest(key, typed(domain("Assent Audit", address(anchor)), command));
    }

    function sizes(uint64 a, uint64 b) private pure returns (uint64 oldSize, uint64 newSize) {
        newSize = b % 2 ** 40 + 2;
        oldSize = a % (newSize - 1) + 1;
    }
}

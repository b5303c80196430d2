// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKeyRegistry} from "../../contracts/interfaces/IKeyRegistry.sol";
import {ISuccessionErrors} from "../../contracts/interfaces/ISuccession.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {Deploy} from "./support/Deploy.sol";
import {KeyBase} from "./support/KeyBase.sol";
import {RecoveryBase} from "./support/RecoveryBase.sol";
import {Succeeding} from "./support/Succeeding.sol";
import {VM} from "./support/Vm.sol";

/// @notice After a succession the highest number counts, here and there, and what was bound there too late does not.
contract KeySuccessionTest is KeyBase, Succeeding {
    function setUp() public override(ConsentBase, RecoveryBase) {
        super.setUp();
        for (uint256 i = 0; i < 3; ++i) {
            ids.push(delegationId(named[i]));
        }
        bound(OTHER_KEY, 1);
        bound(KEY, 2);
        VM.warp(NOW + 1 hours);
        succeed();
        adopt();
        VM.warp(NOW + 2 hours);
    }

    function test_key_boundThereBefore_countsOnUntilANewerOne() public {
        useNew();
        expectKey(KEY, 2, NOW);
        bytes memory signature = signKey(PATIENT_KEY, bindingOf(SUBJECT, OTHER_KEY, 1, FOREVER));
        VM.expectRevert(abi.encodeWithSelector(IKeyRegistry.SequenceNotNext.selector, uint32(1), uint32(3)));
        keys.bindKey(SUBJECT, OTHER_KEY, 1, FOREVER, signature);
        bytes memory allowed = signKey(PATIENT_KEY, mediationOf(SEGMENT_KIND, 2, FOREVER));
        keys.checkMediated(SUBJECT, SEGMENT_KIND, 2, FOREVER, allowed);
        bound(OTHER_KEY, 3);
        expectKey(OTHER_KEY, 3, NOW + 2 hours);
        useOld();
        expectKey(KEY, 2, NOW);
    }

    function test_key_withdrawnHere_staysWithdrawn() public {
        useNew();
        withdrawn(2);
        expectKey(0, 2, 0);
        withdrawn(1);
        withdrawn(2);
        bound(OTHER_KEY, 3);
        withdrawn(2);
        expectKey(OTHER_KEY, 3, NOW + 2 hours);
        withdrawn(4);
        expectKey(0, 4, 0);
        bytes memory signature = signKey(PATIENT_KEY, withdrawalOf(SUBJECT, 6));
        VM.expectRevert(abi.encodeWithSelector(IKeyRegistry.SequenceNotNext.selector, uint32(6), uint32(5)));
        keys.withdrawKey(SUBJECT, 6, signature);
        signature = signKey(STRANGER_KEY, withdrawalOf(SUBJECT, 5));
        VM.expectRevert(abi.encodeWithSelector(IKeyRegistry.SignatureInvalid.selector, PATIENT));
        keys.withdrawKey(SUBJECT, 5, signature);
    }

    function test_key_withdrawnThere_endsHere() public {
        withdrawn(2);
        useNew();
        expectKey(0, 2, 0);
        bound(OTHER_KEY, 3);
        useOld();
        withdrawn(3);
        useNew();
        expectKey(0, 3, 0);
        bound(KEY, 4);
        expectKey(KEY, 4, NOW + 2 hours);
    }

    function test_key_boundThereAfterAdoption_neverCountsHere() public {
        bound(OTHER_KEY, 3);
        useNew();
        expectKey(0, 3, 0);
        bound(KEY, 4);
        useOld();
        bound(OTHER_KEY, 4);
        useNew();
        expectKey(0, 4, 0);
        useOld();
        bound(OTHER_KEY, 5);
        useNew();
        expectKey(0, 5, 0);
        bound(KEY, 6);
        expectKey(KEY, 6, NOW + 2 hours);
        check(newKeys.keysOf(subjects())[0].keyHash == KEY, "of many");
    }

    function test_key_boundThereInTheSecondOfAdoption_doesNotCount() public {
        open(OTHER, PATIENT_KEY, DESK);
        successor.adopt(OTHER, new bytes32[](0));
        keys.bindKey(OTHER, KEY, 1, FOREVER, signKey(PATIENT_KEY, bindingOf(OTHER, KEY, 1, FOREVER)));
        check(oldKeys.keyOf(OTHER).keyHash == KEY, "bound there");
        check(newKeys.keyOf(OTHER).keyHash == 0, "bound here");
    }

    function test_key_recoveredHereOrThere_noLongerCounts() public {
        uint256 before = VM.snapshotState();
        recoverInUse();
        check(newKeys.keyOf(SUBJECT).keyHash == 0, "recovered there");
        VM.revertToState(before);
        useNew();
        recoverInUse();
        expectKey(0, 2, 0);
        useOld();
        expectKey(KEY, 2, NOW);
    }

    function test_key_ofSubjectNotAdopted_unknown() public {
        open(OTHER, PATIENT_KEY, DESK);
        keys.bindKey(OTHER, KEY, 1, FOREVER, signKey(PATIENT_KEY, bindingOf(OTHER, KEY, 1, FOREVER)));
        check(newKeys.keyOf(OTHER).keyHash == 0, "counts before its adoption");
        bytes memory reason = abi.encodeWithSelector(IKeyRegistry.SubjectUnknown.selector, OTHER);
        VM.expectRevert(reason);
        newKeys.bindKey(OTHER, KEY, 2, FOREVER, "");
        VM.expectRevert(reason);
        newKeys.withdrawKey(OTHER, 1, "");
        VM.warp(block.timestamp + 1);
        successor.adopt(OTHER, new bytes32[](0));
        check(newKeys.keyOf(OTHER).keyHash == KEY, "counts after it");
    }

    function test_key_chainOfSuccessions_countsThrough() public {
        IKeyRegistry first = keys;
        useNew();
        succeed();
        adopt();
        VM.warp(NOW + 3 hours);
        useNew();
        expectKey(KEY, 2, NOW);
        keys = first;
        withdrawn(2);
        useNew();
        expectKey(0, 2, 0);
        bound(OTHER_KEY, 3);
        expectKey(OTHER_KEY, 3, NOW + 3 hours);
    }

    function test_deploy_ofAnotherRegistrysKeys_refused() public {
        IKeyRegistry others = Deploy.keyRegistry(successor);
        VM.expectRevert(
            abi.encodeWithSelector(ISuccessionErrors.PredecessorsDiffer.selector, address(successor), address(old))
        );
        this.deployKeys(others);
    }

    function deployKeys(IKeyRegistry predecessor) external {
        Deploy.succeedingKeyRegistry(predecessor, successor);
    }

    function recoverInUse() private {
        proposed();
        VM.warp(block.timestamp + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
    }

    function subjects() private pure returns (uint96[] memory list) {
        list = new uint96[](1);
        list[0] = SUBJECT;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRecordRegistry} from "../../contracts/interfaces/IRecordRegistry.sol";
import {Base} from "./support/Base.sol";
import {VM} from "./support/Vm.sol";

contract RecordsTest is Base {
    function test_commit_byCustodian_recordsWhoAndWhen() public {
        VM.prank(HOSPITAL);
        records.commit("version");
        (uint40 committedAt, uint40 withdrawnAt) = records.commitmentOf(HOSPITAL, "version");
        check(committedAt == NOW && withdrawnAt == 0, "committed");
        (committedAt,) = records.commitmentOf(CLINIC, "version");
        equal(committedAt, 0, "nobody else's");
    }

    function test_commit_byOthers_refused() public {
        VM.startPrank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.NotCustodian.selector, STRANGER));
        records.commit("version");
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.NotCustodian.selector, STRANGER));
        records.commitBatch(new bytes32[](0));
    }

    function test_commit_frontRun_harmsNobody() public {
        VM.prank(CLINIC);
        records.commit("version");
        VM.prank(HOSPITAL);
        records.commit("version");
        (uint40 committedAt,) = records.commitmentOf(HOSPITAL, "version");
        equal(committedAt, NOW, "both stand");
    }

    function test_commit_twiceOrZero_refused() public {
        VM.startPrank(HOSPITAL);
        records.commit("version");
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.AlreadyCommitted.selector, bytes32("version")));
        records.commit("version");
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.CommitmentZero.selector));
        records.commit(0);
    }

    function test_commitBatch_repeated_passesOverTheKnown() public {
        bytes32[] memory commitments = new bytes32[](3);
        commitments[0] = "one";
        commitments[1] = "two";
        commitments[2] = "one";
        VM.startPrank(HOSPITAL);
        records.commitBatch(commitments);
        VM.warp(NOW + 5);
        records.commitBatch(commitments);
        (uint40 committedAt,) = records.commitmentOf(HOSPITAL, "two");
        equal(committedAt, NOW, "first date stands");
    }

    function test_withdraw_byItsCustodian_evenSuspended() public {
        VM.prank(HOSPITAL);
        records.commit("version");
        VM.prank(OPERATOR);
        participants.suspend(HOSPITAL_ID);
        VM.warp(NOW + 5);
        VM.prank(HOSPITAL);
        records.withdraw("version");
        VM.warp(NOW + 9);
        VM.prank(HOSPITAL);
        records.withdraw("version");
        (, uint40 withdrawnAt) = records.commitmentOf(HOSPITAL, "version");
        equal(withdrawnAt, NOW + 5, "first date stands");
    }

    function test_withdraw_anothers_refused() public {
        VM.prank(HOSPITAL);
        records.commit("version");
        VM.prank(CLINIC);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.CommitmentUnknown.selector, bytes32("version")));
        records.withdraw("version");
    }
}

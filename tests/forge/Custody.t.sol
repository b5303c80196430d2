// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRecordRegistry} from "../../contracts/interfaces/IRecordRegistry.sol";
import {Base} from "./support/Base.sol";
import {Vm, VM} from "./support/Vm.sol";
import {HonestWallet} from "./support/Wallets.sol";

/// @notice Transfer of custody.
contract CustodyTest is Base {
    uint256 private constant OLD_KEY = 0x01d;
    uint256 private constant NEW_KEY = 0x4e3;
    address private immutable OLD = VM.addr(OLD_KEY);
    address private immutable NEW = VM.addr(NEW_KEY);
    bytes32 private constant OLD_ID = keccak256("old");
    bytes32 private constant NEW_ID = keccak256("new");
    uint40 private constant BY = NOW + 7 days;

    struct Dates {
        uint40 committedAt;
        uint40 withdrawnAt;
    }

    mapping(address => mapping(bytes32 => Dates)) private rebuilt;
    mapping(bytes32 => bool) private rebuiltTransfers;

    function setUp() public override {
        super.setUp();
        VM.startPrank(OPERATOR);
        participants.admit(OLD_ID, OLD, 1, NOW + 1000 days, 0, 0);
        participants.admit(NEW_ID, NEW, 1, NOW + 1000 days, 0, 0);
        VM.stopPrank();
    }

    function test_transferCustody_bothSigned_movesAllAndKeepsTheFirstDates() public {
        bytes32[] memory list = committed(OLD, 3);
        VM.warp(NOW + 100);
        VM.prank(RELAYER);
        bytes32 transfer = transfer_(list, BY);
        check(transfer == transferId(OLD, NEW, list, BY) && records.isTransferred(transfer), "its id");
        for (uint256 i = 0; i < 3; ++i) {
            expectDates(NEW, list[i], NOW, 0);
            expectDates(OLD, list[i], 0, 0);
        }
        VM.prank(NEW);
        records.withdraw(list[0]);
        expectDates(NEW, list[0], NOW, NOW + 100);
        VM.prank(OLD);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.CommitmentUnknown.selector, list[1]));
        records.withdraw(list[1]);
    }

    function test_transferCustody_eitherSends_needsOnlyTheOther() public {
        bytes32[] memory list = committed(OLD, 2);
        bytes memory fromSignature = signed(OLD_KEY, transferId(OLD, NEW, list, BY));
        VM.prank(NEW);
        records.transferCustody(OLD, NEW, list, BY, fromSignature, "");
        bytes memory toSignature = signed(OLD_KEY, transferId(NEW, OLD, list, BY));
        VM.prank(NEW);
        records.transferCustody(NEW, OLD, list, BY, "", toSignature);
        expectDates(OLD, list[1], NOW, 0);
    }

    function test_transferCustody_byWallet_asksIt() public {
        HonestWallet wallet = new HonestWallet();
        VM.prank(OPERATOR);
        participants.amend(NEW_ID, address(wallet), 1, NOW + 1 days, 0, 0);
        bytes32[] memory list = committed(OLD, 1);
        bytes32 transfer = transferId(OLD, address(wallet), list, BY);
        bytes memory fromSignature = signed(OLD_KEY, transfer);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.SignatureInvalid.selector, address(wallet)));
        records.transferCustody(OLD, address(wallet), list, BY, fromSignature, "x");
        wallet.confirm(typed(domain("Assent Records", address(records)), transfer));
        records.transferCustody(OLD, address(wallet), list, BY, fromSignature, "x");
        expectDates(address(wallet), list[0], NOW, 0);
    }

    function test_transferCustody_oneSignatureMissingOrOther_refused() public {
        bytes32[] memory list = committed(OLD, 2);
        bytes32 transfer = transferId(OLD, NEW, list, BY);
        bytes memory fromSignature = signed(OLD_KEY, transfer);
        bytes memory toSignature = signed(NEW_KEY, transfer);
        VM.startPrank(RELAYER);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.SignatureInvalid.selector, NEW));
        records.transferCustody(OLD, NEW, list, BY, fromSignature, fromSignature);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.SignatureInvalid.selector, OLD));
        records.transferCustody(OLD, NEW, list, BY, toSignature, toSignature);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.SignatureInvalid.selector, OLD));
        records.transferCustody(OLD, NEW, list, BY + 1, fromSignature, toSignature);
        list[1] = list[0];
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.SignatureInvalid.selector, OLD));
        records.transferCustody(OLD, NEW, list, BY, fromSignature, toSignature);
    }

    function test_transferCustody_toNoCustodianItselfOrTooLate_refused() public {
        bytes32[] memory list = committed(OLD, 1);
        VM.startPrank(OLD);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.NotCustodian.selector, STRANGER));
        records.transferCustody(OLD, STRANGER, list, BY, "", "");
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.CustodianSame.selector, OLD));
        records.transferCustody(OLD, OLD, list, BY, "", "");
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.SubmittedTooLate.selector, NOW - 1));
        records.transferCustody(OLD, NEW, list, NOW - 1, "", "");
        VM.stopPrank();
        VM.prank(OPERATOR);
        participants.suspend(NEW_ID);
        VM.prank(OLD);
        VM.expectRevert(abi.encodeWithSelector(IRecordRegistry.NotCustodian.selector, NEW));
        records.transferCustody(OLD, NEW, list, BY, "", "");
    }

    function test_transferCustody_fromAClosingCustodian_works() public {
        bytes32[] memory list = committed(OLD, 1);
        VM.prank(OPERATOR);
        participants.remove(OLD_ID);
        transfer_(list, BY);
        expectDates(NEW, list[0], NOW, 0);
    }

    function test_transferCustody_withdrawnByEither_refusedWhole() public {
        bytes32[] memory list = committed(OLD, 3);
        VM.prank(OLD);
        records.withdraw(list[1]);
        expectRefused(list, abi.encodeWithSelector(IRecordRegistry.CommitmentWithdrawn.selector, list[1]));
        expectDates(OLD, list[0], NOW, 0);
        expectDates(NEW, list[0], 0, 0);
        VM.startPrank(NEW);
        records.commit(list[2]);
        records.withdraw(list[2]);
        VM.stopPrank();
        bytes32[] memory last = new bytes32[](1);
        last[0] = list[2];
        expectRefused(last, abi.encodeWithSelector(IRecordRegistry.CommitmentWithdrawn.selector, list[2]));
        expectDates(NEW, list[2], NOW, NOW);
    }

    function test_transferCustody_unknownOrTwiceInTheList_refusedWhole() public {
        bytes32[] memory list = committed(OLD, 2);
        list[1] = "unknown";
        expectRefused(list, abi.encodeWithSelector(IRecordRegistry.CommitmentUnknown.selector, list[1]));
        list[1] = list[0];
        expectRefused(list, abi.encodeWithSelector(IRecordRegistry.CommitmentUnknown.selector, list[0]));
    }

    function test_transferCustody_replayedAfterItCameBack_refused() public {
        bytes32[] memory list = committed(OLD, 1);
        bytes32 transfer = transfer_(list, BY);
        bytes memory back = signed(OLD_KEY, transferId(NEW, OLD, list, BY));
        VM.prank(NEW);
        records.transferCustody(NEW, OLD, list, BY, "", back);
        expectRefused(list, abi.encodeWithSelector(IRecordRegistry.AlreadyTransferred.selector, transfer));
        transfer_(list, BY + 1);
        expectDates(NEW, list[0], NOW, 0);
    }

    function test_transferCustody_toWhoCommittedToo_keepsTheEarlierDate(bool newFirst) public {
        bytes32[] memory list = committed(newFirst ? NEW : OLD, 1);
        VM.warp(NOW + 50);
        VM.prank(newFirst ? OLD : NEW);
        records.commit(list[0]);
        transfer_(list, BY);
        expectDates(NEW, list[0], NOW, 0);
        VM.prank(OLD);
        records.commit(list[0]);
        expectDates(OLD, list[0], NOW + 50, 0);
        expectDates(NEW, list[0], NOW, 0);
    }

    function test_recordStorage_equalsReplayOfEvents(uint256 seed) public {
        VM.recordLogs();
        uint256 time = NOW;
        for (uint256 step = 0; step < 24; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            VM.warp(time += seed % 100);
            act(seed);
        }
        replay();
        for (uint256 i = 0; i < 8; ++i) {
            Dates memory found = rebuilt[account(i)][bytes32(1 + i / 2)];
            expectDates(account(i), bytes32(1 + i / 2), found.committedAt, found.withdrawnAt);
        }
    }

    function account(uint256 number) private view returns (address) {
        return number % 2 == 0 ? OLD : NEW;
    }

    function act(uint256 luck) private {
        bytes32[] memory list = new bytes32[](1);
        list[0] = bytes32(1 + luck / 16 % 4);
        if (luck % 4 == 0) {
            VM.prank(account(luck / 4));
            try records.withdraw(list[0]) {} catch {}
        } else if (luck % 4 == 1) {
            VM.prank(account(luck / 4));
            records.commitBatch(list);
        } else {
            pass(luck / 4, list, BY + uint40(luck / 64 % 1000));
        }
    }

    function pass(uint256 giver, bytes32[] memory list, uint40 by) private {
        bytes32 transfer = transferId(account(giver), account(giver + 1), list, by);
        bytes memory signature = signed(giver % 2 == 0 ? NEW_KEY : OLD_KEY, transfer);
        VM.prank(account(giver));
        try records.transferCustody(account(giver), account(giver + 1), list, by, "", signature) {
            rebuiltTransfers[transfer] = true;
        } catch {}
        check(records.isTransferred(transfer) == rebuiltTransfers[transfer], "transfer");
    }

    function replay() private {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32 value = logs[i].topics[1];
            address holder = address(uint160(uint256(logs[i].topics[2])));
            if (logs[i].topics[0] == IRecordRegistry.CustodyTransferred.selector) {
                check(records.isTransferred(value) && rebuiltTransfers[value], "transfer replayed");
                continue;
            }
            uint40 time = abi.decode(logs[i].data, (uint40));
            if (logs[i].topics[0] == IRecordRegistry.RecordCommitted.selector) {
                rebuilt[holder][value] = Dates(time, 0);
            } else if (logs[i].topics[0] == IRecordRegistry.RecordWithdrawn.selector) {
                rebuilt[holder][value].withdrawnAt = time;
            } else {
                delete rebuilt[holder][value];
                rebuilt[address(uint160(uint256(logs[i].topics[3])))][value] = Dates(time, 0);
            }
        }
    }

    function committed(address custodian, uint256 count) private returns (bytes32[] memory list) {
        list = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = keccak256(abi.encode("version", i));
        }
        VM.prank(custodian);
        records.commitBatch(list);
    }

    /// @dev From the old to the new custodian, relayed.
    function transfer_(bytes32[] memory list, uint40 submitBy) private returns (bytes32) {
        bytes32 transfer = transferId(OLD, NEW, list, submitBy);
        return
            records.transferCustody(OLD, NEW, list, submitBy, signed(OLD_KEY, transfer), signed(NEW_KEY, transfer));
    }

    function expectRefused(bytes32[] memory list, bytes memory reason) private {
        bytes32 transfer = transferId(OLD, NEW, list, BY);
        bytes memory fromSignature = signed(OLD_KEY, transfer);
        bytes memory toSignature = signed(NEW_KEY, transfer);
        VM.expectRevert(reason);
        records.transferCustody(OLD, NEW, list, BY, fromSignature, toSignature);
    }

    function expectDates(address custodian, bytes32 commitment, uint40 committedAt, uint40 withdrawnAt) private view {
        (uint40 foundCommitted, uint40 foundWithdrawn) = records.commitmentOf(custodian, commitment);
        equal(foundCommitted, committedAt, "committed");
        equal(foundWithdrawn, withdrawnAt, "withdrawn");
    }

    function transferId(address from, address to, bytes32[] memory list, uint40 submitBy)
        private
        pure
        returns (bytes32)
    {
        string memory kind = "TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy)";
        return keccak256(
            abi.encode(keccak256(bytes(kind)), from, to, keccak256(abi.encodePacked(list)), submitBy)
        );
    }

    function signed(uint256 key, bytes32 command) private view returns (bytes memory) {
        return signDigest(key, typed(domain("Assent Records", address(records)), command));
    }
}

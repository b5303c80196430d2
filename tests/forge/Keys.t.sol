// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BoundKey, IKeyRegistry} from "../../contracts/interfaces/IKeyRegistry.sol";
import {Signatures} from "../../contracts/libraries/Signatures.sol";
import {KeyBase} from "./support/KeyBase.sol";
import {Vm, VM} from "./support/Vm.sol";
import {BurningWallet, HonestWallet} from "./support/Wallets.sol";

/// @notice A patient's key is the one that the controller bound last.
contract KeysTest is KeyBase {
    struct Rebuilt {
        bytes32 keyHash;
        uint32 sequence;
        uint40 boundAt;
    }

    Rebuilt private rebuilt;

    function refused(bytes memory reason, bytes32 keyHash, uint32 sequence, uint40 submitBy, bytes memory signature)
        private
    {
        VM.expectRevert(reason);
        keys.bindKey(SUBJECT, keyHash, sequence, submitBy, signature);
    }

    function invalid(address signer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IKeyRegistry.SignatureInvalid.selector, signer);
    }

    function notNext(uint32 signed, uint32 next) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IKeyRegistry.SequenceNotNext.selector, signed, next);
    }

    // --- binding

    function test_bindKey_signedOrDirect_countsFromItsBlock() public {
        expectKey(0, 0, 0);
        VM.prank(RELAYER);
        bound(KEY, 1);
        expectKey(KEY, 1, NOW);
        VM.warp(NOW + 5);
        VM.prank(PATIENT);
        keys.bindKey(SUBJECT, OTHER_KEY, 2, NOW + 5, "");
        expectKey(OTHER_KEY, 2, NOW + 5);
    }

    function test_bindKey_byWallet_asksIt() public {
        open(OTHER, STRANGER_KEY, DESK);
        VM.etch(STRANGER, address(new HonestWallet()).code);
        VM.expectRevert(invalid(STRANGER));
        keys.bindKey(OTHER, KEY, 1, FOREVER, "x");
        HonestWallet(STRANGER).confirm(
            typed(domain("Assent Keys", address(keys)), bindingOf(OTHER, KEY, 1, FOREVER))
        );
        keys.bindKey(OTHER, KEY, 1, FOREVER, "x");
        check(keys.keyOf(OTHER).keyHash == KEY, "the wallet confirmed");
    }

    function test_bindKey_byWalletThatBurnsItsGas_costsAtMostTheCap() public {
        open(OTHER, STRANGER_KEY, DESK);
        VM.etch(STRANGER, address(new BurningWallet()).code);
        uint256 before = gasleft();
        VM.expectRevert(invalid(STRANGER));
        keys.bindKey(OTHER, KEY, 1, FOREVER, "x");
        check(before - gasleft() < Signatures.WALLET_GAS + 60_000, "bounded");
    }

    function test_bindKey_byAnyoneButTheController_refused() public {
        delegated(CARER_KEY, 15);
        bytes32 command = bindingOf(SUBJECT, KEY, 1, FOREVER);
        uint256[5] memory others = [STRANGER_KEY, CARER_KEY, guardianKeys[0], HOSPITAL_KEY, NEW_KEY];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = signKey(others[i], command);
            VM.prank(VM.addr(others[i]));
            refused(invalid(PATIENT), KEY, 1, FOREVER, signature);
        }
        VM.prank(OPERATOR);
        refused(invalid(PATIENT), KEY, 1, FOREVER, "");
        expectKey(0, 0, 0);
    }

    function test_bindKey_ofASubjectUnderGuardians_refused() public {
        openChild(DESK);
        bytes memory signature = signKey(GUARDIAN_KEY, bindingOf(CHILD, KEY, 1, FOREVER));
        VM.startPrank(GUARDIAN);
        VM.expectRevert(invalid(address(0)));
        keys.bindKey(CHILD, KEY, 1, FOREVER, signature);
        VM.expectRevert(invalid(address(0)));
        keys.bindKey(CHILD, KEY, 1, FOREVER, "");
        VM.expectRevert(invalid(address(0)));
        keys.withdrawKey(CHILD, 1, "");
        VM.stopPrank();
    }

    function test_bindKey_anyFieldChangedOrOtherCommand_refused(uint8 field) public {
        bytes memory signature = signKey(PATIENT_KEY, bindingOf(SUBJECT, KEY, 1, NOW));
        refused(invalid(PATIENT), OTHER_KEY, 1, NOW, signature);
        refused(invalid(PATIENT), KEY, 1, NOW + 1, signature);
        open(OTHER, PATIENT_KEY, DESK);
        VM.expectRevert(invalid(PATIENT));
        keys.bindKey(OTHER, KEY, 1, NOW, signature);
        refused(invalid(PATIENT), KEY, 1, NOW, signKey(PATIENT_KEY, withdrawalOf(SUBJECT, 1)));
        refused(invalid(PATIENT), KEY, 1, NOW, signKey(PATIENT_KEY, mediationOf(KEY, 1, NOW)));
        refused(invalid(PATIENT), KEY, 1, NOW, sign(PATIENT_KEY, bindingOf(SUBJECT, KEY, 1, NOW)));
        signature[uint256(field) % 65] ^= 0x01;
        refused(invalid(PATIENT), KEY, 1, NOW, signature);
    }

    function test_bindKey_zeroLateOrUnknown_refused() public {
        VM.startPrank(PATIENT);
        refused(abi.encodeWithSelector(IKeyRegistry.KeyHashZero.selector), 0, 1, FOREVER, "");
        refused(abi.encodeWithSelector(IKeyRegistry.SubmittedTooLate.selector, NOW - 1), KEY, 1, NOW - 1, "");
        VM.stopPrank();
        VM.expectRevert(abi.encodeWithSelector(IKeyRegistry.SubjectUnknown.selector, uint96(999)));
        keys.bindKey(999, KEY, 1, FOREVER, "");
        VM.expectRevert(abi.encodeWithSelector(IKeyRegistry.SubjectUnknown.selector, uint96(999)));
        keys.withdrawKey(999, 1, "");
        BoundKey memory none = keys.keyOf(999);
        check(none.keyHash == 0 && none.sequence == 0, "nothing");
    }

    function test_bindKey_againOrOutOfOrder_refusedAndNothingComesBack(uint32 sequence) public {
        bound(KEY, 1);
        bound(OTHER_KEY, 2);
        VM.assume(sequence != 3);
        VM.startPrank(PATIENT);
        refused(notNext(sequence, 3), KEY, sequence, FOREVER, "");
        VM.stopPrank();
        refused(notNext(1, 3), KEY, 1, FOREVER, signKey(PATIENT_KEY, bindingOf(SUBJECT, KEY, 1, FOREVER)));
        expectKey(OTHER_KEY, 2, NOW);
    }

    // --- withdrawing

    function test_withdrawKey_inAnyStateOfTheWorld_works(bool suspended, bool pending, bool direct, uint32 later)
        public
    {
        bound(KEY, 1);
        if (pending) proposed();
        VM.startPrank(OPERATOR);
        if (suspended) {
            participants.suspend(CLINIC_ID);
            participants.remove(HOSPITAL_ID);
        }
        VM.stopPrank();
        VM.warp(NOW + (pending ? later % RECOVERY_DELAY : later));
        if (direct) {
            VM.prank(PATIENT);
            keys.withdrawKey(SUBJECT, 1, "");
        } else {
            VM.prank(STRANGER);
            withdrawn(1);
        }
        expectKey(0, 1, 0);
    }

    function test_withdrawKey_byAnyoneElse_refused() public {
        bound(KEY, 1);
        delegated(CARER_KEY, 15);
        bytes memory signature = signKey(CARER_KEY, withdrawalOf(SUBJECT, 1));
        VM.prank(CARER);
        VM.expectRevert(invalid(PATIENT));
        keys.withdrawKey(SUBJECT, 1, signature);
        signature = signKey(PATIENT_KEY, bindingOf(SUBJECT, 0, 1, FOREVER));
        VM.expectRevert(invalid(PATIENT));
        keys.withdrawKey(SUBJECT, 1, signature);
        expectKey(KEY, 1, NOW);
    }

    function test_withdrawKey_ofTheNext_takesThePendingBindingAlong(bool bindingFirst) public {
        bound(KEY, 1);
        bytes memory pending = signKey(PATIENT_KEY, bindingOf(SUBJECT, OTHER_KEY, 2, FOREVER));
        if (bindingFirst) keys.bindKey(SUBJECT, OTHER_KEY, 2, FOREVER, pending);
        withdrawn(2);
        expectKey(0, 2, 0);
        refused(notNext(2, 3), OTHER_KEY, 2, FOREVER, pending);
        bound(KEY, 3);
        expectKey(KEY, 3, NOW);
    }

    function test_withdrawKey_staleOrAgain_doesNothing() public {
        bound(KEY, 1);
        bytes memory stale = signKey(PATIENT_KEY, withdrawalOf(SUBJECT, 1));
        bound(OTHER_KEY, 2);
        keys.withdrawKey(SUBJECT, 1, stale);
        keys.withdrawKey(SUBJECT, 0, "");
        expectKey(OTHER_KEY, 2, NOW);
        withdrawn(2);
        VM.recordLogs();
        keys.withdrawKey(SUBJECT, 2, "");
        keys.withdrawKey(SUBJECT, 1, stale);
        check(VM.getRecordedLogs().length == 0, "the retry was harmless");
        expectKey(0, 2, 0);
    }

    function test_withdrawKey_beyondTheNext_refused(uint32 sequence) public {
        bound(KEY, 1);
        VM.assume(sequence > 2);
        VM.prank(PATIENT);
        VM.expectRevert(notNext(sequence, 2));
        keys.withdrawKey(SUBJECT, sequence, "");
    }

    // --- another controller

    function test_recovery_keyOfTheFormerController_doesNotCount_theNewOneBinds() public {
        bound(KEY, 1);
        bytes memory late = signKey(PATIENT_KEY, bindingOf(SUBJECT, OTHER_KEY, 2, FOREVER));
        recovered();
        expectKey(0, 1, 0);
        check(keys.keysOf(one(SUBJECT))[0].keyHash == 0, "nor in a batch");
        refused(invalid(NEW), OTHER_KEY, 2, FOREVER, late);
        bytes memory signature = signKey(PATIENT_KEY, withdrawalOf(SUBJECT, 1));
        VM.expectRevert(invalid(NEW));
        keys.withdrawKey(SUBJECT, 1, signature);
        VM.prank(NEW);
        keys.bindKey(SUBJECT, OTHER_KEY, 2, FOREVER, "");
        expectKey(OTHER_KEY, 2, uint40(block.timestamp));
    }

    function test_recovery_newControllerWithdraws_theFormerKeyIsGoneForGood() public {
        bound(KEY, 1);
        recovered();
        VM.prank(NEW);
        keys.withdrawKey(SUBJECT, 1, "");
        expectKey(0, 1, 0);
    }

    function test_recovery_whilePending_bindsNothing() public {
        bound(KEY, 1);
        proposed();
        VM.prank(PATIENT);
        refused(abi.encodeWithSelector(IKeyRegistry.RecoveryPending.selector, SUBJECT), OTHER_KEY, 2, FOREVER, "");
        expectKey(KEY, 1, NOW);
        vetoed();
        bound(OTHER_KEY, 2);
        expectKey(OTHER_KEY, 2, NOW);
    }

    // --- the move to mediated reading

    function test_checkMediated_signedForTheKeyThatCounts_only() public {
        bytes memory first = signKey(PATIENT_KEY, mediationOf(SEGMENT_KIND, 1, NOW + 10));
        notMediated(abi.encodeWithSelector(IKeyRegistry.KeyNotBound.selector, uint32(1)), 1, NOW + 10, first);
        bound(KEY, 1);
        keys.checkMediated(SUBJECT, SEGMENT_KIND, 1, NOW + 10, first);
        bytes memory binding = signKey(PATIENT_KEY, bindingOf(SUBJECT, SEGMENT_KIND, 1, NOW + 10));
        notMediated(invalid(PATIENT), 1, NOW + 10, binding);
        notMediated(invalid(PATIENT), 1, NOW + 11, first);
        VM.prank(PATIENT);
        notMediated(invalid(PATIENT), 1, NOW + 10, "");
        VM.warp(NOW + 11);
        notMediated(abi.encodeWithSelector(IKeyRegistry.SubmittedTooLate.selector, NOW + 10), 1, NOW + 10, first);
        VM.warp(NOW + 10);
        keys.checkMediated(SUBJECT, SEGMENT_KIND, 1, NOW + 10, first);
        bound(OTHER_KEY, 2);
        notMediated(abi.encodeWithSelector(IKeyRegistry.KeyNotBound.selector, uint32(1)), 1, NOW + 10, first);
        withdrawn(2);
        bytes memory second = signKey(PATIENT_KEY, mediationOf(SEGMENT_KIND, 2, NOW + 10));
        notMediated(abi.encodeWithSelector(IKeyRegistry.KeyNotBound.selector, uint32(2)), 2, NOW + 10, second);
    }

    function test_checkMediated_duringOrAfterRecovery_refused() public {
        bound(KEY, 1);
        bytes memory signature = signKey(PATIENT_KEY, mediationOf(SEGMENT_KIND, 1, FOREVER));
        proposed();
        notMediated(
            abi.encodeWithSelector(IKeyRegistry.RecoveryPending.selector, SUBJECT), 1, FOREVER, signature
        );
        VM.warp(NOW + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
        notMediated(abi.encodeWithSelector(IKeyRegistry.KeyNotBound.selector, uint32(1)), 1, FOREVER, signature);
    }

    // --- views and events

    function test_keysOf_many_saysAsKeyOf() public {
        bound(KEY, 1);
        open(OTHER, STRANGER_KEY, DESK);
        VM.prank(STRANGER);
        keys.bindKey(OTHER, OTHER_KEY, 1, FOREVER, "");
        uint96[] memory subjects = new uint96[](4);
        (subjects[0], subjects[1], subjects[2], subjects[3]) = (OTHER, SUBJECT, 999, OTHER);
        BoundKey[] memory found = keys.keysOf(subjects);
        equal(found.length, 4, "as many");
        for (uint256 i = 0; i < 4; ++i) {
            BoundKey memory alone = keys.keyOf(subjects[i]);
            check(keccak256(abi.encode(found[i])) == keccak256(abi.encode(alone)), "as alone");
        }
        check(found[0].keyHash == OTHER_KEY && found[1].keyHash == KEY && found[2].keyHash == 0, "in order");
    }

    function test_keyStorage_equalsReplayOfEvents(uint256 seed) public {
        VM.recordLogs();
        uint40 time = NOW;
        for (uint256 step = 0; step < 24; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            VM.warp(time += uint40(seed % 100));
            uint32 sequence = uint32(keys.keyOf(SUBJECT).sequence + seed / 256 % 3);
            VM.prank(PATIENT);
            if (seed / 8 % 3 == 0) {
                try keys.withdrawKey(SUBJECT, sequence, "") {} catch {}
            } else {
                try keys.bindKey(SUBJECT, bytes32(seed), sequence, FOREVER, "") {} catch {}
            }
        }
        replay();
        expectKey(rebuilt.keyHash, rebuilt.sequence, rebuilt.boundAt);
    }

    function replay() private {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            check(uint256(logs[i].topics[1]) == SUBJECT, "of the subject");
            (uint32 sequence, address controller, uint40 time) = abi.decode(logs[i].data, (uint32, address, uint40));
            check(controller == PATIENT, "by the patient");
            if (logs[i].topics[0] == IKeyRegistry.KeyBound.selector) {
                rebuilt = Rebuilt(logs[i].topics[2], sequence, time);
            } else {
                check(logs[i].topics[0] == IKeyRegistry.KeyWithdrawn.selector, "no other event");
                rebuilt = Rebuilt(0, sequence, 0);
            }
        }
    }

    // --- support

    function notMediated(bytes memory reason, uint32 sequence, uint40 submitBy, bytes memory signature) private {
        VM.expectRevert(reason);
        keys.checkMediated(SUBJECT, SEGMENT_KIND, sequence, submitBy, signature);
    }

    function recovered() private {
        proposed();
        VM.warp(NOW + RECOVERY_DELAY);
        recovery.completeRecovery(SUBJECT);
    }

    function one(uint96 subject) private pure returns (uint96[] memory list) {
        list = new uint96[](1);
        list[0] = subject;
    }
}

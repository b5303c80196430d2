// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BoundKey, IKeyRegistry} from "../../contracts/interfaces/IKeyRegistry.sol";
import {ConsentProof} from "./support/ConsentProof.sol";
import {VM} from "./support/Proof.sol";

/// @notice Bindings and withdrawals as sender, upon anything at all that was stored before.
contract KeysProof is ConsentProof {
    IKeyRegistry private keys;

    function setUp() public override {
        super.setUp();
        keys = IKeyRegistry(_deploy("KeyRegistry", abi.encode(registry)));
        _anyStorage(address(keys));
    }

    /// KR1, KR4: who binds is the controller, and takes the next number.
    function check_bindKey_onlyByTheController_underTheNextNumber(
        uint96 subject,
        bytes32 keyHash,
        uint32 sequence,
        uint40 submitBy,
        uint40 time,
        address by
    ) public {
        _at(time);
        VM.assume(by != address(0)); // has no key, and sends nothing
        uint256 before = keys.keyOf(subject).sequence;
        VM.prank(by);
        keys.bindKey(subject, keyHash, sequence, submitBy, "");
        assert(by == _controller(subject) && _isOpened(subject));
        assert(keyHash != 0 && sequence == before + 1 && time <= submitBy);
        BoundKey memory bound = keys.keyOf(subject);
        assert(bound.keyHash == keyHash && bound.sequence == sequence && bound.boundAt == time);
    }

    /// KR4, KR5, KR6: the controller withdraws what stands and the next without ever being refused, and the number
    /// stays used.
    /// @custom:halmos --solver z3
    function check_withdrawKey_byTheController_neverRefused(uint96 subject, uint32 sequence, uint40 time) public {
        _at(time);
        VM.assume(_isOpened(subject));
        VM.assume(_controller(subject) != address(0));
        uint256 before = keys.keyOf(subject).sequence;
        VM.assume(before <= sequence);
        VM.assume(sequence <= before + 1);
        VM.prank(_controller(subject));
        try keys.withdrawKey(subject, sequence, "") {}
        catch {
            assert(false);
        }
        BoundKey memory left = keys.keyOf(subject);
        assert(left.keyHash == 0 && left.sequence == sequence);
    }

    /// KR7: a key counts exactly while who bound it is the controller.
    function check_keyOf_countsWhileItsBinderIsTheController(uint96 subject) public view {
        bytes32 place = _inMapping(bytes32(uint256(subject)), 2);
        uint256 packed = _word(address(keys), bytes32(uint256(place) + 1));
        VM.assume(_isOpened(subject));
        address binder = address(uint160(packed));
        BoundKey memory found = keys.keyOf(subject);
        assert(found.sequence == _field(packed, 160, 32));
        bool counts = binder != address(0) && binder == _controller(subject);
        assert(found.keyHash == (counts ? bytes32(_word(address(keys), place)) : bytes32(0)));
        assert(found.boundAt == (counts ? _field(packed, 192, 40) : 0));
    }

    /// KR8: one subject's key is no other's.
    function check_bindKey_touchesNoOtherSubject(
        uint96 subject,
        uint96 other,
        bytes32 keyHash,
        uint32 sequence,
        uint40 time,
        address by
    ) public {
        _at(time);
        VM.assume(subject != other);
        VM.assume(_isOpened(other));
        BoundKey memory before = keys.keyOf(other);
        VM.prank(by);
        keys.bindKey(subject, keyHash, sequence, type(uint40).max, "");
        BoundKey memory after_ = keys.keyOf(other);
        assert(before.keyHash == after_.keyHash && before.sequence == after_.sequence);
        assert(before.boundAt == after_.boundAt);
    }
}

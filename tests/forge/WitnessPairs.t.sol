// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {IWitnessPair, IWitnessPairs} from "../../contracts/interfaces/IWitnessPairs.sol";
import {Base} from "./support/Base.sol";
import {Deploy} from "./support/Deploy.sol";
import {VM} from "./support/Vm.sol";

/// @notice A pair signed what both witnesses signed, and nothing else.
contract WitnessPairsTest is Base {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    bytes32 private constant SALT = keccak256("a paper");
    bytes32 private constant DIGEST = keccak256("what is signed");

    IWitnessPairs private pairs;
    IWitnessPair private pair;

    function setUp() public override {
        super.setUp();
        pairs = Deploy.witnessPairs();
        pair = IWitnessPair(pairs.open(CARER, NURSE, SALT));
    }

    function test_open_makesThePairWhereItWasForetold_once() public {
        address foretold = pairs.pairOf(NURSE, CARER, SALT);
        equal(foretold.code.length, 0, "not made yet");
        check(pairs.open(NURSE, CARER, SALT) == foretold, "another address");
        check(pairs.open(NURSE, CARER, SALT) == foretold, "again: another address");
        check(foretold != address(pair), "the order is part of it");
        check(pairs.pairOf(CARER, NURSE, keccak256("another paper")) != address(pair), "the salt is part of it");
        check(pair.FIRST() == CARER && pair.SECOND() == NURSE, "another two");
    }

    function test_open_forOneOrNobody_refused() public {
        refused(CARER, CARER);
        refused(CARER, address(0));
        refused(address(0), CARER);
    }

    function test_bothSigned_valid() public view {
        check(valid(DIGEST, bytes.concat(signDigest(CARER_KEY, DIGEST), signDigest(NURSE_KEY, DIGEST))), "refused");
    }

    function test_oneSigned_invalid() public view {
        bytes memory one = signDigest(CARER_KEY, DIGEST);
        bytes memory other = signDigest(NURSE_KEY, DIGEST);
        invalid(DIGEST, one, "the first alone");
        invalid(DIGEST, other, "the second alone");
        invalid(DIGEST, bytes.concat(one, one), "the first twice");
        invalid(DIGEST, bytes.concat(other, other), "the second twice");
        invalid(DIGEST, bytes.concat(other, one), "in the other order");
        invalid(DIGEST, bytes.concat(one, signDigest(STRANGER_KEY, DIGEST)), "with a stranger");
        invalid(DIGEST, bytes.concat(one, signDigest(NURSE_KEY, keccak256("else"))), "something else");
        invalid(DIGEST, bytes.concat(one, other, hex"00"), "a byte more");
        invalid(DIGEST, bytes.concat(one, new bytes(65)), "nothing");
    }

    function test_highS_invalid() public view {
        bytes memory one = signDigest(CARER_KEY, DIGEST);
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(NURSE_KEY, DIGEST);
        bytes memory high = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        invalid(DIGEST, bytes.concat(one, high), "high s");
    }

    function test_anyBytes_invalid(bytes32 digest, bytes calldata signature) public view {
        invalid(digest, signature, "any bytes");
    }

    function test_onlyTheSignedDigest_valid(bytes32 signed, bytes32 asked) public view {
        bytes memory both = bytes.concat(signDigest(CARER_KEY, signed), signDigest(NURSE_KEY, signed));
        check(valid(asked, both) == (asked == signed), "another digest");
    }

    function test_brokenAnywhere_invalid(uint8 where, uint8 by) public view {
        bytes memory both = bytes.concat(signDigest(CARER_KEY, DIGEST), signDigest(NURSE_KEY, DIGEST));
        uint256 place = uint256(where) % both.length;
        VM.assume(by != 0);
        both[place] = bytes1(uint8(both[place]) ^ by);
        invalid(DIGEST, both, "broken");
    }

    function valid(bytes32 digest, bytes memory signature) private view returns (bool) {
        bytes4 answer = pair.isValidSignature(digest, signature);
        check(answer == IERC1271.isValidSignature.selector || answer == 0xffffffff, "neither yes nor no");
        return answer == IERC1271.isValidSignature.selector;
    }

    function invalid(bytes32 digest, bytes memory signature, string memory what) private view {
        check(!valid(digest, signature), what);
    }

    function refused(address first, address second) private {
        VM.expectRevert(abi.encodeWithSelector(IWitnessPair.WitnessesInvalid.selector, first, second));
        pairs.open(first, second, SALT);
    }
}

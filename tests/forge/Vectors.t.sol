// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

import {VectorWorld} from "./support/VectorWorld.sol";
import {VM} from "./support/Vm.sol";

/// @notice The published typed data: the contracts hash it as the file says, take each signature, and refuse each that
/// is for something else.
contract TypedDataVectorsTest is VectorWorld {
    struct Refusal {
        string name;
        bytes32 digest;
        bytes signature;
        bytes answer;
    }

    struct Case {
        string name;
        bytes32 typeHash;
        bytes32 structHash;
        bytes32 digest;
        address signer;
        bytes signature;
        Step[] before;
        Step call;
        Refusal[] refused;
    }

    struct Key {
        string name;
        address account;
        uint256 key;
    }

    string private constant CASE_TYPE =
        "Case(string name,bytes32 typeHash,bytes32 structHash,bytes32 digest,address signer,bytes signature,Step[] before,Step call,Refusal[] refused)Refusal(string name,bytes32 digest,bytes signature,bytes answer)";

    Case[] private cases;

    function setUp() public {
        deploy("vectors/typed_data.json");
        Case[] memory found =
            abi.decode(VM.parseJsonTypeArray(json, ".cases", string.concat(CASE_TYPE, STEP_TYPE)), (Case[]));
        for (uint256 i = 0; i < found.length; ++i) {
            cases.push(found[i]);
        }
    }

    function test_everyPartOfTheFileHasARunner() public view {
        requireKnown("$", "format chainId keys deployment setUp types domains cases");
        require(cases.length != 0, "no case");
        for (uint256 i = 0; i < cases.length; ++i) {
            string memory where = item(".cases", i);
            require(cases[i].refused.length != 0, string.concat(cases[i].name, ": nothing is refused"));
            // Not read here: the message itself, of which the contracts get the hash of the terms alone.
            for (uint256 j = 0; j < cases[i].refused.length; ++j) {
                string memory inner = item(string.concat(where, ".refused"), j);
                require(isEqual(VM.parseJsonString(json, string.concat(inner, ".error")), "SignatureInvalid"), inner);
            }
        }
    }

    function test_keysAreTheOnesPublished() public view {
        Key[] memory keys = abi.decode(
            VM.parseJsonTypeArray(json, ".keys", "Key(string name,address account,uint256 key)"), (Key[])
        );
        for (uint256 i = 0; i < keys.length; ++i) {
            require(VM.addr(keys[i].key) == keys[i].account, keys[i].name);
        }
    }

    function test_typeHashesAreThoseOfTheTypeStrings() public view {
        string[] memory names = VM.parseJsonKeys(json, ".types");
        for (uint256 i = 0; i < names.length; ++i) {
            string memory key = string.concat(".types.", names[i]);
            bytes32 hash = VM.parseJsonBytes32(json, string.concat(key, ".hash"));
            require(keccak256(bytes(VM.parseJsonString(json, string.concat(key, ".string")))) == hash, names[i]);
        }
        for (uint256 i = 0; i < cases.length; ++i) {
            string memory kind = VM.parseJsonString(json, string.concat(item(".cases", i), ".typedData.primaryType"));
            bytes32 hash = VM.parseJsonBytes32(json, string.concat(".types.", kind, ".hash"));
            require(hash == cases[i].typeHash, cases[i].name);
        }
    }

    function test_domainsAreTheContractsOwn() public view {
        string[] memory names = VM.parseJsonKeys(json, ".domains");
        for (uint256 i = 0; i < names.length; ++i) {
            address target = VM.parseJsonAddress(json, string.concat(".deployment.contracts.", names[i]));
            bytes32 wanted = VM.parseJsonBytes32(json, string.concat(".domains.", names[i], ".separator"));
            require(separatorOf(target) == wanted, names[i]);
        }
        for (uint256 i = 0; i < cases.length; ++i) {
            Case memory c = cases[i];
            string memory name = VM.parseJsonString(json, string.concat(item(".cases", i), ".contract"));
            address target = VM.parseJsonAddress(json, string.concat(".deployment.contracts.", name));
            require(target == c.call.target, string.concat(c.name, ": called elsewhere"));
            bytes32 digest = keccak256(abi.encodePacked(hex"1901", separatorOf(target), c.structHash));
            require(digest == c.digest, string.concat(c.name, ": another digest"));
        }
    }

    /// @dev That the contract takes the signature shows that it signs the digest the contract made itself; the answer
    /// shows its id, where the struct hash is one.
    function test_everySignatureIsTaken() public {
        uint256 fresh = VM.snapshotState();
        for (uint256 i = 0; i < cases.length; ++i) {
            Case memory c = cases[i];
            require(recovered(c.digest, c.signature) == c.signer, string.concat(c.name, ": another signer"));
            run(c.before, string.concat(c.name, ".before"));
            run(c.call, c.name);
            VM.revertToState(fresh);
        }
    }

    function test_everySignatureOfSomethingElseIsRefused() public {
        uint256 fresh = VM.snapshotState();
        for (uint256 i = 0; i < cases.length; ++i) {
            Case memory c = cases[i];
            run(c.before, string.concat(c.name, ".before"));
            for (uint256 j = 0; j < c.refused.length; ++j) {
                Refusal memory r = c.refused[j];
                Step memory step = c.call;
                bytes memory good = step.data;
                (step.data, step.succeeds, step.answer) = (replaced(good, c.signature, r.signature), false, r.answer);
                run(step, string.concat(c.name, " ", r.name));
                step.data = good;
            }
            VM.revertToState(fresh);
        }
    }

    function separatorOf(address target) private view returns (bytes32) {
        (, string memory name, string memory version, uint256 chainId, address verifying,,) =
            IERC5267(target).eip712Domain();
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                verifying
            )
        );
    }

    function recovered(bytes32 digest, bytes memory signature) private pure returns (address) {
        bytes32 r;
        bytes32 s;
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
        }
        return ecrecover(digest, uint8(signature[64]), r, s);
    }

    /// @dev `data` with `part`, which it has exactly once, replaced by another of the same length.
    function replaced(bytes memory data, bytes memory part, bytes memory other) private pure returns (bytes memory made) {
        require(part.length == other.length && part.length >= 32, "of another length");
        made = bytes.concat(data);
        bytes32 head = bytes32(part);
        uint256 times = 0;
        for (uint256 i = 0; i + part.length <= data.length; ++i) {
            bytes32 word;
            assembly {
                word := mload(add(add(data, 32), i))
            }
            if (word != head) continue;
            ++times;
            for (uint256 j = 0; j < part.length; ++j) {
                made[i + j] = other[j];
            }
        }
        require(times == 1, "the signature is not there once");
    }
}

/// @notice The published states over time: every command does what the file says, and every view answers so in each
/// second it names.
contract StateVectorsTest is VectorWorld {
    struct Named {
        string name;
    }

    function setUp() public {
        deploy("vectors/states.json");
    }

    function test_everyPartOfTheFileHasARunner() public view {
        requireKnown("$", "format chainId keys deployment setUp sequences");
        for (uint256 i = 0; i < count(); ++i) {
            // Documents and states say in words what the steps ask; Python compares the two.
            requireKnown(item("$.sequences", i), "name about subject documents states steps");
        }
    }

    function test_everyStateIsAsWritten() public {
        uint256 fresh = VM.snapshotState();
        for (uint256 i = 0; i < count(); ++i) {
            string memory where = item(".sequences", i);
            Step[] memory steps = stepsOf(string.concat(where, ".steps"));
            require(steps.length != 0, string.concat(where, ": no step"));
            run(steps, VM.parseJsonString(json, string.concat(where, ".name")));
            VM.revertToState(fresh);
        }
    }

    function count() private view returns (uint256) {
        return abi.decode(VM.parseJsonTypeArray(json, ".sequences", "Named(string name)"), (Named[])).length;
    }
}

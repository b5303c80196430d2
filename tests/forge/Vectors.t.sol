// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

import {VectorWorld} from "./support/VectorWorld.sol";
import {VM} from "./support/Vm.sol";

/// @notice The published typed data: the contracts hash it as the file says, take each signature, and refuse each that
/// is for something else.
contract TypedDataVectorsTest is VectorWorld {
    struct TypedData {
        string primaryType;
    }

    struct Refusal {
        string name;
        string error;
        bytes32 digest;
        bytes signature;
        bytes answer;
    }

    struct Case {
        string name;
        TypedData typedData;
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

    string private constant DATA_TYPE = "TypedData(string primaryType)";
    string private constant CASE_TYPE =
        "Case(string name,TypedData typedData,bytes32 typeHash,bytes32 structHash,bytes32 digest,address signer,bytes signature,Step[] before,Step call,Refusal[] refused)Refusal(string name,string error,bytes32 digest,bytes signature,bytes answer)";

    function setUp() public {
        deploy("vectors/typed_data.json");
    }

    function test_everyPartOfTheFileHasARunner() public view {
        requireKnown("$", "format chainId keys deployment setUp types domains cases");
        Case[] memory cases = read();
        require(cases.length != 0, "no case");
        for (uint256 i = 0; i < cases.length; ++i) {
            // Python alone reads the message: the contracts get its terms as a hash.
            requireKnown(
                item("$.cases", i),
                "name contract typedData typeHash structHash id termsHash digest signer signature before call refused"
            );
            require(cases[i].refused.length != 0, string.concat(cases[i].name, ": nothing is refused"));
            for (uint256 j = 0; j < cases[i].refused.length; ++j) {
                Refusal memory refused = cases[i].refused[j];
                bytes4 selector = bytes4(keccak256(bytes(string.concat(refused.error, "(address)"))));
                require(bytes4(refused.answer) == selector, string.concat(cases[i].name, ": not that error"));
            }
        }
    }

    function test_keysAreTheOnesPublished() public view {
        Key[] memory keys = abi.decode(
            json.list(".keys", "Key(string name,address account,uint256 key)"), (Key[])
        );
        for (uint256 i = 0; i < keys.length; ++i) {
            require(VM.addr(keys[i].key) == keys[i].account, keys[i].name);
        }
    }

    function test_typeHashesAreThoseOfTheTypeStrings() public view {
        string[] memory names = json.keys(".types");
        for (uint256 i = 0; i < names.length; ++i) {
            string memory key = string.concat(".types.", names[i]);
            bytes32 hash = json.word(string.concat(key, ".hash"));
            require(keccak256(bytes(json.text(string.concat(key, ".string")))) == hash, names[i]);
        }
        Case[] memory cases = read();
        for (uint256 i = 0; i < cases.length; ++i) {
            bytes32 hash = json.word(string.concat(".types.", cases[i].typedData.primaryType, ".hash"));
            require(hash == cases[i].typeHash, cases[i].name);
        }
    }

    function test_domainsAreTheContractsOwn() public view {
        string[] memory names = json.keys(".domains");
        for (uint256 i = 0; i < names.length; ++i) {
            address target = json.account(string.concat(".deployment.contracts.", names[i]));
            bytes32 wanted = json.word(string.concat(".domains.", names[i], ".separator"));
            require(separatorOf(target) == wanted, names[i]);
        }
        Case[] memory cases = read();
        for (uint256 i = 0; i < cases.length; ++i) {
            Case memory c = cases[i];
            address target = c.call.target;
            bytes32 digest = keccak256(abi.encodePacked(hex"1901", separatorOf(target), c.structHash));
            require(digest == c.digest, string.concat(c.name, ": another digest"));
        }
    }

    /// @dev That the contract takes the signature shows that it signs the digest the contract made itself; the answer
    /// shows its id, where the struct hash is one.
    function test_everySignatureIsTaken() public {
        Case[] memory cases = read();
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
        Case[] memory cases = read();
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

    function read() private view returns (Case[] memory) {
        // Types after the first in the order of their names, as EIP-712 writes them.
        return abi.decode(json.list(".cases", string.concat(CASE_TYPE, STEP_TYPE, DATA_TYPE)), (Case[]));
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
        Named[] memory sequences = read();
        require(sequences.length != 0, "no sequence");
        for (uint256 i = 0; i < sequences.length; ++i) {
            // Documents and states say in words what the steps ask; Python compares the two.
            requireKnown(item("$.sequences", i), "name about subject documents states steps");
        }
    }

    function test_everyStateIsAsWritten() public {
        Named[] memory sequences = read();
        uint256 fresh = VM.snapshotState();
        for (uint256 i = 0; i < sequences.length; ++i) {
            this.play(i, sequences[i].name);
            VM.revertToState(fresh);
        }
    }

    /// @dev A call of its own, whose memory goes with it.
    function play(uint256 i, string calldata name) external {
        Step[] memory steps = stepsOf(string.concat(item(".sequences", i), ".steps"));
        require(steps.length != 0, string.concat(name, ": no step"));
        run(steps, name);
    }

    function read() private view returns (Named[] memory) {
        return abi.decode(json.list(".sequences", "Named(string name)"), (Named[]));
    }
}

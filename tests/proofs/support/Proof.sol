// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The cheat codes of the prover that the proofs use.
interface Vm {
    function assume(bool condition) external pure;
    function warp(uint256 time) external;
    function prank(address sender) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function store(address target, bytes32 slot, bytes32 word) external;
    function getCode(string calldata path) external view returns (bytes memory);
}

interface Svm {
    function enableSymbolicStorage(address target) external;
    function createCalldata(string calldata contractName) external pure returns (bytes memory);
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
Svm constant SVM = Svm(address(uint160(uint256(keccak256("svm cheat code")))));

/// @notice What all proofs share. Every parameter of a `check_` function stands for all its values at once.
abstract contract Proof {
    /// @dev From 1970 to the year 19391: a block's time never reaches the bit that marks a tag.
    uint40 internal constant END_OF_TIME = 1 << 39;

    function _at(uint40 time) internal {
        VM.assume(0 < time && time < END_OF_TIME);
        VM.warp(time);
    }

    /// @dev The committed bytecode, which scripts/proofs.py lays there.
    function _deploy(string memory name, bytes memory arguments) internal returns (address made) {
        bytes memory code = VM.getCode(string.concat(".build/proofs/shipped/", name, ".json"));
        code = bytes.concat(code, arguments);
        assembly {
            made := create(0, add(code, 32), mload(code))
        }
        assert(made != address(0));
    }

    /// @dev From here on every slot holds anything at all.
    function _anyStorage(address target) internal {
        SVM.enableSymbolicStorage(target);
    }

    function _word(address target, bytes32 slot) internal view returns (uint256) {
        return uint256(VM.load(target, slot));
    }

    function _inMapping(bytes32 key, uint256 mappingSlot) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, mappingSlot));
    }

    function _field(uint256 word, uint256 offset, uint256 bits) internal pure returns (uint256) {
        return (word >> offset) & ((1 << bits) - 1);
    }
}

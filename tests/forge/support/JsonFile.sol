// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VM} from "./Vm.sol";

/// @notice A JSON file, read anew for each question: what a question needs of memory goes with its call, where a file
/// kept in a test would cost ever more.
contract JsonFile {
    string private path;

    constructor(string memory path_) {
        path = path_;
    }

    function keys(string calldata key) external view returns (string[] memory) {
        return VM.parseJsonKeys(VM.readFile(path), key);
    }

    function number(string calldata key) external view returns (uint256) {
        return VM.parseJsonUint(VM.readFile(path), key);
    }

    function numbers(string calldata key) external view returns (uint256[] memory) {
        return VM.parseJsonUintArray(VM.readFile(path), key);
    }

    function text(string calldata key) external view returns (string memory) {
        return VM.parseJsonString(VM.readFile(path), key);
    }

    function account(string calldata key) external view returns (address) {
        return VM.parseJsonAddress(VM.readFile(path), key);
    }

    function data(string calldata key) external view returns (bytes memory) {
        return VM.parseJsonBytes(VM.readFile(path), key);
    }

    function word(string calldata key) external view returns (bytes32) {
        return VM.parseJsonBytes32(VM.readFile(path), key);
    }

    /// @return the ABI encoding of a list of structs of this type, written as EIP-712 writes it
    function list(string calldata key, string calldata kind) external view returns (bytes memory) {
        return VM.parseJsonTypeArray(VM.readFile(path), key, kind);
    }
}

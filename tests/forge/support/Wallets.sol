// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../../../contracts/ConsentRegistry.sol";

bytes4 constant MAGIC = 0x1626ba7e;

/// @notice A wallet that confirms what its owner told it to.
contract HonestWallet {
    mapping(bytes32 digest => bool) public confirmed;

    function confirm(bytes32 digest) external {
        confirmed[digest] = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return confirmed[digest] ? MAGIC : bytes4(0xffffffff);
    }

    function run(address target, bytes calldata data) external {
        (bool success, bytes memory answer) = target.call(data);
        if (!success) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

/// @notice Burns all the gas it gets.
contract BurningWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            invalid()
        }
    }
}

/// @notice Loops for ever.
contract LoopingWallet {
    function isValidSignature(bytes32 digest, bytes calldata) external pure returns (bytes4) {
        for (;;) digest = keccak256(abi.encode(digest));
    }
}

/// @notice Returns as much as its gas buys.
contract FloodingWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            return(0, 1000000)
        }
    }
}

/// @notice Answers with the magic value, but in four bytes.
contract ShortWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            mstore(0, shl(224, 0x1626ba7e))
            return(0, 4)
        }
    }
}

/// @notice Answers with the magic value and dirt behind it.
contract DirtyWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            mstore(0, or(shl(224, 0x1626ba7e), 1))
            return(0, 32)
        }
    }
}

/// @notice Tries to raise the epoch from within the question, then confirms.
contract ReentrantWallet {
    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        ConsentRegistry(msg.sender).revokeAllDirect(7003, 0);
        return MAGIC;
    }
}

/// @notice Confirms until told otherwise.
contract FickleWallet {
    bool public refusing;

    function refuse() external {
        refusing = true;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        return refusing ? bytes4(0) : MAGIC;
    }
}

/// @notice A wallet of one owner's key, as small as a real one gets.
contract KeyWallet {
    address private owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        return ecrecover(digest, uint8(signature[64]), r, s) == owner ? MAGIC : bytes4(0);
    }
}

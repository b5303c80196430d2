// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice Whether an account signed a digest: by its ECDSA key first, then by its contract through ERC-1271.
/// @dev OpenZeppelin's SignatureChecker asks a contract without a gas cap and never tries ECDSA for an account that
/// has code (EIP-7702); hence this one.
library Signatures {
    /// @dev Enough for a dozen owners or a passkey checked in Solidity; a wallet that burns it all costs its relayer no
    /// more than this.
    uint256 internal constant WALLET_GAS = 500_000;

    function isByKey(address signer, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        if (signature.length != 65) return false;
        // The third value only words an error that is not raised here.
        // slither-disable-next-line unused-return
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(
            digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64])
        );
        return failure == ECDSA.RecoverError.NoError && recovered == signer;
    }

    function isBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        return isByKey(signer, digest, signature) || isByWallet(signer, digest, signature);
    }

    function isByWallet(address wallet, bytes32 digest, bytes calldata signature) private view returns (bool) {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        // A low-level call, because a malformed answer must read as "no" where a typed call would revert.
        // solhint-disable-next-line avoid-low-level-calls
        (bool success, bytes memory answer) = wallet.staticcall{gas: WALLET_GAS}(question);
        return success && answer.length >= 32
            && abi.decode(answer, (bytes32)) == bytes32(IERC1271.isValidSignature.selector);
    }
}

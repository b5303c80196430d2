// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Play money for the embedded chain
/// @notice An ERC-20 with two decimals that one account issues at will. It is worth nothing and stands for nothing:
/// with it a study's money can be tried out from deposit to payout.
/// @dev It refuses to be made on a chain with an id below 2^40. Embedded chains draw theirs above it, public and
/// permissioned chains have smaller ones: nobody pays with this by mistake.
interface ITestToken is IERC20 {
    /// @notice Tokens were made under this id.
    event Issued(bytes32 indexed id, address indexed to, uint256 amount);

    error NotEmbedded(uint256 chainId);
    error NotIssuer(address account);
    error AlreadyIssued(bytes32 id);

    /// @notice Make tokens, once under each id. The sender is the issuer.
    /// @param id chosen by the issuer, so that a retry is recognised
    /// @param to who gets them
    /// @param amount in the smallest unit, a hundredth
    function issue(bytes32 id, address to, uint256 amount) external;

    /// @notice Whether tokens were made under this id.
    /// @param id as given to `issue`
    /// @return whether they were
    function isIssued(bytes32 id) external view returns (bool);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {ITestToken} from "./interfaces/ITestToken.sol";

contract TestToken is ITestToken, ERC20 {
    uint256 private constant FIRST_EMBEDDED_CHAIN = 1 << 40;

    address public immutable ISSUER;

    mapping(bytes32 id => bool) private _issued;

    constructor(address issuer) ERC20("Assent Test Token (no value)", "TEST") {
        if (block.chainid < FIRST_EMBEDDED_CHAIN) revert NotEmbedded(block.chainid);
        // Zero would be an issuer that never issues, which harms nobody.
        // slither-disable-next-line missing-zero-check
        ISSUER = issuer;
    }

    /// @inheritdoc ITestToken
    function issue(bytes32 id, address to, uint256 amount) external {
        if (msg.sender != ISSUER) revert NotIssuer(msg.sender);
        if (_issued[id]) revert AlreadyIssued(id);
        _issued[id] = true;
        emit Issued(id, to, amount);
        _mint(to, amount);
    }

    /// @inheritdoc ITestToken
    function isIssued(bytes32 id) external view returns (bool) {
        return _issued[id];
    }

    function decimals() public pure override returns (uint8) {
        return 2;
    }
}

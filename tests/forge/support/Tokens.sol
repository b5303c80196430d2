// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An honest token.
contract Token is ERC20 {
    constructor() ERC20("", "") {}

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }
}

/// @notice Keeps a tenth of what is moved.
contract FeeToken is Token {
    function _update(address from, address to, uint256 value) internal override {
        if (from == address(0)) return super._update(from, to, value);
        super._update(from, address(0xfee), value / 10);
        super._update(from, to, value - value / 10);
    }
}

/// @notice Refuses to pay the accounts it was told to block, by revert, by false, by burning all gas or with a flood.
contract BlockingToken is Token {
    mapping(address account => uint256) public way;

    function block_(address account, uint256 how) external {
        way[account] = how;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        if (way[to] == 1) revert("blocked");
        if (way[to] == 2) return false;
        assembly {
            mstore(0, to)
            mstore(32, way.slot)
            let how := sload(keccak256(0, 64))
            if eq(how, 3) { invalid() }
            if eq(how, 4) { revert(0, 200000) }
        }
        return super.transfer(to, value);
    }
}

/// @notice Says nothing where the standard asks for a bool, as some old tokens do.
contract SilentToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address account => mapping(address spender => uint256)) public allowance;

    function mint(address account, uint256 amount) external {
        balanceOf[account] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Returns false and moves nothing.
contract FalseToken is Token {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @notice Takes nothing and says that all is well.
contract LyingToken is Token {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @notice Calls back, with whatever it was told, whenever it moves money.
contract ReentrantToken is Token {
    address private target;
    bytes private data;
    bool public tried;
    bool public succeeded;
    bytes public answer;

    function arm(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
        tried = false;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (target == address(0) || tried) return;
        tried = true;
        (succeeded, answer) = target.call(data);
    }
}

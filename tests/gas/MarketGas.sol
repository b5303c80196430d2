// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowTerms, Payment} from "../../contracts/interfaces/IResearchTypes.sol";
import {ResearchMarket} from "../../contracts/ResearchMarket.sol";
import {MarketBase} from "../forge/support/MarketBase.sol";
import {Trees} from "../forge/support/Trees.sol";
import {VM} from "../forge/support/Vm.sol";

/// @notice Two payouts of one study to the same 1,024 accounts, open, with the proofs of the first 201 payments.
contract MarketGas is MarketBase {
    uint256 private constant SIZE = 1024;

    constructor() {
        setUp();
        permit(STUDY);
    }

    function target() external view returns (ResearchMarket) {
        return market;
    }

    function first() external returns (EscrowTerms memory, Payment[] memory, bytes32[][] memory) {
        return round(keccak256("first"));
    }

    function second() external returns (EscrowTerms memory, Payment[] memory, bytes32[][] memory) {
        return round(keccak256("second"));
    }

    function round(bytes32 result)
        private
        returns (EscrowTerms memory terms, Payment[] memory payments, bytes32[][] memory proofs)
    {
        terms = escrowTerms();
        payments = paymentsOf(SIZE, 5 ether);
        // Bytes as they are on a chain, since a zero costs less.
        for (uint256 i = 0; i < SIZE; ++i) {
            payments[i].account = address(uint160(uint256(keccak256(abi.encode("account", i)))));
        }
        fund(terms, totalOf(payments) + 1 ether);
        commit(STUDY, result);
        bytes32 id = propose(terms, result, payments);
        VM.warp(market.payoutOf(id).opensAt);
        bytes32[][] memory levels = levelsOf(id, payments);
        proofs = new bytes32[][](201);
        for (uint256 i = 0; i < 201; ++i) {
            proofs[i] = proofFrom(levels, i);
        }
    }

    /// @dev All levels at once, since 1,024 leaves a proof would take a while.
    function levelsOf(bytes32 id, Payment[] memory payments) private pure returns (bytes32[][] memory levels) {
        levels = new bytes32[][](11);
        levels[0] = Trees.leavesOf(id, payments);
        for (uint256 i = 1; i < 11; ++i) {
            levels[i] = Trees.above(levels[i - 1]);
        }
    }

    function proofFrom(bytes32[][] memory levels, uint256 position) private pure returns (bytes32[] memory proof) {
        proof = new bytes32[](10);
        for (uint256 i = 0; i < 10; ++i) {
            proof[i] = levels[i][(position >> i) ^ 1];
        }
    }
}

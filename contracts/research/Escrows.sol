// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {IResearchMarket} from "../interfaces/IResearchMarket.sol";
import {EscrowTerms} from "../interfaces/IResearchTypes.sol";
import {Roles} from "../libraries/Roles.sol";
import {Permits} from "./Permits.sol";

/// @notice Money that came in for a study and is not owed to anybody yet.
abstract contract Escrows is Permits, ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// @dev One word. `available` is what no payout owes.
    struct Escrow {
        uint128 available;
        bool released;
    }

    mapping(bytes32 escrow => Escrow) internal _escrows;

    /// @inheritdoc IResearchMarket
    function fund(EscrowTerms calldata terms, uint256 amount) external nonReentrant returns (bytes32 escrow) {
        escrow = escrowIdOf(terms);
        if (terms.study == 0) revert StudyZero();
        if (msg.sender != terms.funder) revert NotFunder(msg.sender);
        if (!PARTICIPANTS.hasRole(msg.sender, Roles.RESEARCHER)) revert NotResearcher(msg.sender);
        if (!PARTICIPANTS.memberHasRole(terms.custodian, Roles.CUSTODIAN)) {
            revert CustodianNotInStanding(terms.custodian);
        }
        if (_isRefused(terms.study) || _isOver(terms.study, escrow)) revert EscrowOver(escrow);
        uint256 received = _take(IERC20(terms.token), amount);
        // Whoever sends more on its own gives it away; zero means zero.
        // slither-disable-next-line incorrect-equality
        if (received == 0) revert NothingReceived(terms.token);
        uint256 available = _escrows[escrow].available + received;
        _escrows[escrow].available = SafeCast.toUint128(available);
        emit EscrowFunded(escrow, terms.study, terms, received);
    }

    /// @inheritdoc IResearchMarket
    function release(EscrowTerms calldata terms) external {
        bytes32 escrow = escrowIdOf(terms);
        _requireCustodian(terms);
        _escrows[escrow].released = true;
        emit EscrowReleased(escrow);
    }

    /// @inheritdoc IResearchMarket
    function refund(EscrowTerms calldata terms, address to) external nonReentrant {
        bytes32 escrow = escrowIdOf(terms);
        uint256 until = lockedUntil(terms.study);
        if (!_escrows[escrow].released && block.timestamp < until) revert EscrowLocked(escrow, until);
        if (to != terms.funder && msg.sender != terms.funder) revert NotFunder(msg.sender);
        if (to == address(0) || to == address(this)) revert RecipientInvalid(to);
        uint256 amount = _escrows[escrow].available;
        if (amount == 0) revert EscrowEmpty(escrow);
        _escrows[escrow].available = 0;
        emit EscrowRefunded(escrow, to, amount);
        IERC20(terms.token).safeTransfer(to, amount);
    }

    /// @inheritdoc IResearchMarket
    function escrowOf(bytes32 escrow) external view returns (uint256 available, bool released) {
        return (_escrows[escrow].available, _escrows[escrow].released);
    }

    /// @inheritdoc IResearchMarket
    function escrowIdOf(EscrowTerms calldata terms) public pure returns (bytes32 escrow) {
        return keccak256(abi.encode(terms));
    }

    /// @dev Whether no payout can be proposed from it any more. A study that is not permitted is not over.
    function _isOver(bytes32 study, bytes32 escrow) internal view returns (bool) {
        uint256 until = lockedUntil(study);
        return _escrows[escrow].released || (until != 0 && block.timestamp >= until);
    }

    function _requireCustodian(EscrowTerms calldata terms) internal view {
        bytes32 sender = PARTICIPANTS.memberWithRole(msg.sender, Roles.CUSTODIAN);
        if (sender == 0 || sender != terms.custodian) revert NotEscrowCustodian(msg.sender, terms.custodian);
    }

    /// @dev What arrives may be less than what was sent. The guard keeps other deposits out of the measurement.
    function _take(IERC20 token, uint256 amount) private returns (uint256 received) {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        return token.balanceOf(address(this)) - before;
    }
}

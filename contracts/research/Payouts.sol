// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IResearchMarket} from "../interfaces/IResearchMarket.sol";
import {Approval, EscrowTerms, PayoutRound} from "../interfaces/IResearchTypes.sol";
import {Roles} from "../libraries/Roles.sol";
import {Escrows} from "./Escrows.sol";

/// @notice Results, and what is owed for them. The total of a payout leaves the escrow's free part when it is proposed
/// and comes back when it is rejected or closed, so that both never count the same money.
abstract contract Payouts is Escrows {
    bytes32 private constant OBJECT_TYPEHASH = keccak256("ObjectToPayout(bytes32 round,uint32 attempt)");
    bytes32 private constant SETTLE_TYPEHASH = keccak256("SettlePayout(bytes32 round,uint32 attempt,bool stands)");

    mapping(bytes32 study => mapping(bytes32 custodian => mapping(bytes32 result => uint40))) private _results;
    mapping(bytes32 round => PayoutRound) internal _rounds;

    /// @inheritdoc IResearchMarket
    function commitResult(bytes32 study, bytes32 rules, bytes32 result) external {
        bytes32 custodian = PARTICIPANTS.memberWithRole(msg.sender, Roles.CUSTODIAN);
        if (custodian == 0) revert NotCustodian(msg.sender);
        if (!isPermitted(study, rules)) revert StudyNotPermitted(study, rules);
        if (_results[study][custodian][result] != 0) revert ResultAlreadyCommitted(study, result);
        _results[study][custodian][result] = uint40(block.timestamp);
        emit ResultCommitted(study, custodian, result);
    }

    /// @inheritdoc IResearchMarket
    function proposePayout(EscrowTerms calldata terms, bytes32 result, bytes32 root, uint128 total)
        external
        nonReentrant
        returns (bytes32 round)
    {
        bytes32 escrow = escrowIdOf(terms);
        round = roundIdOf(escrow, result);
        PayoutRound storage payout = _rounds[round];
        uint128 available = _escrows[escrow].available;
        _requireCustodian(terms);
        if (_isOver(terms.study, escrow)) revert EscrowOver(escrow);
        if (_results[terms.study][terms.custodian][result] == 0) revert ResultUnknown(terms.study, result);
        if (payout.opensAt != 0) revert PayoutExists(round);
        if (total == 0) revert PayoutEmpty();
        if (total > available) revert EscrowTooSmall(total, available);
        uint32 attempt = payout.attempt + 1;
        uint40 opensAt = uint40(block.timestamp) + OBJECTION_SECONDS;
        _escrows[escrow].available = available - total;
        _rounds[round] = PayoutRound(root, total, opensAt, opensAt + CLAIM_SECONDS, attempt, false);
        emit PayoutProposed(round, escrow, result, root, total, attempt, opensAt, opensAt + CLAIM_SECONDS);
    }

    /// @inheritdoc IResearchMarket
    function objectToPayout(
        EscrowTerms calldata terms,
        bytes32 result,
        uint32 attempt,
        address objector,
        bytes calldata signature
    ) external {
        bytes32 round = roundIdOf(escrowIdOf(terms), result);
        PayoutRound storage payout = _requireUnopened(round, attempt);
        if (payout.objected) revert AlreadyObjected(round);
        if (objector != terms.funder && !PARTICIPANTS.hasRole(objector, Roles.ETHICS_BOARD)) {
            revert NotObjector(objector);
        }
        _requireSigned(objector, keccak256(abi.encode(OBJECT_TYPEHASH, round, attempt)), signature);
        // An objection never opens a payout earlier.
        uint40 opensAt = uint40(Math.max(payout.opensAt, block.timestamp + SETTLEMENT_SECONDS));
        payout.objected = true;
        payout.opensAt = opensAt;
        payout.closesAt = opensAt + CLAIM_SECONDS;
        emit PayoutObjected(round, objector, opensAt, opensAt + CLAIM_SECONDS);
    }

    /// @inheritdoc IResearchMarket
    function settlePayout(
        EscrowTerms calldata terms,
        bytes32 result,
        uint32 attempt,
        bool stands,
        Approval[] calldata approvals
    ) external nonReentrant {
        bytes32 escrow = escrowIdOf(terms);
        bytes32 round = roundIdOf(escrow, result);
        PayoutRound storage payout = _requireUnopened(round, attempt);
        // Nobody's time to object is cut short.
        if (stands && !payout.objected) revert NotObjected(round);
        address[] memory members =
            _requireDecision(keccak256(abi.encode(SETTLE_TYPEHASH, round, attempt, stands)), approvals);
        if (stands) {
            uint40 opensAt = uint40(block.timestamp);
            payout.opensAt = opensAt;
            payout.closesAt = opensAt + CLAIM_SECONDS;
            emit PayoutUpheld(round, attempt, opensAt, opensAt + CLAIM_SECONDS, members);
        } else {
            uint128 total = payout.remaining;
            _rounds[round] = PayoutRound(0, 0, 0, 0, attempt, false);
            _escrows[escrow].available += total;
            emit PayoutRejected(round, attempt, total, members);
        }
    }

    /// @inheritdoc IResearchMarket
    function closePayout(EscrowTerms calldata terms, bytes32 result) external nonReentrant {
        bytes32 escrow = escrowIdOf(terms);
        bytes32 round = roundIdOf(escrow, result);
        PayoutRound storage payout = _knownRound(round);
        uint128 unclaimed = payout.remaining;
        if (block.timestamp < payout.closesAt) revert PayoutNotOver(round, payout.closesAt);
        if (unclaimed == 0) return;
        payout.remaining = 0;
        _escrows[escrow].available += unclaimed;
        emit PayoutClosed(round, unclaimed);
    }

    /// @inheritdoc IResearchMarket
    function resultOf(bytes32 study, bytes32 custodian, bytes32 result) external view returns (uint40 committedAt) {
        return _results[study][custodian][result];
    }

    /// @inheritdoc IResearchMarket
    function payoutOf(bytes32 round) external view returns (PayoutRound memory) {
        return _rounds[round];
    }

    /// @inheritdoc IResearchMarket
    function roundIdOf(bytes32 escrow, bytes32 result) public pure returns (bytes32 round) {
        return keccak256(abi.encode(escrow, result));
    }

    function _knownRound(bytes32 round) private view returns (PayoutRound storage payout) {
        payout = _rounds[round];
        if (payout.opensAt == 0) revert PayoutUnknown(round);
    }

    function _requireUnopened(bytes32 round, uint32 attempt) private view returns (PayoutRound storage payout) {
        payout = _knownRound(round);
        if (attempt != payout.attempt) revert AttemptNotCurrent(attempt, payout.attempt);
        if (block.timestamp >= payout.opensAt) revert PayoutAlreadyOpen(round, payout.opensAt);
    }
}

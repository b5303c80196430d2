// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {IResearchMarket} from "../interfaces/IResearchMarket.sol";
import {Approval, EscrowTerms, Payment, PayoutRound} from "../interfaces/IResearchTypes.sol";
import {Payouts} from "./Payouts.sol";

/// @notice Paying what is owed, to accounts that belong to one study or to none.
abstract contract Claims is Payouts {
    using BitMaps for BitMaps.BitMap;
    using SafeERC20 for IERC20;

    bytes32 private constant DONATION_TYPEHASH = keccak256("NameDonation(address account)");

    mapping(bytes32 round => BitMaps.BitMap) private _claimed;
    mapping(address account => bytes32 study) private _studyOfPayee;
    mapping(address account => bool) private _donations;

    /// @inheritdoc IResearchMarket
    function nameDonation(address account, Approval[] calldata approvals) external {
        _requirePayable(account);
        address[] memory members = _requireDecision(keccak256(abi.encode(DONATION_TYPEHASH, account)), approvals);
        _donations[account] = true;
        emit DonationNamed(account, members);
    }

    /// @inheritdoc IResearchMarket
    function claim(EscrowTerms calldata terms, bytes32 result, Payment calldata payment, bytes32[] calldata proof)
        external
        nonReentrant
    {
        bytes32 round = roundIdOf(escrowIdOf(terms), result);
        PayoutRound memory payout = _rounds[round];
        if (payout.opensAt == 0) revert PayoutUnknown(round);
        if (block.timestamp < payout.opensAt) revert PayoutNotOpen(round, payout.opensAt);
        if (block.timestamp >= payout.closesAt) revert PayoutOver(round, payout.closesAt);
        if (_claimed[round].get(payment.index)) revert AlreadyClaimed(round, payment.index);
        if (!MerkleProof.verifyCalldata(proof, payout.root, _leafOf(round, payment))) {
            revert ProofInvalid(round, payment.index);
        }
        if (payment.amount > payout.remaining) revert PayoutExhausted(payment.amount, payout.remaining);
        _requirePayable(payment.account);
        _bindToStudy(payment.account, terms.study);
        _claimed[round].set(payment.index);
        // It is no more than what remains, which has 128 bits.
        _rounds[round].remaining = payout.remaining - uint128(payment.amount);
        emit PaymentClaimed(round, payment.index, payment.account, payment.amount);
        if (!IERC20(terms.token).trySafeTransfer(payment.account, payment.amount)) {
            revert TransferFailed(terms.token, payment.account);
        }
    }

    /// @inheritdoc IResearchMarket
    /// @dev Each item is a call of its own, so that one that fails leaves nothing behind. Re-entering here is harmless,
    /// because `claim` is guarded.
    function claimBatch(
        EscrowTerms calldata terms,
        bytes32 result,
        Payment[] calldata payments,
        bytes32[][] calldata proofs
    ) external {
        if (payments.length != proofs.length) revert BatchLengthsDiffer(payments.length, proofs.length);
        bytes32 round = roundIdOf(escrowIdOf(terms), result);
        for (uint256 i = 0; i < payments.length; ++i) {
            // The call goes to this contract and is guarded there; the event only tells of what it left undone.
            // slither-disable-next-line calls-loop,reentrancy-events
            try this.claim(terms, result, payments[i], proofs[i]) {}
            catch (bytes memory reason) {
                emit ClaimRejected(round, payments[i].index, reason);
            }
        }
    }

    /// @inheritdoc IResearchMarket
    function isDonation(address account) external view returns (bool) {
        return _donations[account];
    }

    /// @inheritdoc IResearchMarket
    function studyOfPayee(address account) external view returns (bytes32 study) {
        return _studyOfPayee[account];
    }

    /// @inheritdoc IResearchMarket
    function isClaimed(bytes32 round, uint256 index) external view returns (bool) {
        return _claimed[round].get(index);
    }

    function _bindToStudy(address account, bytes32 study) private {
        bytes32 bound = _studyOfPayee[account];
        if (bound == study || _donations[account]) return;
        if (bound != 0) revert AccountOfAnotherStudy(account);
        if (PARTICIPANTS.memberOf(account) != 0) revert AccountOfMember(account);
        _studyOfPayee[account] = study;
    }

    /// @dev Money sent to the market itself would belong to nobody.
    function _requirePayable(address account) private view {
        if (account == address(0) || account == address(this)) revert RecipientInvalid(account);
    }

    function _leafOf(bytes32 round, Payment calldata payment) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(round, payment))));
    }
}

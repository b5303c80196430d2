// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Approval,
    EscrowTerms,
    IResearchTypes,
    MarketTerms,
    Payment,
    PayoutRound,
    StudyPermit
} from "./IResearchTypes.sol";

/// @title Studies, their ethics permits, their money and its payout
/// @notice Nobody owns it, nothing pauses it, nothing in it can be changed.
///
/// Commands of the ethics board are signed by members with that role and relayed by anyone, or sent by a member with
/// an empty signature of its own. A decision takes `boardThreshold` distinct members, in ascending order of account;
/// suspending takes one. EIP-712 domain: name "Assent Research", version "1". Types:
/// PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy),
/// RefuseStudy(bytes32 study), SuspendStudy(bytes32 study,uint32 round), ResumeStudy(bytes32 study,uint32 round),
/// RevokeStudy(bytes32 study), NameDonation(address account), ObjectToPayout(bytes32 round,uint32 attempt),
/// SettlePayout(bytes32 round,uint32 attempt,bool stands).
///
/// Money. A researcher funds an escrow that names the study, the custodian that runs it and a token. The custodian
/// commits to results while the study is permitted, and proposes one payout a result: a Merkle root and a total that
/// leaves the escrow's free part at once. After the objection window anyone may submit claims; what nobody claims in
/// time goes back to the free part. The funder takes the free part back before the study is permitted, after it was
/// refused, after the custodian released the escrow, and once the grace after the study's end is over. Every wait has
/// an end that comes by itself, so that no money depends on somebody's act for ever.
///
/// Leaf of a payout: keccak256(keccak256(abi.encode(round, index, account, amount, salt))), inner nodes keccak256 of
/// the sorted pair (OpenZeppelin's standard tree of bytes32, uint256, address, uint256, bytes32).
///
/// Payees. Patients are hidden, so the contract cannot know which account controls a patient's consents. What it
/// enforces: an account is paid for one study only, namely the first that pays it, and is no member's account; only
/// accounts the board named for donations are paid for several. So a controller's account that serves as a payee is
/// of no use in a second study, and payments of two studies are never linked by their account. That the account is
/// not the controller's is for the wallet, which makes it, and the custodian, which builds the tree.
///
/// Assumptions: the token moves what it is told to when it sends. One that takes a fee on deposit is credited with
/// what arrived. Warning: a token whose balances change by themselves, or that charges the sender, can leave too
/// little for the last payees and the refund of escrows in that token; escrows in other tokens are not touched.
interface IResearchMarket is IResearchTypes {
    /// @notice Record the permit of a study, decided by the board. A study is permitted once.
    /// @param study id, not zero
    /// @param rules hash of the approved output rules
    /// @param notBefore first second in which the permit counts
    /// @param notAfter first second in which it no longer counts, at most 3,660 days ahead
    /// @param submitBy last second in which this may be recorded
    /// @param approvals over PermitStudy
    function permitStudy(
        bytes32 study,
        bytes32 rules,
        uint40 notBefore,
        uint40 notAfter,
        uint40 submitBy,
        Approval[] calldata approvals
    ) external;

    /// @notice Refuse for good a study that is not permitted, decided by the board. Twice does nothing.
    /// @param study id, not zero
    /// @param approvals over RefuseStudy
    function refuseStudy(bytes32 study, Approval[] calldata approvals) external;

    /// @notice Suspend a study, at once, by one member of the board. Suspending what is suspended does nothing.
    /// @param study id
    /// @param round the current one
    /// @param boardMember account of the member
    /// @param signature over SuspendStudy
    function suspendStudy(bytes32 study, uint32 round, address boardMember, bytes calldata signature) external;

    /// @notice Resume a suspended study, decided by the board. Resuming what is not suspended does nothing.
    /// @param study id
    /// @param round the current one
    /// @param approvals over ResumeStudy
    function resumeStudy(bytes32 study, uint32 round, Approval[] calldata approvals) external;

    /// @notice Revoke a permit for good, decided by the board; twice does nothing.
    /// @dev It takes the threshold, because it is final; one member alone stops a study by suspending it.
    /// @param study id
    /// @param approvals over RevokeStudy
    function revokeStudy(bytes32 study, Approval[] calldata approvals) external;

    /// @notice Let an account be paid for any study, for good, decided by the board.
    /// @param account of a body that takes donations
    /// @param approvals over NameDonation
    function nameDonation(address account, Approval[] calldata approvals) external;

    /// @notice Pay into an escrow. The sender is the funder, a member with the researcher role, and allowed the
    /// market to take the amount. What arrives is credited.
    /// @param terms of the escrow; its custodian is in standing
    /// @param amount to take
    /// @return escrow the id
    function fund(EscrowTerms calldata terms, uint256 amount) external returns (bytes32 escrow);

    /// @notice Say that no more payouts will be proposed, so that the funder need not wait. Final. The sender is the
    /// escrow's custodian.
    /// @param terms of the escrow
    function release(EscrowTerms calldata terms) external;

    /// @notice Send the free part of an escrow back, when it is not locked. Anyone may send it to the funder; only the
    /// funder names another account (its own may be blocked by the token).
    /// @param terms of the escrow
    /// @param to receiving account
    function refund(EscrowTerms calldata terms, address to) external;

    /// @notice Commit to a result. The sender is a custodian; the study is permitted in this block under these rules,
    /// so a suspended study yields no result.
    /// @param study id
    /// @param rules hash of the output rules it was made under
    /// @param result hash of the result
    function commitResult(bytes32 study, bytes32 rules, bytes32 result) external;

    /// @notice Propose the payout for a committed result. The sender is the escrow's custodian. A result is paid once
    /// from an escrow; only after the board rejected an attempt may another be made.
    /// @param terms of the escrow
    /// @param result committed by its custodian
    /// @param root of the tree of payments
    /// @param total of the payments, at most the escrow's free part
    /// @return round the payout's id
    function proposePayout(EscrowTerms calldata terms, bytes32 result, bytes32 root, uint128 total)
        external
        returns (bytes32 round);

    /// @notice Object to a payout before it opens; once an attempt. The board then has the settlement time, after
    /// which the payout opens unless rejected: an objection delays, only the board decides.
    /// @param terms of the escrow
    /// @param result of the payout
    /// @param attempt the current one
    /// @param objector the funder or a member of the board
    /// @param signature over ObjectToPayout; empty if the objector is the sender
    function objectToPayout(
        EscrowTerms calldata terms,
        bytes32 result,
        uint32 attempt,
        address objector,
        bytes calldata signature
    ) external;

    /// @notice Settle a payout before it opens, decided by the board: reject it, or dismiss the objection to it.
    /// @param terms of the escrow
    /// @param result of the payout
    /// @param attempt the current one
    /// @param stands false: the total goes back to the escrow; true, only after an objection: it opens now
    /// @param approvals over SettlePayout
    function settlePayout(
        EscrowTerms calldata terms,
        bytes32 result,
        uint32 attempt,
        bool stands,
        Approval[] calldata approvals
    ) external;

    /// @notice Return what nobody claimed in time to the escrow. Anyone; twice does nothing.
    /// @param terms of the escrow
    /// @param result of the payout
    function closePayout(EscrowTerms calldata terms, bytes32 result) external;

    /// @notice Make one payment of an open payout. Anyone submits it; it goes to the account in the leaf.
    /// @param terms of the escrow
    /// @param result of the payout
    /// @param payment the leaf
    /// @param proof its path
    function claim(EscrowTerms calldata terms, bytes32 result, Payment calldata payment, bytes32[] calldata proof)
        external;

    /// @notice Make many payments of one payout; one that fails is left out with an event.
    /// @param terms of the escrow
    /// @param result of the payout
    /// @param payments leaves
    /// @param proofs a path each
    function claimBatch(
        EscrowTerms calldata terms,
        bytes32 result,
        Payment[] calldata payments,
        bytes32[][] calldata proofs
    ) external;

    /// @notice What this deployment fixed.
    /// @return the terms
    function marketTerms() external view returns (MarketTerms memory);

    /// @notice What is recorded of a study's permit; all zero if nothing.
    /// @dev Warning: this says nothing about whether it counts now; `isPermitted` does.
    /// @param study id
    /// @return the permit
    function permitOf(bytes32 study) external view returns (StudyPermit memory);

    /// @notice Whether the study may run in this block under exactly these output rules.
    /// @param study id
    /// @param rules hash of the output rules
    /// @return whether it may
    function isPermitted(bytes32 study, bytes32 rules) external view returns (bool);

    /// @notice Whether the board named this account for donations.
    /// @param account the account
    /// @return whether it did
    function isDonation(address account) external view returns (bool);

    /// @notice The only study the account is paid for; zero if it was never paid or is paid as a donation account.
    /// @param account the account
    /// @return study id
    function studyOfPayee(address account) external view returns (bytes32 study);

    /// @notice The id of an escrow: the hash of its terms.
    /// @param terms of the escrow
    /// @return escrow id
    function escrowIdOf(EscrowTerms calldata terms) external pure returns (bytes32 escrow);

    /// @notice What an escrow holds beside what its payouts owe.
    /// @param escrow id
    /// @return available the free part
    /// @return released whether its custodian released it
    function escrowOf(bytes32 escrow) external view returns (uint256 available, bool released);

    /// @notice Until when the free part of a study's escrows is locked: the study's end and the grace.
    /// @param study id
    /// @return until first second in which it is free; zero if the study was never permitted
    function lockedUntil(bytes32 study) external view returns (uint256 until);

    /// @notice When a custodian committed to a result; zero if never.
    /// @param study id
    /// @param custodian member
    /// @param result hash
    /// @return committedAt block time
    function resultOf(bytes32 study, bytes32 custodian, bytes32 result) external view returns (uint40 committedAt);

    /// @notice The id of a payout.
    /// @param escrow id
    /// @param result hash
    /// @return round id
    function roundIdOf(bytes32 escrow, bytes32 result) external pure returns (bytes32 round);

    /// @notice What is recorded of a payout.
    /// @dev Warning: this says nothing about whether a payment may be claimed now.
    /// @param round id
    /// @return the payout
    function payoutOf(bytes32 round) external view returns (PayoutRound memory);

    /// @notice Whether the payment with this index was made.
    /// @param round id
    /// @param index of the leaf
    /// @return whether it was
    function isClaimed(bytes32 round, uint256 index) external view returns (bool);
}

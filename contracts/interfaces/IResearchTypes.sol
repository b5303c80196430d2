// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a deployment of the market fixes for ever.
/// @param boardThreshold how many members of the ethics board a decision of the board takes, at least 1
/// @param objectionSeconds how long a payout waits for an objection before it may be claimed
/// @param settlementSeconds how long the board has to settle an objection; then the payout stands
/// @param claimSeconds how long a payout may be claimed; not zero
/// @param graceSeconds how long after a study's end its committed results may still be paid
struct MarketTerms {
    uint8 boardThreshold;
    uint32 objectionSeconds;
    uint32 settlementSeconds;
    uint32 claimSeconds;
    uint32 graceSeconds;
}

/// @notice The ethics board's permit of a study.
/// @param rules hash of the output rules the board approved
/// @param notBefore first second in which it counts
/// @param notAfter first second in which it no longer counts; zero if the study was never permitted
/// @param revokedAt block time of its revocation (or refusal, if it was never permitted), or zero
/// @param round how often it was suspended or resumed
/// @param suspended whether it is suspended
struct StudyPermit {
    bytes32 rules;
    uint40 notBefore;
    uint40 notAfter;
    uint40 revokedAt;
    uint32 round;
    bool suspended;
}

/// @notice One board member's agreement to a command.
/// @param member account of the member
/// @param signature over the command; empty if the member is the sender
struct Approval {
    address member;
    bytes signature;
}

/// @notice What an escrow is for. Its id is the hash of this, so nobody can take an id first or redirect money.
/// @param study id of the study
/// @param custodian member that runs the study and proposes its payouts
/// @param funder account that pays and to which goes what is not owed
/// @param token ERC-20 of deposits, payouts and refunds
struct EscrowTerms {
    bytes32 study;
    bytes32 custodian;
    address funder;
    address token;
}

/// @notice One payout for one result. Everything but the root shares a word.
/// @param root Merkle root of the payments
/// @param remaining what is owed and not yet claimed
/// @param opensAt first second in which it may be claimed; zero if nothing is proposed
/// @param closesAt first second in which it may no longer be claimed
/// @param attempt how often a payout was proposed for this result
/// @param objected whether somebody objected to this attempt
struct PayoutRound {
    bytes32 root;
    uint128 remaining;
    uint40 opensAt;
    uint40 closesAt;
    uint32 attempt;
    bool objected;
}

/// @notice One payment of a payout: a leaf of its tree.
/// @param index position, each claimed once
/// @param account who is paid: made for this study, or a donation account
/// @param amount in the token's smallest unit
/// @param salt drawn at random, so that a leaf's hash tells nothing before it is claimed
struct Payment {
    uint256 index;
    address account;
    uint256 amount;
    bytes32 salt;
}

/// @title Events and errors of the research market
/// @dev The events suffice to rebuild the storage. `docs/contracts.md` says how to mend each error.
interface IResearchTypes {
    /// @notice A study was permitted by these board members.
    event StudyPermitted(bytes32 indexed study, bytes32 rules, uint40 notBefore, uint40 notAfter, address[] members);
    /// @notice A study that was not permitted will never be.
    event StudyRefused(bytes32 indexed study, uint40 refusedAt, address[] members);
    /// @notice A study was suspended by one board member.
    event StudySuspended(bytes32 indexed study, uint32 round, address indexed boardMember);
    /// @notice A suspended study was resumed.
    event StudyResumed(bytes32 indexed study, uint32 round, address[] members);
    /// @notice A permit was revoked for good.
    event StudyRevoked(bytes32 indexed study, uint40 revokedAt, address[] members);
    /// @notice An account may be paid for any study.
    event DonationNamed(address indexed account, address[] members);

    /// @notice Money came into an escrow. `received` is what arrived, not what was sent.
    event EscrowFunded(bytes32 indexed escrow, bytes32 indexed study, EscrowTerms terms, uint256 received);
    /// @notice The custodian will propose no more payouts from this escrow.
    event EscrowReleased(bytes32 indexed escrow);
    /// @notice What an escrow did not owe went back, to an account the funder chose.
    event EscrowRefunded(bytes32 indexed escrow, address indexed to, uint256 amount);

    /// @notice A custodian committed to a result of a study.
    event ResultCommitted(bytes32 indexed study, bytes32 indexed custodian, bytes32 result);
    /// @notice A payout was proposed; it opens by itself unless somebody objects.
    event PayoutProposed(
        bytes32 indexed round,
        bytes32 indexed escrow,
        bytes32 result,
        bytes32 root,
        uint256 total,
        uint32 attempt,
        uint40 opensAt,
        uint40 closesAt
    );
    /// @notice The funder or a board member objected, so that the board has time to settle it.
    event PayoutObjected(bytes32 indexed round, address indexed objector, uint40 opensAt, uint40 closesAt);
    /// @notice The board dismissed the objection; the payout is open.
    event PayoutUpheld(bytes32 indexed round, uint32 attempt, uint40 opensAt, uint40 closesAt, address[] members);
    /// @notice The board rejected the payout; its total is back in the escrow.
    event PayoutRejected(bytes32 indexed round, uint32 attempt, uint256 total, address[] members);
    /// @notice A payment was made.
    event PaymentClaimed(bytes32 indexed round, uint256 index, address indexed account, uint256 amount);
    /// @notice An item of a batch was left out; `reason` is its encoded error, empty if its gas ran out.
    event ClaimRejected(bytes32 indexed round, uint256 index, bytes reason);
    /// @notice A payout is over; what nobody claimed is back in the escrow.
    event PayoutClosed(bytes32 indexed round, uint256 unclaimed);

    error ThresholdZero();
    error ClaimWindowZero();

    error StudyZero();
    error StudyUnknown(bytes32 study);
    error StudyAlreadyPermitted(bytes32 study);
    error StudyAlreadyRefused(bytes32 study);
    error StudyAlreadyRevoked(bytes32 study);
    error StudyNotPermitted(bytes32 study, bytes32 rules);
    error SubmittedTooLate(uint40 submitBy);
    error WindowEmpty(uint40 notBefore, uint40 notAfter);
    error PermitTooLong(uint40 notAfter, uint256 latest);
    error RoundNotCurrent(uint32 signed, uint32 current);

    error NotEthicsBoard(address account);
    error SignatureInvalid(address signer);
    error ApprovalsTooFew(uint256 given, uint256 needed);
    error ApprovalsNotAscending(address member);

    error NotResearcher(address account);
    error NotFunder(address account);
    error NotCustodian(address account);
    error NotEscrowCustodian(address account, bytes32 custodian);
    error CustodianNotInStanding(bytes32 custodian);
    error NothingReceived(address token);
    error EscrowEmpty(bytes32 escrow);
    error EscrowOver(bytes32 escrow);
    error EscrowLocked(bytes32 escrow, uint256 until);
    error EscrowTooSmall(uint256 total, uint256 available);
    error RecipientInvalid(address account);

    error ResultAlreadyCommitted(bytes32 study, bytes32 result);
    error ResultUnknown(bytes32 study, bytes32 result);
    error PayoutEmpty();
    error PayoutExists(bytes32 round);
    error PayoutUnknown(bytes32 round);
    error PayoutNotOpen(bytes32 round, uint40 opensAt);
    error PayoutAlreadyOpen(bytes32 round, uint40 opensAt);
    error PayoutOver(bytes32 round, uint40 closesAt);
    error PayoutNotOver(bytes32 round, uint40 closesAt);
    error AttemptNotCurrent(uint32 signed, uint32 current);
    error NotObjector(address account);
    error AlreadyObjected(bytes32 round);
    error NotObjected(bytes32 round);

    error AlreadyClaimed(bytes32 round, uint256 index);
    error ProofInvalid(bytes32 round, uint256 index);
    error PayoutExhausted(uint256 amount, uint256 remaining);
    error AccountOfAnotherStudy(address account);
    error AccountOfMember(address account);
    error TransferFailed(address token, address to);
    error BatchLengthsDiffer(uint256 payments, uint256 proofs);
}

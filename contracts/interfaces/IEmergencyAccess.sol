// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "./IConsentRegistry.sol";
import {DelegationHeader} from "./IConsentTypes.sol";

/// @notice What a responder signs to open now. Times are unix seconds.
/// @param subject pseudonym of the patient
/// @param responder account of the member that opens
/// @param reason salted commitment to the coded reason, not zero
/// @param duration seconds asked for; zero asks for the default of two hours; never above four hours
/// @param submitBy last second in which this may be recorded
struct OpeningHeader {
    uint96 subject;
    address responder;
    bytes32 reason;
    uint32 duration;
    uint40 submitBy;
}

/// @notice What a responder signs during an outage, to be recorded within four hours of `openedAt`.
/// @param subject pseudonym of the patient
/// @param responder account of the member that opened
/// @param reason salted commitment to the coded reason, not zero
/// @param duration as in `OpeningHeader`, counted from `openedAt`
/// @param openedAt the responder's local time when it opened
struct LateOpeningHeader {
    uint96 subject;
    address responder;
    bytes32 reason;
    uint32 duration;
    uint40 openedAt;
}

/// @notice What is stored of an opening. Windows are half open.
/// @param member the member that opened; zero when nothing is stored
/// @param countersigner the other responder's member, or zero
/// @param finding commitment to the review's finding, or zero while it is not reviewed
/// @param responder account that opened
/// @param subject pseudonym of the patient
/// @param openedAt first second of access: the recording block's time, or the signed local time of a late opening
/// @param expiresAt first second without access, if it is neither closed nor forbidden before
/// @param recordedAt time of the block that recorded it; its review is due 72 hours later
/// @param closedAt block time at which it was closed early, or zero
/// @param reviewedAt block time of its review, or zero
/// @param late whether `openedAt` is the responder's word and not the chain's
struct Opening {
    bytes32 member;
    bytes32 countersigner;
    bytes32 finding;
    address responder;
    uint96 subject;
    uint40 openedAt;
    uint40 expiresAt;
    uint40 recordedAt;
    uint40 closedAt;
    uint40 reviewedAt;
    bool late;
}

/// @title Emergency access: breaking the glass, and answering for it
/// @notice A responder opens one patient's records for at most four hours, never against the patient's standing
/// policy, and every opening waits for a review by somebody else. An opening's id is the EIP-712 struct hash of what
/// the responder signed, so it is known before it is sent and a retry is harmless.
///
/// Every command is signed by the account it names and relayed by anyone, or sent by that account itself with an empty
/// signature. EIP-712 domain: name "Assent Emergency", version "1". Types:
/// OpenEmergency(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy),
/// OpenEmergencyLate(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt),
/// CountersignEmergency(bytes32 opening), CloseEmergency(bytes32 opening),
/// ReviewEmergency(bytes32 opening,bytes32 finding),
/// SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round).
///
/// Policies: 0 limit (who never set one has it), 1 allow, 2 forbid. Allow gives the duration asked for, limit half of
/// it, forbid none.
/// @dev The chain knows neither reasons nor categories: what a limited opening shows is the service's part.
interface IEmergencyAccess {
    /// @dev `countersigner` is a member, zero if nobody countersigned. Puts the opening last in its member's queue.
    event EmergencyOpened(
        bytes32 indexed opening,
        uint96 indexed subject,
        bytes32 indexed member,
        address responder,
        bytes32 countersigner,
        bytes32 reason,
        uint40 openedAt,
        uint40 expiresAt,
        uint40 recordedAt,
        bool late
    );
    event EmergencyClosed(bytes32 indexed opening, address indexed closer, uint40 closedAt);
    /// @dev Takes the opening out of its member's queue.
    event EmergencyReviewed(
        bytes32 indexed opening, bytes32 indexed reviewer, bytes32 finding, uint40 reviewedAt
    );
    event EmergencyPolicySet(uint96 indexed subject, uint8 policy, uint32 round, uint40 setAt);

    error SubjectUnknown(uint96 subject);
    error SubjectHasController(uint96 subject);
    error SignatureInvalid(address signer);
    error SubmittedTooLate(uint40 submitBy);
    error ReasonZero();
    error DurationTooLong(uint32 duration, uint32 longest);
    error NotResponder(address account);
    error PolicyForbids(uint96 subject);
    error CountersignatureNeeded(bytes32 member, bytes32 overdue);
    error CountersignerNotAnother(bytes32 member);
    error AlreadyOpened(bytes32 opening);
    error OpenedInTheFuture(uint40 openedAt);
    error RecordedTooLate(uint40 openedAt);
    error OpeningUnknown(bytes32 opening);
    error MayNotClose(bytes32 opening, address account);
    error OpeningNotOver(bytes32 opening);
    error NotReviewer(address account);
    error ReviewerTookPart(bytes32 opening, bytes32 member);
    error FindingZero();
    error AlreadyReviewed(bytes32 opening);
    error PolicyUnknown(uint8 policy);
    error RoundNotCurrent(uint32 signed, uint32 current);
    error GuardianMayNotForbid(uint96 subject);
    error GuardianshipNotLive(uint96 subject, address guardian);

    // --- openings

    /// @notice Open from this block on. Refused while the policy forbids, and in the second in which it was set to.
    /// @dev The responder needs the role and a live credential now. If a review of one of its openings is overdue,
    /// another member with that role must countersign; it may do so always, and then may not review.
    /// @param header what the responder signed as OpenEmergency
    /// @param signature the responder's; empty if it is the sender
    /// @param countersigner account of the other responder, or zero
    /// @param countersignature its CountersignEmergency; empty if it is the sender, or if there is none
    /// @return opening hashStruct(OpenEmergency)
    function openEmergency(
        OpeningHeader calldata header,
        bytes calldata signature,
        address countersigner,
        bytes calldata countersignature
    ) external returns (bytes32 opening);

    /// @notice Record an opening made during an outage, at most four hours ago and not in the future. The window and
    /// the policy are those of the signed time; where a forbid was recorded since, the window ends there.
    /// @dev Role, credential and countersignature are asked for as of this block. Warning: the date is the responder's
    /// word, and the opening is flagged as late for ever.
    /// @return opening hashStruct(OpenEmergencyLate)
    function openEmergencyLate(
        LateOpeningHeader calldata header,
        bytes calldata signature,
        address countersigner,
        bytes calldata countersignature
    ) external returns (bytes32 opening);

    /// @notice Close early. By the account that opened or by the subject's controller; neither needs a role. Closing
    /// what is over does nothing.
    /// @param opening its id
    /// @param closer the account that closes
    /// @param signature its CloseEmergency; empty if it is the sender
    function closeEmergency(bytes32 opening, address closer, bytes calldata signature) external;

    /// @notice Record the finding of a review, once, after the opening is over; due within 72 hours of its recording
    /// and possible after that.
    /// @dev By a member that is a custodian or on the ethics board in standing, and neither opened nor countersigned.
    /// @param opening its id
    /// @param reviewer account of the member that reviewed
    /// @param finding salted commitment to the finding, not zero
    /// @param signature its ReviewEmergency; empty if it is the sender
    function reviewEmergency(bytes32 opening, address reviewer, bytes32 finding, bytes calldata signature) external;

    // --- standing policy

    /// @notice Set the subject's policy, by its controller. To forbid ends the openings that run. The policy it has
    /// does nothing.
    /// @dev Needs no role, fee or deadline. The round rises with every change, which only the controller (or, without
    /// one, a guardian) makes, so nobody else can make a signed policy stale.
    /// @param subject pseudonym, opened in the consent registry
    /// @param policy 0 limit, 1 allow, 2 forbid
    /// @param round the current one, see `emergencyPolicyOf`
    /// @param signature the controller's SetEmergencyPolicy; empty if it is the sender
    function setEmergencyPolicy(uint96 subject, uint8 policy, uint32 round, bytes calldata signature) external;

    /// @notice The same for a subject without a controller, by a guardian, who may limit (with the power to revoke)
    /// or allow (with the power to grant).
    /// @dev A guardian can neither forbid nor close: who may refuse emergency care is the patient alone, and a guardian
    /// who hides injuries must not be able to.
    /// @param guardianship a live one of kind 4; the guardian is its delegate
    function setEmergencyPolicyByGuardian(
        DelegationHeader calldata guardianship,
        uint8 policy,
        uint32 round,
        bytes calldata signature
    ) external;

    // --- views

    /// @notice The registry that says who controls a subject.
    function CONSENTS() external view returns (IConsentRegistry);

    /// @notice Whether the opening gives access in this block: recorded, begun, not expired, not closed, not forbidden
    /// since, and its responder's account still has the role in standing.
    /// @dev Warning: it says nothing about whom or what it opens; compare `openingOf`.
    function isOpen(bytes32 opening) external view returns (bool);

    /// @notice What is stored of an opening; all zero if nothing.
    /// @dev Warning: this says nothing about whether it gives access now; `isOpen` does.
    function openingOf(bytes32 opening) external view returns (Opening memory);

    /// @notice Whether an opening of this member waited for its review for 72 hours and still does.
    function hasOverdueReview(bytes32 member) external view returns (bool);

    /// @notice The oldest opening of this member that is not reviewed; zero if none.
    function oldestUnreviewedOf(bytes32 member) external view returns (bytes32 opening);

    /// @notice The next newer unreviewed opening of the same member; zero if none, or if this one is reviewed.
    function nextUnreviewedAfter(bytes32 opening) external view returns (bytes32 next);

    /// @notice The subject's policy in this block, and the round to sign for the next change.
    function emergencyPolicyOf(uint96 subject) external view returns (uint8 policy, uint32 round);

    /// @notice The subject's policy at the end of a past second.
    function emergencyPolicyAt(uint96 subject, uint40 time) external view returns (uint8 policy);

    /// @notice hashStruct(OpenEmergency).
    function openingId(OpeningHeader calldata header) external pure returns (bytes32);

    /// @notice hashStruct(OpenEmergencyLate).
    function lateOpeningId(LateOpeningHeader calldata header) external pure returns (bytes32);
}

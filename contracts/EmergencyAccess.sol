// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StandingPolicies} from "./emergency/StandingPolicies.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IEmergencyAccess, LateOpeningHeader, Opening, OpeningHeader} from "./interfaces/IEmergencyAccess.sol";
import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {Policies} from "./libraries/Policies.sol";
import {ReviewQueue} from "./libraries/ReviewQueue.sol";
import {Roles} from "./libraries/Roles.sol";

contract EmergencyAccess is StandingPolicies {
    using ReviewQueue for ReviewQueue.Queue;

    bytes32 private constant OPEN_TYPEHASH = keccak256(
        "OpenEmergency(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy)"
    );
    bytes32 private constant OPEN_LATE_TYPEHASH = keccak256(
        "OpenEmergencyLate(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt)"
    );
    bytes32 private constant COUNTERSIGN_TYPEHASH = keccak256("CountersignEmergency(bytes32 opening)");
    bytes32 private constant CLOSE_TYPEHASH = keccak256("CloseEmergency(bytes32 opening)");
    bytes32 private constant REVIEW_TYPEHASH = keccak256("ReviewEmergency(bytes32 opening,bytes32 finding)");

    uint32 private constant DEFAULT_DURATION = 2 hours;
    uint32 private constant LONGEST_DURATION = 4 hours;
    uint40 private constant LONGEST_DELAY = 4 hours;
    uint40 private constant REVIEW_WITHIN = 72 hours;

    IParticipantRegistry public immutable PARTICIPANTS;

    mapping(bytes32 opening => Opening) internal _openings;
    mapping(bytes32 member => ReviewQueue.Queue) private _unreviewed;

    constructor(IParticipantRegistry participants, IConsentRegistry consents) StandingPolicies(consents) {
        PARTICIPANTS = participants;
    }

    /// @inheritdoc IEmergencyAccess
    function openEmergency(
        OpeningHeader calldata header,
        bytes calldata signature,
        address countersigner,
        bytes calldata countersignature
    ) external returns (bytes32 opening) {
        opening = openingId(header);
        if (block.timestamp > header.submitBy) revert SubmittedTooLate(header.submitBy);
        Opening memory asked = _asked(header.subject, header.responder, uint40(block.timestamp), false);
        _sign(opening, asked, signature, countersigner, countersignature);
        _record(opening, asked, header.duration, header.reason);
    }

    /// @inheritdoc IEmergencyAccess
    function openEmergencyLate(
        LateOpeningHeader calldata header,
        bytes calldata signature,
        address countersigner,
        bytes calldata countersignature
    ) external returns (bytes32 opening) {
        opening = lateOpeningId(header);
        if (header.openedAt > block.timestamp) revert OpenedInTheFuture(header.openedAt);
        if (block.timestamp > uint256(header.openedAt) + LONGEST_DELAY) revert RecordedTooLate(header.openedAt);
        Opening memory asked = _asked(header.subject, header.responder, header.openedAt, true);
        _sign(opening, asked, signature, countersigner, countersignature);
        _record(opening, asked, header.duration, header.reason);
    }

    /// @inheritdoc IEmergencyAccess
    function closeEmergency(bytes32 opening, address closer, bytes calldata signature) external {
        Opening memory found = _known(opening);
        if (_isOver(found)) return;
        if (closer != found.responder && closer != _controllerOf(found.subject)) {
            revert MayNotClose(opening, closer);
        }
        _requireBy(closer, keccak256(abi.encode(CLOSE_TYPEHASH, opening)), signature);
        _openings[opening].closedAt = uint40(block.timestamp);
        emit EmergencyClosed(opening, closer, uint40(block.timestamp));
    }

    /// @inheritdoc IEmergencyAccess
    function reviewEmergency(bytes32 opening, address reviewer, bytes32 finding, bytes calldata signature) external {
        Opening memory found = _known(opening);
        if (finding == 0) revert FindingZero();
        if (found.reviewedAt != 0) revert AlreadyReviewed(opening);
        if (!_isOver(found)) revert OpeningNotOver(opening);
        bytes32 member = PARTICIPANTS.memberWithRole(reviewer, Roles.CUSTODIAN);
        if (member == 0) member = PARTICIPANTS.memberWithRole(reviewer, Roles.ETHICS_BOARD);
        if (member == 0) revert NotReviewer(reviewer);
        // Members, not dates; Slither takes every field of a struct with a date for one.
        // slither-disable-next-line incorrect-equality
        if (member == found.member || member == found.countersigner) revert ReviewerTookPart(opening, member);
        _requireBy(reviewer, keccak256(abi.encode(REVIEW_TYPEHASH, opening, finding)), signature);
        _openings[opening].finding = finding;
        _openings[opening].reviewedAt = uint40(block.timestamp);
        _unreviewed[found.member].remove(opening);
        emit EmergencyReviewed(opening, member, finding, uint40(block.timestamp));
    }

    /// @inheritdoc IEmergencyAccess
    function isOpen(bytes32 opening) external view returns (bool) {
        Opening memory found = _openings[opening];
        return found.member != 0 && !_isOver(found) && PARTICIPANTS.hasRole(found.responder, Roles.RESPONDER);
    }

    /// @inheritdoc IEmergencyAccess
    function openingOf(bytes32 opening) external view virtual returns (Opening memory) {
        return _openings[opening];
    }

    /// @inheritdoc IEmergencyAccess
    function hasOverdueReview(bytes32 member) public view virtual returns (bool) {
        bytes32 oldest = _unreviewed[member].oldest;
        return oldest != 0 && block.timestamp >= uint256(_openings[oldest].recordedAt) + REVIEW_WITHIN;
    }

    /// @inheritdoc IEmergencyAccess
    function oldestUnreviewedOf(bytes32 member) external view returns (bytes32 opening) {
        return _unreviewed[member].oldest;
    }

    /// @inheritdoc IEmergencyAccess
    function nextUnreviewedAfter(bytes32 opening) external view returns (bytes32) {
        return _unreviewed[_openings[opening].member].next(opening);
    }

    /// @inheritdoc IEmergencyAccess
    function openingId(OpeningHeader calldata header) public pure returns (bytes32) {
        return keccak256(abi.encode(OPEN_TYPEHASH, header));
    }

    /// @inheritdoc IEmergencyAccess
    function lateOpeningId(LateOpeningHeader calldata header) public pure returns (bytes32) {
        return keccak256(abi.encode(OPEN_LATE_TYPEHASH, header));
    }

    function _asked(uint96 subject, address responder, uint40 openedAt, bool late)
        private
        pure
        returns (Opening memory)
    {
        return Opening({
            member: 0,
            countersigner: 0,
            finding: 0,
            responder: responder,
            subject: subject,
            openedAt: openedAt,
            expiresAt: 0,
            recordedAt: 0,
            closedAt: 0,
            reviewedAt: 0,
            late: late
        });
    }

    // Members and policies are compared below, and the second of a forbid, which is meant: Slither takes every field
    // of a struct with a date for a date.
    // slither-disable-start incorrect-equality

    /// @dev Who opens, in which standing, and with whom: fills in the members. Reviews are counted by member, so that
    /// a new account does not shake off an overdue one.
    function _sign(
        bytes32 opening,
        Opening memory asked,
        bytes calldata signature,
        address countersigner,
        bytes calldata countersignature
    ) private view {
        if (_openings[opening].member != 0) revert AlreadyOpened(opening);
        asked.member = _responder(asked.responder);
        _requireBy(asked.responder, opening, signature);
        if (countersigner == address(0)) {
            if (hasOverdueReview(asked.member)) {
                revert CountersignatureNeeded(asked.member, _unreviewed[asked.member].oldest);
            }
        } else {
            asked.countersigner = _responder(countersigner);
            if (asked.countersigner == asked.member) revert CountersignerNotAnother(asked.member);
            bytes32 command = keccak256(abi.encode(COUNTERSIGN_TYPEHASH, opening));
            _requireBy(countersigner, command, countersignature);
        }
    }

    /// @dev What the patient's policy makes of it, and the record.
    function _record(bytes32 opening, Opening memory asked, uint32 duration, bytes32 reason) internal virtual {
        if (reason == 0) revert ReasonZero();
        if (duration > LONGEST_DURATION) revert DurationTooLong(duration, LONGEST_DURATION);
        // Only for its revert: emergencies of unknown subjects are mistakes.
        // slither-disable-next-line unused-return
        _controllerOf(asked.subject);
        uint8 policy = emergencyPolicyAt(asked.subject, asked.openedAt);
        uint40 forbidden = _firstForbid(asked.subject, asked.openedAt);
        if (policy == Policies.FORBID || forbidden == asked.openedAt) revert PolicyForbids(asked.subject);
        if (duration == 0) duration = DEFAULT_DURATION;
        asked.expiresAt = asked.openedAt + (policy == Policies.ALLOW ? duration : duration / 2);
        if (forbidden != 0 && forbidden < asked.expiresAt) asked.expiresAt = forbidden;
        asked.recordedAt = uint40(block.timestamp);
        _openings[opening] = asked;
        _unreviewed[asked.member].add(opening);
        _emitOpened(opening, asked, reason);
    }

    function _emitOpened(bytes32 opening, Opening memory made, bytes32 reason) private {
        emit EmergencyOpened(
            opening,
            made.subject,
            made.member,
            made.responder,
            made.countersigner,
            reason,
            made.openedAt,
            made.expiresAt,
            made.recordedAt,
            made.late
        );
    }

    function _known(bytes32 opening) private view returns (Opening memory found) {
        found = _openings[opening];
        if (found.member == 0) revert OpeningUnknown(opening);
    }

    function _responder(address account) private view returns (bytes32 member) {
        member = PARTICIPANTS.memberWithRole(account, Roles.RESPONDER);
        if (member == 0) revert NotResponder(account);
    }

    // slither-disable-end incorrect-equality

    /// @dev For good: what is over never opens again, whatever becomes of policies and roles.
    function _isOver(Opening memory found) private view returns (bool) {
        return found.closedAt != 0 || block.timestamp >= found.expiresAt
            || _isForbiddenSince(found.subject, found.openedAt);
    }
}

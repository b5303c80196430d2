// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IResearchMarket} from "../interfaces/IResearchMarket.sol";
import {Approval, StudyPermit} from "../interfaces/IResearchTypes.sol";
import {Board} from "./Board.sol";

/// @notice What the ethics board decides about studies. Nothing here touches a token or waits for one.
abstract contract Permits is Board {
    /// @dev About ten years: a permit ends, and with it the lock on its escrows.
    uint256 private constant LONGEST_PERMIT = 3660 days;

    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)");
    bytes32 private constant REFUSE_TYPEHASH = keccak256("RefuseStudy(bytes32 study)");
    bytes32 private constant SUSPEND_TYPEHASH = keccak256("SuspendStudy(bytes32 study,uint32 round)");
    bytes32 private constant RESUME_TYPEHASH = keccak256("ResumeStudy(bytes32 study,uint32 round)");
    bytes32 private constant REVOKE_TYPEHASH = keccak256("RevokeStudy(bytes32 study)");

    mapping(bytes32 study => StudyPermit) private _permits;

    /// @inheritdoc IResearchMarket
    function permitStudy(
        bytes32 study,
        bytes32 rules,
        uint40 notBefore,
        uint40 notAfter,
        uint40 submitBy,
        Approval[] calldata approvals
    ) external {
        _requireUndecided(study);
        if (block.timestamp > submitBy) revert SubmittedTooLate(submitBy);
        if (notAfter <= notBefore || notAfter <= block.timestamp) revert WindowEmpty(notBefore, notAfter);
        uint256 latest = block.timestamp + LONGEST_PERMIT;
        if (notAfter > latest) revert PermitTooLong(notAfter, latest);
        bytes32 command = keccak256(abi.encode(PERMIT_TYPEHASH, study, rules, notBefore, notAfter, submitBy));
        address[] memory members = _requireDecision(command, approvals);
        _permits[study] = StudyPermit(rules, notBefore, notAfter, 0, 0, false);
        emit StudyPermitted(study, rules, notBefore, notAfter, members);
    }

    /// @inheritdoc IResearchMarket
    function refuseStudy(bytes32 study, Approval[] calldata approvals) external {
        if (_isRefused(study)) return;
        _requireUndecided(study);
        address[] memory members = _requireDecision(keccak256(abi.encode(REFUSE_TYPEHASH, study)), approvals);
        _permits[study].revokedAt = uint40(block.timestamp);
        emit StudyRefused(study, uint40(block.timestamp), members);
    }

    /// @inheritdoc IResearchMarket
    function suspendStudy(bytes32 study, uint32 round, address boardMember, bytes calldata signature) external {
        StudyPermit memory permit = _known(study);
        if (permit.suspended) return;
        if (round != permit.round) revert RoundNotCurrent(round, permit.round);
        _requireBoardMember(boardMember);
        _requireSigned(boardMember, keccak256(abi.encode(SUSPEND_TYPEHASH, study, round)), signature);
        _permits[study].suspended = true;
        _permits[study].round = round + 1;
        emit StudySuspended(study, round + 1, boardMember);
    }

    /// @inheritdoc IResearchMarket
    function resumeStudy(bytes32 study, uint32 round, Approval[] calldata approvals) external {
        StudyPermit memory permit = _known(study);
        if (permit.revokedAt != 0) revert StudyAlreadyRevoked(study);
        if (!permit.suspended) return;
        if (round != permit.round) revert RoundNotCurrent(round, permit.round);
        address[] memory members = _requireDecision(keccak256(abi.encode(RESUME_TYPEHASH, study, round)), approvals);
        _permits[study].suspended = false;
        _permits[study].round = round + 1;
        emit StudyResumed(study, round + 1, members);
    }

    /// @inheritdoc IResearchMarket
    function revokeStudy(bytes32 study, Approval[] calldata approvals) external {
        StudyPermit memory permit = _known(study);
        if (permit.revokedAt != 0) return;
        address[] memory members = _requireDecision(keccak256(abi.encode(REVOKE_TYPEHASH, study)), approvals);
        _permits[study].revokedAt = uint40(block.timestamp);
        emit StudyRevoked(study, uint40(block.timestamp), members);
    }

    /// @inheritdoc IResearchMarket
    function permitOf(bytes32 study) external view returns (StudyPermit memory) {
        return _permits[study];
    }

    /// @inheritdoc IResearchMarket
    function isPermitted(bytes32 study, bytes32 rules) public view returns (bool) {
        StudyPermit memory permit = _permits[study];
        return permit.notAfter != 0 && permit.rules == rules && permit.revokedAt == 0 && !permit.suspended
            && permit.notBefore <= block.timestamp && block.timestamp < permit.notAfter;
    }

    /// @inheritdoc IResearchMarket
    function lockedUntil(bytes32 study) public view returns (uint256 until) {
        StudyPermit memory permit = _permits[study];
        if (permit.notAfter == 0) return 0;
        bool endedEarly = permit.revokedAt != 0 && permit.revokedAt < permit.notAfter;
        return uint256(endedEarly ? permit.revokedAt : permit.notAfter) + GRACE_SECONDS;
    }

    function _isRefused(bytes32 study) internal view returns (bool) {
        StudyPermit storage permit = _permits[study];
        return permit.notAfter == 0 && permit.revokedAt != 0;
    }

    function _requireUndecided(bytes32 study) private view {
        if (study == 0) revert StudyZero();
        if (_permits[study].notAfter != 0) revert StudyAlreadyPermitted(study);
        if (_permits[study].revokedAt != 0) revert StudyAlreadyRefused(study);
    }

    function _known(bytes32 study) private view returns (StudyPermit memory permit) {
        permit = _permits[study];
        if (permit.notAfter == 0) revert StudyUnknown(study);
    }
}

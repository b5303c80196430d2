// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {IResearchMarket, StudyPermit} from "./interfaces/IResearchMarket.sol";
import {Roles} from "./libraries/Roles.sol";
import {Signatures} from "./libraries/Signatures.sol";

contract ResearchMarket is IResearchMarket, EIP712 {
    bytes32 private constant PERMIT_TYPEHASH = keccak256(
        "PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)"
    );
    bytes32 private constant SUSPEND_TYPEHASH = keccak256("SuspendStudy(bytes32 study,uint32 round)");
    bytes32 private constant RESUME_TYPEHASH = keccak256("ResumeStudy(bytes32 study,uint32 round)");
    bytes32 private constant REVOKE_TYPEHASH = keccak256("RevokeStudy(bytes32 study)");

    IParticipantRegistry public immutable PARTICIPANTS;

    mapping(bytes32 study => StudyPermit) private _permits;

    constructor(IParticipantRegistry participants) EIP712("Assent Research", "1") {
        PARTICIPANTS = participants;
    }

    /// @inheritdoc IResearchMarket
    function permitStudy(
        bytes32 study,
        bytes32 rules,
        uint40 notBefore,
        uint40 notAfter,
        uint40 submitBy,
        address boardMember,
        bytes calldata signature
    ) external {
        bytes32 command = keccak256(abi.encode(PERMIT_TYPEHASH, study, rules, notBefore, notAfter, submitBy));
        if (study == 0) revert StudyZero();
        if (_permits[study].notAfter != 0) revert StudyAlreadyPermitted(study);
        if (block.timestamp > submitBy) revert SubmittedTooLate(submitBy);
        if (notAfter <= notBefore || notAfter <= block.timestamp) revert WindowEmpty(notBefore, notAfter);
        _requireBoard(boardMember, command, signature);
        _permits[study] = StudyPermit(rules, notBefore, notAfter, 0, 0, false);
        emit StudyPermitted(study, rules, notBefore, notAfter, boardMember);
    }

    /// @inheritdoc IResearchMarket
    function suspendStudy(bytes32 study, uint32 round, address boardMember, bytes calldata signature) external {
        StudyPermit memory permit = _known(study);
        if (permit.suspended) return;
        if (round != permit.round) revert RoundNotCurrent(round, permit.round);
        _requireBoard(boardMember, keccak256(abi.encode(SUSPEND_TYPEHASH, study, round)), signature);
        _permits[study].suspended = true;
        _permits[study].round = round + 1;
        emit StudySuspended(study, round + 1, boardMember);
    }

    /// @inheritdoc IResearchMarket
    function resumeStudy(bytes32 study, uint32 round, address boardMember, bytes calldata signature) external {
        StudyPermit memory permit = _known(study);
        if (permit.revokedAt != 0) revert StudyAlreadyRevoked(study);
        if (!permit.suspended) return;
        if (round != permit.round) revert RoundNotCurrent(round, permit.round);
        _requireBoard(boardMember, keccak256(abi.encode(RESUME_TYPEHASH, study, round)), signature);
        _permits[study].suspended = false;
        _permits[study].round = round + 1;
        emit StudyResumed(study, round + 1, boardMember);
    }

    /// @inheritdoc IResearchMarket
    function revokeStudy(bytes32 study, address boardMember, bytes calldata signature) external {
        StudyPermit memory permit = _known(study);
        if (permit.revokedAt != 0) return;
        _requireBoard(boardMember, keccak256(abi.encode(REVOKE_TYPEHASH, study)), signature);
        _permits[study].revokedAt = uint40(block.timestamp);
        emit StudyRevoked(study, uint40(block.timestamp), boardMember);
    }

    /// @inheritdoc IResearchMarket
    function permitOf(bytes32 study) external view returns (StudyPermit memory) {
        return _permits[study];
    }

    /// @inheritdoc IResearchMarket
    function isPermitted(bytes32 study, bytes32 rules) external view returns (bool) {
        StudyPermit memory permit = _permits[study];
        return permit.notAfter != 0 && permit.rules == rules && permit.revokedAt == 0 && !permit.suspended
            && permit.notBefore <= block.timestamp && block.timestamp < permit.notAfter;
    }

    function _known(bytes32 study) private view returns (StudyPermit memory permit) {
        permit = _permits[study];
        if (permit.notAfter == 0) revert StudyUnknown(study);
    }

    function _requireBoard(address boardMember, bytes32 command, bytes calldata signature) private view {
        if (!PARTICIPANTS.hasRole(boardMember, Roles.ETHICS_BOARD)) revert NotEthicsBoard(boardMember);
        if (msg.sender == boardMember) return;
        if (!Signatures.isBy(boardMember, _hashTypedDataV4(command), signature)) revert SignatureInvalid(boardMember);
    }
}

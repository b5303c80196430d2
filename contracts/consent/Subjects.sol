// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {DelegationHeader} from "../interfaces/IConsentTypes.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Roles} from "../libraries/Roles.sol";
import {packSubject, SubjectSlot} from "../libraries/SubjectSlot.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Delegations} from "./Delegations.sol";

/// @notice Opening subjects, with a controller or under guardians.
abstract contract Subjects is Delegations {
    /// @inheritdoc IConsentRegistry
    function openSubject(uint96 subject, address controller, uint40 submitBy, bytes calldata signature) external {
        bytes32 member = _requireOpenable(subject);
        if (controller == address(0)) revert ControllerZero();
        if (block.timestamp > submitBy) revert SubmittedTooLate(submitBy);
        _requireSigned(controller, TypedData.openSubject(subject, controller, submitBy), signature);
        _subjects[subject] = packSubject(controller);
        _openingCustodians[subject] = member;
        emit SubjectOpened(subject, controller, msg.sender, member);
    }

    /// @inheritdoc IConsentRegistry
    function openSubjectUnderGuardian(DelegationHeader calldata guardianship, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        id = TypedData.delegationId(guardianship);
        bytes32 member = _requireOpenable(guardianship.subject);
        SubjectSlot subject = packSubject(address(0));
        _requireGuardianship(id, guardianship, subject, signature);
        _openingCustodians[guardianship.subject] = member;
        emit SubjectOpened(guardianship.subject, address(0), msg.sender, member);
        _recordDelegation(id, guardianship, subject);
    }

    /// @inheritdoc IConsentRegistry
    function addGuardian(DelegationHeader calldata guardianship, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        id = TypedData.delegationId(guardianship);
        SubjectSlot subject = _opened(guardianship.subject);
        _requireCustodian();
        _requireOpeningCustodian(guardianship.subject);
        _requireGuardianship(id, guardianship, subject, signature);
        _recordDelegation(id, guardianship, subject);
    }

    /// @inheritdoc IConsentRegistry
    function stepRecovery(uint96 subject, address controller, bool proposed) external {
        if (msg.sender != address(RECOVERY)) revert NotRecovery(msg.sender);
        _subjects[subject] = _subjects[subject].steppedTo(controller, proposed);
        emit RecoveryStepped(subject, controller, proposed);
    }

    function _requireCustodian() private view returns (bytes32 member) {
        member = PARTICIPANTS.memberWithRole(msg.sender, Roles.CUSTODIAN);
        if (member == 0) revert NotCustodian(msg.sender);
    }

    function _requireOpenable(uint96 subject) internal view virtual returns (bytes32 member) {
        member = _requireCustodian();
        if (subject == 0) revert SubjectZero();
        if (_subjects[subject].isOpen()) revert SubjectAlreadyOpen(subject);
    }

    /// @dev A guardian takes the office on with its own signature, and only until a sunset date.
    function _requireGuardianship(
        bytes32 id,
        DelegationHeader memory header,
        SubjectSlot subject,
        bytes calldata signature
    ) private view {
        _requireRootDelegation(id, header, subject);
        if (header.kind != Kinds.GUARDIANSHIP) revert KindNotAllowed(header.kind);
        if (header.notAfter == type(uint40).max) revert SunsetMissing(id);
        _requireSigned(header.delegate, id, signature);
    }
}

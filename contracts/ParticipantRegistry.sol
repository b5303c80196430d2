// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

import {IParticipantRegistry, Member, Standing} from "./interfaces/IParticipantRegistry.sol";
import {Roles} from "./libraries/Roles.sol";

contract ParticipantRegistry is IParticipantRegistry, AccessManaged {
    /// @dev Role of the AccessManager for what admits or widens; its holders wait out the admission delay.
    uint64 public constant ADMISSION = 1;
    /// @dev Role of the AccessManager for what restricts; its holders act at once.
    uint64 public constant SUSPENSION = 2;

    mapping(bytes32 member => Member) private _members;
    mapping(address account => bytes32 member) private _memberOf;
    /// @dev What `hasRole` reads, in one word instead of two: roles 16, credentialExpiry 40; zero unless active.
    mapping(address account => uint256) private _activeRoles;

    /// @param operator the account that may do both, each with its delay
    /// @param admissionDelay seconds, also before the operator may change any of this; 0 only in development
    /// @dev Creating the AccessManager here leaves no moment at which a deployment is half configured.
    constructor(address operator, uint32 admissionDelay) AccessManaged(address(new AccessManager(address(this)))) {
        AccessManager manager = AccessManager(authority());
        bytes4[] memory widening = new bytes4[](3);
        widening[0] = IParticipantRegistry.admit.selector;
        widening[1] = IParticipantRegistry.amend.selector;
        widening[2] = IParticipantRegistry.reinstate.selector;
        bytes4[] memory restricting = new bytes4[](3);
        restricting[0] = IParticipantRegistry.reduceRoles.selector;
        restricting[1] = IParticipantRegistry.suspend.selector;
        restricting[2] = IParticipantRegistry.remove.selector;
        manager.setTargetFunctionRole(address(this), widening, ADMISSION);
        manager.setTargetFunctionRole(address(this), restricting, SUSPENSION);
        manager.grantRole(ADMISSION, operator, admissionDelay);
        manager.grantRole(SUSPENSION, operator, 0);
        uint64 admin = manager.ADMIN_ROLE();
        manager.grantRole(admin, operator, admissionDelay);
        manager.renounceRole(admin, address(this));
    }

    /// @inheritdoc IParticipantRegistry
    function admit(
        bytes32 member,
        address account,
        uint16 roles,
        uint40 credentialExpiry,
        bytes32 credentialHash,
        bytes32 keyHash
    ) external restricted {
        if (member == 0) revert MemberZero();
        if (_members[member].standing != Standing.Unknown) revert MemberExists(member);
        _requireSound(member, account, roles, credentialExpiry);
        _write(member, Member(account, roles, credentialExpiry, Standing.Active, credentialHash, keyHash));
        emit MemberAdmitted(member, account, roles, credentialExpiry, credentialHash, keyHash);
    }

    /// @inheritdoc IParticipantRegistry
    function amend(
        bytes32 member,
        address account,
        uint16 roles,
        uint40 credentialExpiry,
        bytes32 credentialHash,
        bytes32 keyHash
    ) external restricted {
        Member memory old = _known(member);
        if (old.standing == Standing.Removed) revert MemberNotInStanding(member, old.standing);
        _requireSound(member, account, roles, credentialExpiry);
        if (old.account != account) {
            delete _memberOf[old.account];
            delete _activeRoles[old.account];
        }
        _write(member, Member(account, roles, credentialExpiry, old.standing, credentialHash, keyHash));
        emit MemberAmended(member, account, roles, credentialExpiry, credentialHash, keyHash);
    }

    /// @inheritdoc IParticipantRegistry
    function reinstate(bytes32 member) external restricted {
        Member memory found = _known(member);
        if (found.standing != Standing.Suspended) revert MemberNotInStanding(member, found.standing);
        found.standing = Standing.Active;
        _write(member, found);
        emit MemberReinstated(member);
    }

    /// @inheritdoc IParticipantRegistry
    function reduceRoles(bytes32 member, uint16 rolesTakenAway) external restricted {
        Member memory found = _known(member);
        found.roles &= ~rolesTakenAway;
        _write(member, found);
        emit MemberRolesReduced(member, found.roles);
    }

    /// @inheritdoc IParticipantRegistry
    function suspend(bytes32 member) external restricted {
        Member memory found = _known(member);
        if (found.standing != Standing.Active) revert MemberNotInStanding(member, found.standing);
        found.standing = Standing.Suspended;
        _write(member, found);
        emit MemberSuspended(member);
    }

    /// @inheritdoc IParticipantRegistry
    function remove(bytes32 member) external restricted {
        Member memory found = _known(member);
        if (found.standing == Standing.Removed) revert MemberNotInStanding(member, found.standing);
        found.standing = Standing.Removed;
        _write(member, found);
        emit MemberRemoved(member);
    }

    /// @inheritdoc IParticipantRegistry
    function hasRole(address account, uint16 roles) public view returns (bool) {
        uint256 active = _activeRoles[account];
        return roles != 0 && roles & ~uint16(active) == 0 && block.timestamp < active >> 16;
    }

    /// @inheritdoc IParticipantRegistry
    function memberHasRole(bytes32 member, uint16 roles) external view returns (bool) {
        Member storage found = _members[member];
        return roles != 0 && found.standing == Standing.Active && roles & ~found.roles == 0
            && block.timestamp < found.credentialExpiry;
    }

    /// @inheritdoc IParticipantRegistry
    function memberWithRole(address account, uint16 roles) external view returns (bytes32) {
        return hasRole(account, roles) ? _memberOf[account] : bytes32(0);
    }

    /// @inheritdoc IParticipantRegistry
    function memberOf(address account) external view returns (bytes32) {
        return _memberOf[account];
    }

    /// @inheritdoc IParticipantRegistry
    function memberById(bytes32 member) external view returns (Member memory) {
        return _members[member];
    }

    function _known(bytes32 member) private view returns (Member memory found) {
        found = _members[member];
        if (found.standing == Standing.Unknown) revert MemberUnknown(member);
    }

    function _requireSound(bytes32 member, address account, uint16 roles, uint40 credentialExpiry) private view {
        bytes32 holder = _memberOf[account];
        if (account != address(0) && holder != 0 && holder != member) revert AccountTaken(account, holder);
        if (roles == 0 || roles & ~Roles.ALL != 0) revert RolesUnknown(roles);
        if (credentialExpiry <= block.timestamp) revert CredentialExpired(credentialExpiry);
    }

    function _write(bytes32 id, Member memory member) private {
        _members[id] = member;
        if (member.account == address(0)) return;
        _memberOf[member.account] = id;
        _activeRoles[member.account] =
            member.standing == Standing.Active ? uint256(member.credentialExpiry) << 16 | member.roles : 0;
    }
}

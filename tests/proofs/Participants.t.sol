// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IParticipantRegistry, Member, Standing} from "../../contracts/interfaces/IParticipantRegistry.sol";
import {Proof, SVM, VM} from "./support/Proof.sol";

/// @notice Roles count only for active members with live credentials, whatever is stored.
contract ParticipantsProof is Proof {
    uint40 private constant DEPLOYED = 1_700_000_000;
    address private constant OPERATOR = address(0x09e7a704);

    IParticipantRegistry private registry;
    address private manager;

    function setUp() public {
        VM.warp(DEPLOYED);
        registry = IParticipantRegistry(_deploy("ParticipantRegistry", abi.encode(OPERATOR, 0)));
        manager = IAccessManaged(address(registry)).authority();
        _anyStorage(address(registry));
        VM.store(address(registry), 0, bytes32(uint256(uint160(manager))));
    }

    /// S27
    function check_memberHasRole_isTheRule(bytes32 id, uint16 roles, uint40 time) public {
        _at(time);
        Member memory member = registry.memberById(id);
        bool expected = member.standing == Standing.Active && roles != 0 && roles & member.roles == roles
            && time < member.credentialExpiry;
        assert(registry.memberHasRole(id, roles) == expected);
    }

    /// S27, S28, S30: after every change the account has the member's roles, no more and no fewer, at every time.
    function check_everyChange_accountAndMemberAgree(
        bytes32 id,
        uint8 change,
        address account,
        uint16 roles,
        uint40 expiry,
        uint16 asked,
        uint40 time,
        uint40 later
    ) public {
        _at(time);
        VM.assume(time >= DEPLOYED);
        address before = registry.memberById(id).account;
        VM.prank(OPERATOR);
        if (change == 0) registry.admit(id, account, roles, expiry, 0, 0);
        else if (change == 1) registry.amend(id, account, roles, expiry, 0, 0);
        else if (change == 2) registry.reinstate(id);
        else if (change == 3) registry.reduceRoles(id, roles);
        else if (change == 4) registry.suspend(id);
        else registry.remove(id);
        Member memory made = registry.memberById(id);
        _at(later);
        if (made.account != address(0)) {
            assert(registry.hasRole(made.account, asked) == registry.memberHasRole(id, asked));
            assert(registry.memberOf(made.account) == id);
        }
        if (change == 1 && before != made.account) assert(!registry.hasRole(before, asked));
    }

    /// S28: what was removed stays removed, whatever anyone calls.
    function check_anyCall_removedStaysRemoved(bytes32 id, address sender, uint40 time) public {
        _at(time);
        VM.assume(time >= DEPLOYED);
        VM.assume(registry.memberById(id).standing == Standing.Removed);
        _call(sender);
        assert(registry.memberById(id).standing == Standing.Removed);
    }

    /// S30: whoever is not the operator changes no member and no role.
    function check_anyCall_byAnyoneElse_changesNothing(
        bytes32 id,
        address account,
        uint16 roles,
        address sender,
        uint40 time
    ) public {
        _at(time);
        VM.assume(time >= DEPLOYED);
        VM.assume(sender != OPERATOR && sender != manager);
        bytes32 before = keccak256(abi.encode(registry.memberById(id)));
        bool had = registry.hasRole(account, roles);
        _call(sender);
        assert(keccak256(abi.encode(registry.memberById(id))) == before);
        assert(registry.hasRole(account, roles) == had);
    }

    /// @dev The commands of the interface, and anything else as four bytes or more of anything.
    function _call(address sender) private {
        bytes memory data = SVM.createCalldata("IParticipantRegistry");
        VM.prank(sender);
        (bool success,) = address(registry).call(data);
        success;
    }
}

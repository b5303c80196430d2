// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    IEmergencyAccess,
    LateOpeningHeader,
    Opening,
    OpeningHeader
} from "../../contracts/interfaces/IEmergencyAccess.sol";
import {ConsentProof} from "./support/ConsentProof.sol";
import {VM} from "./support/Proof.sol";

/// @notice Openings after up to two changes of policy, by any responder at any time.
contract EmergencyProof is ConsentProof {
    IEmergencyAccess private emergency;

    struct Change {
        uint8 policy;
        uint40 time;
    }

    function setUp() public override {
        super.setUp();
        emergency = IEmergencyAccess(_deploy("EmergencyAccess", abi.encode(participants, registry)));
    }

    /// EA3, EA4: never above four hours, the wish or the policy; never while forbidden.
    function check_open_neverLongerThanThePolicyAllows(
        OpeningHeader memory header,
        Change memory first,
        Change memory second,
        uint40 time
    ) public {
        _set(header.subject, first);
        VM.assume(first.time <= second.time);
        _set(header.subject, second);
        _at(time);
        VM.assume(second.time <= time);
        VM.prank(header.responder);
        Opening memory opening = emergency.openingOf(emergency.openEmergency(header, "", address(0), ""));
        uint256 wish = header.duration == 0 ? 2 hours : header.duration;
        assert(wish <= 4 hours && second.policy != 2);
        assert(!(second.policy == 2 && second.time == time) && !(first.policy == 2 && first.time == time));
        assert(opening.openedAt == time);
        assert(opening.expiresAt == time + (second.policy == 1 ? wish : wish / 2));
    }

    /// EA6, EA7: at most four hours late, counted from the signed time, by the policy of that time.
    function check_openLate_countedFromItsTimeByThePolicyOfThatTime(
        LateOpeningHeader memory header,
        Change memory first,
        Change memory second,
        uint40 time
    ) public {
        _set(header.subject, first);
        VM.assume(first.time < second.time);
        _set(header.subject, second);
        _at(time);
        VM.assume(second.time <= time);
        VM.prank(header.responder);
        Opening memory opening = emergency.openingOf(emergency.openEmergencyLate(header, "", address(0), ""));
        uint256 opened = header.openedAt;
        assert(opened <= time && time <= opened + 4 hours && opening.late && opening.openedAt == opened);
        uint8 policy = second.time <= opened ? second.policy : first.time <= opened ? first.policy : 0;
        assert(policy != 2);
        uint256 wish = header.duration == 0 ? 2 hours : header.duration;
        uint256 end = opened + (policy == 1 ? wish : wish / 2);
        assert(wish <= 4 hours && opening.expiresAt <= end);
        if (first.policy == 2 && opened <= first.time) assert(opening.expiresAt <= first.time);
        if (second.policy == 2 && opened <= second.time) assert(opening.expiresAt <= second.time);
    }

    /// EA4, EA15: the controller forbids without ever being refused, and that ends what is open for good.
    function check_forbid_neverRefused_endsWhatIsOpenForGood(
        OpeningHeader memory header,
        uint40 time,
        uint40 forbidden,
        Change memory later
    ) public {
        _at(time);
        VM.prank(header.responder);
        bytes32 opening = emergency.openEmergency(header, "", address(0), "");
        VM.assume(time <= forbidden);
        _at(forbidden);
        VM.prank(_controller(header.subject));
        try emergency.setEmergencyPolicy(header.subject, 2, 0, "") {}
        catch {
            assert(false);
        }
        assert(!emergency.isOpen(opening));
        VM.assume(forbidden <= later.time);
        _set(header.subject, later);
        assert(!emergency.isOpen(opening));
    }

    /// EA5: open exactly from its block to its end, while its account has the role.
    function check_isOpen_toItsEndWhileInRole(OpeningHeader memory header, uint40 time, uint40 later) public {
        _at(time);
        VM.prank(header.responder);
        bytes32 opening = emergency.openEmergency(header, "", address(0), "");
        VM.assume(time <= later);
        _at(later);
        bool inRole = participants.hasRole(header.responder, 32);
        uint256 end = emergency.openingOf(opening).expiresAt;
        assert(emergency.isOpen(opening) == (later < end ? inRole : false));
    }

    /// EA12, EA14: only the account that opened and the controller close, and that is for good.
    /// @custom:halmos --solver z3
    function check_close_byTheTwoOnly_endsForGood(
        OpeningHeader memory header,
        uint40 time,
        uint40 closed,
        uint40 later,
        address by
    ) public {
        _at(time);
        VM.prank(header.responder);
        bytes32 opening = emergency.openEmergency(header, "", address(0), "");
        VM.assume(time <= closed);
        VM.assume(closed <= later);
        _at(closed);
        VM.prank(by);
        try emergency.closeEmergency(opening, by, "") {
            _at(later);
            assert(!emergency.isOpen(opening));
        } catch {
            assert(by != header.responder && by != _controller(header.subject));
        }
    }

    /// @dev By the controller; the policy that stands changes nothing.
    function _set(uint96 subject, Change memory change) private {
        _at(change.time);
        (, uint32 round) = emergency.emergencyPolicyOf(subject);
        VM.prank(_controller(subject));
        emergency.setEmergencyPolicy(subject, change.policy, round, "");
    }
}

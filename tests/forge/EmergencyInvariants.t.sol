// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EmergencyAccess} from "../../contracts/EmergencyAccess.sol";
import {
    IEmergencyAccess,
    LateOpeningHeader,
    Opening,
    OpeningHeader
} from "../../contracts/interfaces/IEmergencyAccess.sol";
import {EmergencyBase} from "./support/EmergencyBase.sol";
import {Vm, VM} from "./support/Vm.sol";

/// @notice Two responders, two patients and a reviewer at random, allowed and not, on time and late, while hours pass.
/// Keeps a plain model beside the contract, and a copy of its storage built from nothing but its events.
contract EmergencyActor is EmergencyBase {
    struct Change {
        uint40 time;
        uint8 policy;
    }

    uint96[2] public subjects = [SUBJECT, OTHER];
    uint256[2] private controllers = [PATIENT_KEY, GUARDIAN_KEY];
    uint256[2] private responders = [DOCTOR_KEY, MEDIC_KEY];
    bytes32[2] public members = [DOCTOR_ID, MEDIC_ID];

    bytes32[] public ids;
    mapping(bytes32 id => Opening) private model;
    mapping(uint96 subject => Change[]) private changes;
    mapping(bytes32 member => bool) public suspended;
    uint256 private salt;

    mapping(bytes32 id => Opening) private replayed;
    mapping(bytes32 member => bytes32[]) private replayedQueue;
    mapping(uint96 subject => Change[]) private replayedChanges;
    mapping(uint96 subject => uint32) public replayedRound;

    constructor() {
        VM.warp(NOW);
        super.setUp();
        open(OTHER, GUARDIAN_KEY);
    }

    function target() external view returns (EmergencyAccess) {
        return emergency;
    }

    function known() external view returns (uint256) {
        return ids.length;
    }

    function replayedOpening(bytes32 id) external view returns (Opening memory) {
        return replayed[id];
    }

    function modelled(bytes32 id) external view returns (Opening memory) {
        return model[id];
    }

    function queue(bytes32 member) external view returns (bytes32[] memory) {
        return replayedQueue[member];
    }

    // --- what happens

    function wait(uint256 seconds_) external {
        VM.warp(block.timestamp + (seconds_ % 3 == 0 ? seconds_ % 40 hours : seconds_ % 90 minutes));
    }

    function setPolicy(uint8 who, uint8 policy, uint8 signer, bool stale) external {
        uint96 subject = subjects[who % 2];
        policy = policy % 4;
        uint32 round = uint32(changes[subject].length) + (stale && signer % 4 == 3 ? 1 : 0);
        uint256 key = signer % 8 == 7 ? STRANGER_KEY : controllers[who % 2];
        bool expected = policy < 3
            && (policy == policyNow(subject) || (round == changes[subject].length && key != STRANGER_KEY));
        bytes memory signature = signed(key, policyOf(subject, policy, round));
        bool accepted;
        VM.recordLogs();
        try emergency.setEmergencyPolicy(subject, policy, round, signature) {
            accepted = true;
        } catch {}
        replay();
        check(accepted == expected, "policy accepted exactly when it must be");
        if (accepted && policy != policyNow(subject)) changes[subject].push(Change(uint40(block.timestamp), policy));
    }

    function openNow(uint8 who, uint8 whom, uint32 duration, bool together) external {
        OpeningHeader memory h = OpeningHeader(
            subjects[whom % 2],
            VM.addr(responders[who % 2]),
            keccak256(abi.encode(++salt)),
            duration % 5 hours,
            FOREVER
        );
        bytes32 id = idOf(h);
        (address other, bytes memory countersignature) = countersignatureOf(id, who, together);
        bytes memory signature = signed(responders[who % 2], id);
        bool accepted;
        VM.recordLogs();
        try emergency.openEmergency(h, signature, other, countersignature) {
            accepted = true;
        } catch {}
        replay();
        Attempt memory made = Attempt(h.subject, who, uint40(block.timestamp), h.duration, together, false);
        expectOpened(id, made, accepted);
    }

    function openLate(uint8 who, uint8 whom, uint32 duration, uint40 ago, bool together) external {
        uint40 openedAt = uint40(block.timestamp) + 10 minutes - ago % 5 hours;
        LateOpeningHeader memory h = LateOpeningHeader(
            subjects[whom % 2],
            VM.addr(responders[who % 2]),
            keccak256(abi.encode(++salt)),
            duration % 5 hours,
            openedAt
        );
        bytes32 id = idOf(h);
        (address other, bytes memory countersignature) = countersignatureOf(id, who, together);
        bytes memory signature = signed(responders[who % 2], id);
        bool accepted;
        VM.recordLogs();
        try emergency.openEmergencyLate(h, signature, other, countersignature) {
            accepted = true;
        } catch {}
        replay();
        expectOpened(id, Attempt(h.subject, who, h.openedAt, h.duration, together, true), accepted);
    }

    function close(uint256 which, uint8 closer) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        Opening storage found = model[id];
        uint256 key = [controllers[0], controllers[1], responders[0], responders[1]][closer % 4];
        uint256 controller = controllers[found.subject == SUBJECT ? 0 : 1];
        bool over = isOver(found);
        bool accepted;
        VM.recordLogs();
        try emergency.closeEmergency(id, VM.addr(key), signed(key, closing(id))) {
            accepted = true;
        } catch {}
        replay();
        check(accepted == (over || key == controller || VM.addr(key) == found.responder), "closed by whom it may");
        if (accepted && !over) found.closedAt = uint40(block.timestamp);
    }

    function review(uint256 which, uint8 reviewer) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        Opening storage found = model[id];
        address by = [HOSPITAL, CLINIC, BOARD, DOCTOR][reviewer % 4];
        bool accepted;
        VM.recordLogs();
        VM.prank(by);
        try emergency.reviewEmergency(id, by, FINDING, "") {
            accepted = true;
        } catch {}
        replay();
        check(accepted == (by != DOCTOR && isOver(found) && found.reviewedAt == 0), "reviewed exactly when it may be");
        if (!accepted) return;
        found.reviewedAt = uint40(block.timestamp);
        found.finding = FINDING;
    }

    function stand(uint8 who, uint8 luck) external {
        bytes32 member = members[who % 2];
        if (!suspended[member] && luck % 4 != 0) return;
        VM.prank(OPERATOR);
        if (suspended[member]) participants.reinstate(member);
        else participants.suspend(member);
        suspended[member] = !suspended[member];
    }

    // --- what must come of it

    function countersignatureOf(bytes32 id, uint8 who, bool together)
        private
        view
        returns (address other, bytes memory signature)
    {
        if (!together) return (address(0), "");
        uint256 key = responders[(who % 2) ^ 1];
        return (VM.addr(key), signed(key, countersigning(id)));
    }

    struct Attempt {
        uint96 subject;
        uint8 who;
        uint40 openedAt;
        uint32 duration;
        bool together;
        bool late;
    }

    function expectOpened(bytes32 id, Attempt memory made, bool accepted) private {
        bytes32 member = members[made.who % 2];
        bytes32 other = members[(made.who % 2) ^ 1];
        uint40 forbidden = firstForbid(made.subject, made.openedAt);
        bool expected = !suspended[member] && made.duration <= 4 hours && made.openedAt <= block.timestamp
            && block.timestamp - made.openedAt <= 4 hours && policyAt(made.subject, made.openedAt) != FORBID
            && forbidden != made.openedAt && (made.together ? !suspended[other] : !isOverdue(member));
        check(accepted == expected, "opened exactly when it must be");
        if (!accepted) return;
        uint32 duration = made.duration == 0 ? 2 hours : made.duration;
        uint40 end = made.openedAt + (policyAt(made.subject, made.openedAt) == ALLOW ? duration : duration / 2);
        if (forbidden != 0 && forbidden < end) end = forbidden;
        ids.push(id);
        Opening storage opening = model[id];
        opening.member = member;
        opening.countersigner = made.together ? other : bytes32(0);
        opening.responder = VM.addr(responders[made.who % 2]);
        opening.subject = made.subject;
        opening.openedAt = made.openedAt;
        opening.expiresAt = end;
        opening.recordedAt = uint40(block.timestamp);
        opening.late = made.late;
    }

    function isOverdue(bytes32 member) public view returns (bool) {
        for (uint256 i = 0; i < ids.length; ++i) {
            Opening storage each = model[ids[i]];
            if (each.member == member && each.reviewedAt == 0 && block.timestamp >= each.recordedAt + 72 hours) {
                return true;
            }
        }
        return false;
    }

    function isOver(Opening memory found) public view returns (bool) {
        return found.closedAt != 0 || block.timestamp >= found.expiresAt
            || firstForbid(found.subject, found.openedAt) != 0;
    }

    function policyNow(uint96 subject) public view returns (uint8) {
        return policyAt(subject, uint40(block.timestamp));
    }

    function policyAt(uint96 subject, uint40 time) public view returns (uint8 policy) {
        for (uint256 i = 0; i < changes[subject].length && changes[subject][i].time <= time; ++i) {
            policy = changes[subject][i].policy;
        }
    }

    /// @return the first forbid at or after this time, or zero
    function firstForbid(uint96 subject, uint40 time) public view returns (uint40) {
        for (uint256 i = 0; i < changes[subject].length; ++i) {
            Change memory change = changes[subject][i];
            if (change.policy == FORBID && change.time >= time) return change.time;
        }
        return 0;
    }

    /// @dev From events alone.
    function replayedPolicyAt(uint96 subject, uint40 time) external view returns (uint8 policy) {
        for (uint256 i = 0; i < replayedChanges[subject].length && replayedChanges[subject][i].time <= time; ++i) {
            policy = replayedChanges[subject][i].policy;
        }
    }

    /// @dev Rebuild storage from events alone.
    function replay() private {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(emergency)) continue;
            bytes32 id = logs[i].topics[1];
            if (logs[i].topics[0] == IEmergencyAccess.EmergencyOpened.selector) {
                replayOpened(id, logs[i]);
            } else if (logs[i].topics[0] == IEmergencyAccess.EmergencyClosed.selector) {
                replayed[id].closedAt = abi.decode(logs[i].data, (uint40));
            } else if (logs[i].topics[0] == IEmergencyAccess.EmergencyReviewed.selector) {
                (replayed[id].finding, replayed[id].reviewedAt) = abi.decode(logs[i].data, (bytes32, uint40));
                remove(replayedQueue[replayed[id].member], id);
            } else if (logs[i].topics[0] == IEmergencyAccess.EmergencyPolicySet.selector) {
                uint96 subject = uint96(uint256(id));
                (uint8 policy, uint32 round, uint40 setAt) = abi.decode(logs[i].data, (uint8, uint32, uint40));
                replayedRound[subject] = round;
                replayedChanges[subject].push(Change(setAt, policy));
            }
        }
    }

    /// @dev The data of EmergencyOpened.
    struct Opened {
        address responder;
        bytes32 countersigner;
        bytes32 reason;
        uint40 openedAt;
        uint40 expiresAt;
        uint40 recordedAt;
        bool late;
    }

    function replayOpened(bytes32 id, Vm.Log memory log) private {
        Opened memory opened = abi.decode(log.data, (Opened));
        Opening storage made = replayed[id];
        made.subject = uint96(uint256(log.topics[2]));
        made.member = log.topics[3];
        made.responder = opened.responder;
        made.countersigner = opened.countersigner;
        made.openedAt = opened.openedAt;
        made.expiresAt = opened.expiresAt;
        made.recordedAt = opened.recordedAt;
        made.late = opened.late;
        replayedQueue[made.member].push(id);
    }

    function remove(bytes32[] storage list, bytes32 id) private {
        uint256 found = 0;
        while (list[found] != id) ++found;
        for (; found + 1 < list.length; ++found) {
            list[found] = list[found + 1];
        }
        list.pop();
    }
}

contract EmergencyInvariants is EmergencyBase {
    EmergencyActor private actor;

    function setUp() public override {
        actor = new EmergencyActor();
        emergency = actor.target();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(actor);
        targets[0].selectors = new bytes4[](7);
        targets[0].selectors[0] = actor.wait.selector;
        targets[0].selectors[1] = actor.setPolicy.selector;
        targets[0].selectors[2] = actor.openNow.selector;
        targets[0].selectors[3] = actor.openLate.selector;
        targets[0].selectors[4] = actor.close.selector;
        targets[0].selectors[5] = actor.review.selector;
        targets[0].selectors[6] = actor.stand.selector;
    }

    function invariant_openings_shortAllowedAndNeverAloneWhenOverdue() public view {
        for (uint256 i = 0; i < actor.known(); ++i) {
            bytes32 id = actor.ids(i);
            Opening memory found = emergency.openingOf(id);
            check(found.expiresAt - found.openedAt <= 4 hours, "no window above four hours");
            bool isOpen = emergency.isOpen(id);
            check(
                isOpen == (!actor.isOver(actor.modelled(id)) && !actor.suspended(found.member)),
                "open exactly when the model says"
            );
            if (!isOpen) continue;
            check(block.timestamp < found.openedAt + 4 hours, "never open after four hours");
            check(actor.policyNow(found.subject) != FORBID, "never against a forbid");
            check(actor.firstForbid(found.subject, found.openedAt) == 0, "nor after one");
        }
        check(emergency.hasOverdueReview(DOCTOR_ID) == actor.isOverdue(DOCTOR_ID), "overdue as the model says");
        check(emergency.hasOverdueReview(MEDIC_ID) == actor.isOverdue(MEDIC_ID), "overdue as the model says");
    }

    function invariant_emergencyStorage_equalsModelAndReplayOfEvents() public view {
        for (uint256 i = 0; i < actor.known(); ++i) {
            bytes32 id = actor.ids(i);
            bytes32 stored = keccak256(abi.encode(emergency.openingOf(id)));
            check(stored == keccak256(abi.encode(actor.replayedOpening(id))), "opening replayed");
            check(stored == keccak256(abi.encode(actor.modelled(id))), "opening as the model has it");
        }
        for (uint256 m = 0; m < 2; ++m) {
            bytes32[] memory queue = actor.queue(actor.members(m));
            bytes32 id = emergency.oldestUnreviewedOf(actor.members(m));
            for (uint256 i = 0; i < queue.length; ++i) {
                check(id == queue[i], "queue replayed");
                id = emergency.nextUnreviewedAfter(id);
            }
            check(id == 0, "no more than that");
            uint96 subject = actor.subjects(m);
            (uint8 policy, uint32 round) = emergency.emergencyPolicyOf(subject);
            check(policy == actor.policyNow(subject) && round == actor.replayedRound(subject), "policy replayed");
            for (uint40 ago = 0; ago < 10 hours; ago += 37 minutes) {
                uint40 time = uint40(block.timestamp) - ago;
                check(
                    emergency.emergencyPolicyAt(subject, time) == actor.replayedPolicyAt(subject, time),
                    "history replayed"
                );
            }
        }
    }
}

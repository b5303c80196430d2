// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RecoveryState} from "../../contracts/interfaces/IRecovery.sol";
import {ConsentProof} from "./support/ConsentProof.sol";
import {VM} from "./support/Proof.sol";

/// @notice Steps of a recovery, from every state that it can be in.
contract RecoveryProof is ConsentProof {
    /// RC1, RC2, RC14: only inside its window, then always and by anyone, and it changes the controller alone.
    function check_complete_onlyInItsWindow_changesTheControllerAlone(
        uint96 subject,
        bytes32 id,
        address sender,
        uint40 time
    ) public {
        _at(time);
        RecoveryState memory state = recovery.recoveryOf(subject);
        VM.assume(state.round < type(uint32).max);
        uint256 slot = _slot(id);
        uint256 before = _subjectSlot(subject);
        uint256 ready = uint256(state.proposedAt) + DELAY;
        bool due = state.controller != address(0) && ready <= time && time < ready + 7 days;
        VM.prank(sender);
        try recovery.completeRecovery(subject) {
            assert(due);
        } catch {
            assert(!due);
            assert(_subjectSlot(subject) == before);
            return;
        }
        assert(_controller(subject) == state.controller);
        assert((_subjectSlot(subject) >> 160) | 1 << 65 == (before >> 160) | 1 << 65);
        assert(_slot(id) == slot);
        assert(!recovery.isRecoveryPending(subject) && !recovery.recoveryOf(subject).isVetoSpent);
    }

    /// RC5, RC1: pending is exactly proposed and not lapsed.
    function check_isRecoveryPending_isTheRule(uint96 subject, uint40 time) public {
        _at(time);
        RecoveryState memory state = recovery.recoveryOf(subject);
        bool expected = state.controller != address(0) && time < uint256(state.proposedAt) + DELAY + 7 days;
        assert(recovery.isRecoveryPending(subject) == expected);
    }

    /// RC6: a veto is spent once, stops what is pending, and leaves the controller.
    function check_veto_onceAndOnlyOfWhatIsPending(uint96 subject, uint32 round, address sender, uint40 time) public {
        _at(time);
        RecoveryState memory state = recovery.recoveryOf(subject);
        VM.assume(state.round < type(uint32).max);
        bool pending = recovery.isRecoveryPending(subject);
        address controller = _controller(subject);
        VM.prank(sender);
        recovery.vetoRecovery(subject, round, "");
        assert(pending && !state.isVetoSpent && round == state.round);
        assert(recovery.recoveryOf(subject).isVetoSpent && !recovery.isRecoveryPending(subject));
        assert(_controller(subject) == controller);
    }

    /// RC13: none while a recovery is pending; the first counts at once and a later one never before four delays.
    function check_setPolicy_firstAtOnceLaterWaits(
        uint96 subject,
        bytes32 policy,
        uint32 round,
        uint40 submitBy,
        uint40 time
    ) public {
        _at(time);
        RecoveryState memory state = recovery.recoveryOf(subject);
        VM.assume(round < type(uint32).max);
        VM.prank(_controller(subject));
        recovery.setRecoveryPolicy(subject, policy, round, submitBy, "");
        RecoveryState memory made = recovery.recoveryOf(subject);
        bool dueBefore = state.nextPolicy != 0 && state.nextFrom <= time;
        bytes32 inForce = dueBefore ? state.nextPolicy : state.policy;
        assert(!recovery.isRecoveryPending(subject) && round == state.policyRound && time <= submitBy);
        if (inForce == 0) {
            assert(made.policy == policy);
        } else {
            assert(made.policy == inForce && made.nextPolicy == policy && made.nextFrom == time + 4 * DELAY);
        }
    }

    /// RC18
    function check_stepRecovery_byAnyoneElse_refused(uint96 subject, address controller, bool proposed, address sender)
        public
    {
        VM.assume(sender != address(recovery));
        VM.prank(sender);
        try registry.stepRecovery(subject, controller, proposed) {
            assert(false);
        } catch {}
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

import {EmergencyAccess} from "./EmergencyAccess.sol";
import {IEmergencyAccess, Opening} from "./interfaces/IEmergencyAccess.sol";
import {ISuccession, ISuccessionErrors} from "./interfaces/ISuccession.sol";
import {Policies} from "./libraries/Policies.sol";

/// @notice Emergency access after a succession. A subject that was adopted has the policy that it had there, until one
/// is set here; a policy that is set there later counts where it is narrower. What was opened there is closed and
/// reviewed there, and does not open here again; an overdue review there takes a countersignature here.
/// @dev Rounds count every change, here and there, and so never repeat.
contract SucceedingEmergencyAccess is EmergencyAccess, ISuccessionErrors {
    using Checkpoints for Checkpoints.Trace208;

    IEmergencyAccess public immutable PREDECESSOR;

    /// @dev The round there when a policy was last set here.
    mapping(uint96 subject => uint32 round) private _roundsPassed;
    /// @dev The round there, plus one, when an opening that begins at this time was first recorded here.
    mapping(uint96 subject => mapping(uint40 openedAt => uint256 round)) private _roundsAtOpening;

    /// @param predecessor the emergency access of the consent registry before `consents`
    constructor(IEmergencyAccess predecessor, ISuccession consents)
        EmergencyAccess(consents.PARTICIPANTS(), consents)
    {
        (address found, address wanted) = (address(predecessor.CONSENTS()), address(consents.PREDECESSOR()));
        if (found != wanted) revert PredecessorsDiffer(found, wanted);
        PREDECESSOR = predecessor;
    }

    // Members, policies and rounds are compared below, and whether there is a date at all: Slither takes each for a
    // comparison of dates.
    // slither-disable-start incorrect-equality

    /// @inheritdoc IEmergencyAccess
    /// @dev Also of what was opened there.
    function openingOf(bytes32 opening) external view override returns (Opening memory) {
        Opening memory found = _openings[opening];
        return found.member == 0 ? PREDECESSOR.openingOf(opening) : found;
    }

    /// @inheritdoc IEmergencyAccess
    /// @dev Where `CountersignatureNeeded` names no opening, the predecessor's `oldestUnreviewedOf` does.
    function hasOverdueReview(bytes32 member) public view override returns (bool) {
        return super.hasOverdueReview(member) || PREDECESSOR.hasOverdueReview(member);
    }

    /// @inheritdoc IEmergencyAccess
    function emergencyPolicyOf(uint96 subject) public view override returns (uint8 policy, uint32 round) {
        (policy, round) = super.emergencyPolicyOf(subject);
        uint40 adoptedAt = _adoptedAt(subject);
        if (adoptedAt == 0) return (policy, round);
        (uint8 policyThere, uint32 roundThere) = PREDECESSOR.emergencyPolicyOf(subject);
        if (round == 0) return (_narrower(_inherited(subject, adoptedAt), policyThere), roundThere);
        uint32 passed = _roundsPassed[subject];
        if (roundThere == passed) return (policy, round);
        return (_narrower(policy, policyThere), round + (roundThere - passed));
    }

    /// @inheritdoc IEmergencyAccess
    function emergencyPolicyAt(uint96 subject, uint40 time) public view override returns (uint8) {
        uint208 here = _policies[subject].upperLookupRecent(time);
        uint40 adoptedAt = _adoptedAt(subject);
        if (adoptedAt == 0) return uint8(here);
        uint8 policyThere = PREDECESSOR.emergencyPolicyAt(subject, time);
        // Who ever set one has a round.
        if (here == 0) return time < adoptedAt ? policyThere : _narrower(_inherited(subject, adoptedAt), policyThere);
        return _roundThere(subject) == _roundsPassed[subject] ? uint8(here) : _narrower(uint8(here), policyThere);
    }

    function _setPolicy(uint96 subject, uint8 policy, uint32 round, address signer, bytes calldata signature)
        internal
        override
    {
        (uint8 current,) = emergencyPolicyOf(subject);
        // What changes nothing must not pass over what was set there.
        if (policy == current) return;
        super._setPolicy(subject, policy, round, signer, signature);
        _roundsPassed[subject] = _roundThere(subject);
    }

    function _record(bytes32 opening, Opening memory asked, uint32 duration, bytes32 reason) internal override {
        if (PREDECESSOR.openingOf(opening).member != 0) revert AlreadyOpened(opening);
        if (_adoptedAt(asked.subject) != 0 && _roundsAtOpening[asked.subject][asked.openedAt] == 0) {
            _roundsAtOpening[asked.subject][asked.openedAt] = uint256(_roundThere(asked.subject)) + 1;
        }
        super._record(opening, asked, duration, reason);
    }

    /// @dev The predecessor tells no dates. Where it forbids now and did not then, it may have forbidden at once.
    function _firstForbid(uint96 subject, uint40 time) internal view override returns (uint40) {
        if (_adoptedAt(subject) != 0 && PREDECESSOR.emergencyPolicyAt(subject, time) != Policies.FORBID) {
            // slither-disable-next-line unused-return
            (uint8 policy,) = PREDECESSOR.emergencyPolicyOf(subject);
            if (policy == Policies.FORBID) return time;
        }
        return super._firstForbid(subject, time);
    }

    /// @dev By the rounds there: a forbid that was lifted again since is one of two changes at least.
    function _isForbiddenSince(uint96 subject, uint40 time) internal view override returns (bool) {
        if (super._isForbiddenSince(subject, time)) return true;
        uint256 then = _roundsAtOpening[subject][time];
        if (then == 0) return false;
        (uint8 policy, uint32 round) = PREDECESSOR.emergencyPolicyOf(subject);
        uint256 changes = uint256(round) + 1 - then;
        return changes > 1 || (changes == 1 && policy == Policies.FORBID);
    }

    /// @dev Before the second of the adoption, so that nothing set after it in the same one is inherited.
    function _inherited(uint96 subject, uint40 adoptedAt) private view returns (uint8) {
        return PREDECESSOR.emergencyPolicyAt(subject, adoptedAt - 1);
    }

    function _roundThere(uint96 subject) private view returns (uint32 round) {
        // slither-disable-next-line unused-return
        (, round) = PREDECESSOR.emergencyPolicyOf(subject);
    }

    function _adoptedAt(uint96 subject) private view returns (uint40) {
        return ISuccession(address(CONSENTS)).adoptedAtOf(subject);
    }

    function _narrower(uint8 one, uint8 other) private pure returns (uint8) {
        if (one == Policies.FORBID || other == Policies.FORBID) return Policies.FORBID;
        return one == Policies.ALLOW && other == Policies.ALLOW ? Policies.ALLOW : Policies.LIMIT;
    }

    // slither-disable-end incorrect-equality
}

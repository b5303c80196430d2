// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {DelegationHeader} from "../interfaces/IConsentTypes.sol";
import {IEmergencyAccess} from "../interfaces/IEmergencyAccess.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Policies} from "../libraries/Policies.sol";
import {Powers} from "../libraries/Powers.sol";
import {Signatures} from "../libraries/Signatures.sol";

/// @notice The patients' standing policies, with their history: a late opening is judged by the policy of its time.
abstract contract StandingPolicies is IEmergencyAccess, EIP712 {
    using Checkpoints for Checkpoints.Trace208;

    bytes32 private constant SET_POLICY_TYPEHASH =
        keccak256("SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round)");

    /// @inheritdoc IEmergencyAccess
    IConsentRegistry public immutable CONSENTS;

    /// @dev By block time. Value, low to high: policy 8, round 32.
    mapping(uint96 subject => Checkpoints.Trace208) internal _policies;
    /// @dev The times at which a policy was set to forbid, as keys and as values. Kept apart so that a forbid lifted
    /// again in the same second still ends what was open, and so that the first one after a date is one search away.
    mapping(uint96 subject => Checkpoints.Trace208) private _forbids;

    constructor(IConsentRegistry consents) EIP712("Assent Emergency", "1") {
        CONSENTS = consents;
    }

    /// @inheritdoc IEmergencyAccess
    function setEmergencyPolicy(uint96 subject, uint8 policy, uint32 round, bytes calldata signature) external {
        if (!Policies.isKnown(policy)) revert PolicyUnknown(policy);
        _setPolicy(subject, policy, round, _controllerOf(subject), signature);
    }

    /// @inheritdoc IEmergencyAccess
    function setEmergencyPolicyByGuardian(
        DelegationHeader calldata guardianship,
        uint8 policy,
        uint32 round,
        bytes calldata signature
    ) external {
        uint96 subject = guardianship.subject;
        if (!Policies.isKnown(policy)) revert PolicyUnknown(policy);
        if (_controllerOf(subject) != address(0)) revert SubjectHasController(subject);
        if (policy == Policies.FORBID) revert GuardianMayNotForbid(subject);
        DelegationHeader[] memory chain = new DelegationHeader[](1);
        chain[0] = guardianship;
        uint16 power = policy == Policies.ALLOW ? Powers.GRANT : Powers.REVOKE;
        if (guardianship.kind != Kinds.GUARDIANSHIP || !CONSENTS.isDelegationLive(chain, power)) {
            revert GuardianshipNotLive(subject, guardianship.delegate);
        }
        _setPolicy(subject, policy, round, guardianship.delegate, signature);
    }

    /// @inheritdoc IEmergencyAccess
    function emergencyPolicyOf(uint96 subject) public view virtual returns (uint8 policy, uint32 round) {
        uint208 latest = _policies[subject].latest();
        return (uint8(latest), uint32(latest >> 8));
    }

    /// @inheritdoc IEmergencyAccess
    function emergencyPolicyAt(uint96 subject, uint40 time) public view virtual returns (uint8 policy) {
        return uint8(_policies[subject].upperLookupRecent(time));
    }

    /// @return the first time at or after this one at which the policy was set to forbid, or zero
    function _firstForbid(uint96 subject, uint40 time) internal view virtual returns (uint40) {
        return uint40(_forbids[subject].lowerLookup(time));
    }

    /// @return whether the policy was set to forbid at or after this time
    function _isForbiddenSince(uint96 subject, uint40 time) internal view virtual returns (bool) {
        return _forbids[subject].latest() >= time;
    }

    /// @return controller zero for a subject under guardians
    function _controllerOf(uint96 subject) internal view returns (address controller) {
        bool opened = false;
        // Neither epoch nor count concern emergencies.
        // slither-disable-next-line unused-return
        (controller,,, opened) = CONSENTS.subjectOf(subject);
        if (!opened) revert SubjectUnknown(subject);
    }

    function _requireBy(address signer, bytes32 command, bytes calldata signature) internal view {
        if (msg.sender == signer) return;
        if (!Signatures.isBy(signer, _hashTypedDataV4(command), signature)) revert SignatureInvalid(signer);
    }

    function _setPolicy(uint96 subject, uint8 policy, uint32 round, address signer, bytes calldata signature)
        internal
        virtual
    {
        (uint8 current, uint32 currentRound) = emergencyPolicyOf(subject);
        if (policy == current) return;
        if (round != currentRound) revert RoundNotCurrent(round, currentRound);
        _requireBy(signer, keccak256(abi.encode(SET_POLICY_TYPEHASH, subject, policy, round)), signature);
        uint40 time = uint40(block.timestamp);
        // What the history returns is known here already.
        // slither-disable-next-line unused-return
        _policies[subject].push(time, uint208(policy) | uint208(round + 1) << 8);
        // slither-disable-next-line unused-return
        if (policy == Policies.FORBID) _forbids[subject].push(time, time);
        emit EmergencyPolicySet(subject, policy, round + 1, time);
    }
}

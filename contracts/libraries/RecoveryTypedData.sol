// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RecoveryPolicy, RecoveryProposal} from "../interfaces/IRecovery.sol";

/// @notice EIP-712 struct hashes of the commands of recovery, one primary type each.
library RecoveryTypedData {
    bytes32 private constant RECOVERY_POLICY_TYPEHASH =
        keccak256("RecoveryPolicy(bytes32[] guardianships,uint8 threshold,bytes32 salt)");
    bytes32 private constant SET_RECOVERY_POLICY_TYPEHASH = keccak256(
        "SetRecoveryPolicy(uint96 subject,RecoveryPolicy policy,uint32 round,uint40 submitBy)"
        "RecoveryPolicy(bytes32[] guardianships,uint8 threshold,bytes32 salt)"
    );
    bytes32 private constant PROPOSE_RECOVERY_TYPEHASH =
        keccak256("ProposeRecovery(uint96 subject,address controller,uint32 round,uint40 submitBy)");
    bytes32 private constant ACCEPT_RECOVERY_TYPEHASH =
        keccak256("AcceptRecovery(uint96 subject,address controller,uint32 round,uint40 submitBy)");
    bytes32 private constant CONFIRM_RECOVERY_TYPEHASH =
        keccak256("ConfirmRecovery(uint96 subject,address controller,uint32 round,uint40 submitBy)");
    bytes32 private constant VETO_RECOVERY_TYPEHASH = keccak256("VetoRecovery(uint96 subject,uint32 round)");

    function recoveryPolicy(RecoveryPolicy calldata policy) internal pure returns (bytes32) {
        bytes32 guardianships = keccak256(abi.encodePacked(policy.guardianships));
        return keccak256(abi.encode(RECOVERY_POLICY_TYPEHASH, guardianships, policy.threshold, policy.salt));
    }

    function setRecoveryPolicy(uint96 subject, bytes32 policy, uint32 round, uint40 submitBy)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SET_RECOVERY_POLICY_TYPEHASH, subject, policy, round, submitBy));
    }

    /// @dev By a guardian.
    function proposeRecovery(RecoveryProposal calldata proposal) internal pure returns (bytes32) {
        return keccak256(abi.encode(PROPOSE_RECOVERY_TYPEHASH, proposal));
    }

    /// @dev By the account that is to control.
    function acceptRecovery(RecoveryProposal calldata proposal) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACCEPT_RECOVERY_TYPEHASH, proposal));
    }

    /// @dev By the identity desk.
    function confirmRecovery(RecoveryProposal calldata proposal) internal pure returns (bytes32) {
        return keccak256(abi.encode(CONFIRM_RECOVERY_TYPEHASH, proposal));
    }

    function vetoRecovery(uint96 subject, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode(VETO_RECOVERY_TYPEHASH, subject, round));
    }
}

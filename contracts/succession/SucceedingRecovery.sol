// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Recovery} from "../consent/Recovery.sol";
import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {IConsentTypes} from "../interfaces/IConsentTypes.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IRecovery, RecoveryState} from "../interfaces/IRecovery.sol";
import {ISucceedingRecovery, ISuccession} from "../interfaces/ISuccession.sol";

/// @dev Made by a registry that succeeds another.
contract SucceedingRecovery is Recovery, ISucceedingRecovery {
    constructor(IConsentRegistry registry, IParticipantRegistry participants, uint40 recoveryDelay)
        Recovery(registry, participants, recoveryDelay)
    {}

    /// @inheritdoc ISucceedingRecovery
    function adoptRecovery(uint96 subject) external {
        if (msg.sender != address(REGISTRY)) revert NotRegistry(msg.sender);
        IRecovery there = ISuccession(msg.sender).PREDECESSOR().RECOVERY();
        if (there.isRecoveryPending(subject)) revert IConsentTypes.RecoveryPending(subject);
        RecoveryState memory state = there.recoveryOf(subject);
        state.controller = address(0);
        _recoveries[subject] = state;
        emit RecoveryAdopted(subject, state);
    }
}

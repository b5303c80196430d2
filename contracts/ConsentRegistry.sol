// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentStorage} from "./consent/ConsentStorage.sol";
import {ConsentViews} from "./consent/ConsentViews.sol";
import {EndingForCause} from "./consent/EndingForCause.sol";
import {Grants} from "./consent/Grants.sol";
import {Revocations} from "./consent/Revocations.sol";
import {Subjects} from "./consent/Subjects.sol";
import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";

/// @dev One deployed contract made of small source files: a second one would cost 3,300 gas a call. Only recovery,
/// which is rare, has its own, made here.
contract ConsentRegistry is Subjects, Grants, Revocations, EndingForCause, ConsentViews {
    /// @param recoveryDelay seconds between a proposal of recovery and its completion
    constructor(IParticipantRegistry participants, uint40 recoveryDelay) ConsentStorage(participants, recoveryDelay) {}
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentStorage} from "./consent/ConsentStorage.sol";
import {ConsentViews} from "./consent/ConsentViews.sol";
import {Grants} from "./consent/Grants.sol";
import {Revocations} from "./consent/Revocations.sol";
import {Subjects} from "./consent/Subjects.sol";
import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";

/// @dev One deployed contract made of small source files: a second one would cost 3,300 gas a call.
contract ConsentRegistry is Subjects, Grants, Revocations, ConsentViews {
    constructor(IParticipantRegistry participants) ConsentStorage(participants) {}
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "./ConsentRegistry.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {AdoptedConsents} from "./succession/AdoptedConsents.sol";

/// @dev Members and recovery delay are the predecessor's, so that who deploys this chooses nothing but that.
contract SucceedingConsentRegistry is AdoptedConsents {
    /// @param predecessor the registry that it takes over from
    constructor(IConsentRegistry predecessor)
        ConsentRegistry(predecessor.PARTICIPANTS(), predecessor.RECOVERY().RECOVERY_DELAY())
        AdoptedConsents(predecessor)
    {}
}

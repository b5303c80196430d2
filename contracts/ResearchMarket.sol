// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {MarketTerms} from "./interfaces/IResearchTypes.sol";
import {Board} from "./research/Board.sol";
import {Claims} from "./research/Claims.sol";

/// @dev One deployed contract made of small source files, each on top of the one before.
contract ResearchMarket is Claims {
    constructor(IParticipantRegistry participants, MarketTerms memory terms) Board(participants, terms) {}
}

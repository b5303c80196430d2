// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AuditAnchor} from "../../../contracts/AuditAnchor.sol";
import {ConsentRegistry} from "../../../contracts/ConsentRegistry.sol";
import {EmergencyAccess} from "../../../contracts/EmergencyAccess.sol";
import {IConsentRegistry} from "../../../contracts/interfaces/IConsentRegistry.sol";
import {IEmergencyAccess} from "../../../contracts/interfaces/IEmergencyAccess.sol";
import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {IParticipantRegistry} from "../../../contracts/interfaces/IParticipantRegistry.sol";
import {ISuccession} from "../../../contracts/interfaces/ISuccession.sol";
import {ITestToken} from "../../../contracts/interfaces/ITestToken.sol";
import {IWitnessPairs} from "../../../contracts/interfaces/IWitnessPairs.sol";
import {MarketTerms} from "../../../contracts/interfaces/IResearchTypes.sol";
import {ParticipantRegistry} from "../../../contracts/ParticipantRegistry.sol";
import {RecordRegistry} from "../../../contracts/RecordRegistry.sol";
import {ResearchMarket} from "../../../contracts/ResearchMarket.sol";
import {VM} from "./Vm.sol";

/// @notice Deploys the committed bytecode, so that what is tested is what is shipped. The tests themselves are
/// compiled by other, quicker settings.
library Deploy {
    function participantRegistry(address operator, uint32 delay) internal returns (ParticipantRegistry) {
        return ParticipantRegistry(created("ParticipantRegistry", abi.encode(operator, delay)));
    }

    function consentRegistry(IParticipantRegistry participants, uint40 delay) internal returns (ConsentRegistry) {
        return ConsentRegistry(created("ConsentRegistry", abi.encode(participants, delay)));
    }

    function recordRegistry(IParticipantRegistry participants) internal returns (RecordRegistry) {
        return RecordRegistry(created("RecordRegistry", abi.encode(participants)));
    }

    function auditAnchor(IParticipantRegistry participants) internal returns (AuditAnchor) {
        return AuditAnchor(created("AuditAnchor", abi.encode(participants)));
    }

    function researchMarket(IParticipantRegistry participants, MarketTerms memory terms)
        internal
        returns (ResearchMarket)
    {
        return ResearchMarket(created("ResearchMarket", abi.encode(participants, terms)));
    }

    function emergencyAccess(IParticipantRegistry participants, IConsentRegistry consents)
        internal
        returns (EmergencyAccess)
    {
        return EmergencyAccess(created("EmergencyAccess", abi.encode(participants, consents)));
    }

    function keyRegistry(IConsentRegistry consents) internal returns (IKeyRegistry) {
        return IKeyRegistry(created("KeyRegistry", abi.encode(consents)));
    }

    function succeedingConsentRegistry(IConsentRegistry predecessor) internal returns (ISuccession) {
        return ISuccession(created("SucceedingConsentRegistry", abi.encode(predecessor)));
    }

    function succeedingKeyRegistry(IKeyRegistry predecessor, ISuccession consents) internal returns (IKeyRegistry) {
        return IKeyRegistry(created("SucceedingKeyRegistry", abi.encode(predecessor, consents)));
    }

    function succeedingEmergencyAccess(IEmergencyAccess predecessor, ISuccession consents)
        internal
        returns (EmergencyAccess)
    {
        return EmergencyAccess(created("SucceedingEmergencyAccess", abi.encode(predecessor, consents)));
    }

    function testToken(address issuer) internal returns (ITestToken) {
        return ITestToken(created("TestToken", abi.encode(issuer)));
    }

    function witnessPairs() internal returns (IWitnessPairs) {
        return IWitnessPairs(created("WitnessPairs", ""));
    }

    /// @dev Reverts with the constructor's own error.
    function created(string memory name, bytes memory arguments) private returns (address made) {
        string memory artifact = string.concat("backend/adapters/ledger/artifacts/", name, ".json");
        bytes memory code = bytes.concat(VM.getCode(artifact), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
            if iszero(made) {
                returndatacopy(mload(64), 0, returndatasize())
                revert(mload(64), returndatasize())
            }
        }
    }
}

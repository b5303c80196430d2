// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Deploy} from "./support/Deploy.sol";
import {EmergencyAccess} from "../../contracts/EmergencyAccess.sol";
import {IConsentRegistry} from "../../contracts/interfaces/IConsentRegistry.sol";
import {DelegationHeader} from "../../contracts/interfaces/IConsentTypes.sol";
import {IEmergencyAccess} from "../../contracts/interfaces/IEmergencyAccess.sol";
import {IParticipantRegistry} from "../../contracts/interfaces/IParticipantRegistry.sol";
import {VM} from "./support/Vm.sol";

/// @notice A registry in which nobody has a controller and every delegation is live.
contract CredulousRegistry {
    function subjectOf(uint96) external pure returns (address controller, uint32 epoch, uint32 count, bool opened) {
        return (address(0), 0, 0, true);
    }

    function isDelegationLive(DelegationHeader[] calldata, uint16) external pure returns (bool) {
        return true;
    }
}

/// @notice Emergency access asks for a guardianship itself, and does not rest on what the registry records today.
contract EmergencyGuardiansTest {
    function test_guardian_ofAnyOtherKind_refused(uint8 kind) public {
        IConsentRegistry registry = IConsentRegistry(address(new CredulousRegistry()));
        EmergencyAccess emergency = Deploy.emergencyAccess(IParticipantRegistry(address(0)), registry);
        DelegationHeader memory header = DelegationHeader(1, address(this), 15, 0, 1, kind, 0, 0, 0, 0, 1);
        if (kind != 4) {
            VM.expectRevert(
                abi.encodeWithSelector(IEmergencyAccess.GuardianshipNotLive.selector, uint96(1), address(this))
            );
        }
        emergency.setEmergencyPolicyByGuardian(header, 1, 0, "");
    }
}

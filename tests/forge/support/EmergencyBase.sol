// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LateOpeningHeader, OpeningHeader} from "../../../contracts/interfaces/IEmergencyAccess.sol";
import {ConsentBase} from "./ConsentBase.sol";
import {VM} from "./Vm.sol";

/// @notice Responders, and commands of emergency access, hashed here independently of the contract.
abstract contract EmergencyBase is ConsentBase {
    uint256 internal constant DOCTOR_KEY = 0xd0c704;
    uint256 internal constant MEDIC_KEY = 0x3ed1c;
    address internal immutable DOCTOR = VM.addr(DOCTOR_KEY);
    address internal immutable MEDIC = VM.addr(MEDIC_KEY);
    bytes32 internal constant DOCTOR_ID = keccak256("doctor");
    bytes32 internal constant MEDIC_ID = keccak256("medic");

    uint16 internal constant RESPONDER = 32;
    uint8 internal constant LIMIT = 0;
    uint8 internal constant ALLOW = 1;
    uint8 internal constant FORBID = 2;
    bytes32 internal constant REASON = keccak256("salted reason");
    bytes32 internal constant FINDING = keccak256("salted finding");

    function setUp() public virtual override {
        super.setUp();
        VM.startPrank(OPERATOR);
        participants.admit(DOCTOR_ID, DOCTOR, RESPONDER, NOW + 3650 days, 0, 0);
        participants.admit(MEDIC_ID, MEDIC, RESPONDER, NOW + 3650 days, 0, 0);
        VM.stopPrank();
    }

    function header(uint32 duration) internal view returns (OpeningHeader memory) {
        return OpeningHeader(SUBJECT, DOCTOR, REASON, duration, uint40(block.timestamp) + 1 hours);
    }

    function lateHeader(uint40 openedAt) internal view returns (LateOpeningHeader memory) {
        return LateOpeningHeader(SUBJECT, DOCTOR, REASON, 0, openedAt);
    }

    /// @dev By the doctor, alone, relayed.
    function opened(uint32 duration) internal returns (bytes32) {
        OpeningHeader memory h = header(duration);
        return emergency.openEmergency(h, signed(DOCTOR_KEY, idOf(h)), address(0), "");
    }

    function openedLate(uint40 openedAt) internal returns (bytes32) {
        LateOpeningHeader memory h = lateHeader(openedAt);
        return emergency.openEmergencyLate(h, signed(DOCTOR_KEY, idOf(h)), address(0), "");
    }

    function setPolicy(uint8 policy) internal {
        (, uint32 round) = emergency.emergencyPolicyOf(SUBJECT);
        emergency.setEmergencyPolicy(SUBJECT, policy, round, signed(PATIENT_KEY, policyOf(SUBJECT, policy, round)));
    }

    function idOf(OpeningHeader memory h) internal pure returns (bytes32) {
        string memory kind =
            "OpenEmergency(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy)";
        return keccak256(
            abi.encode(keccak256(bytes(kind)), h.subject, h.responder, h.reason, h.duration, h.submitBy)
        );
    }

    function idOf(LateOpeningHeader memory h) internal pure returns (bytes32) {
        string memory kind =
            "OpenEmergencyLate(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt)";
        return keccak256(
            abi.encode(keccak256(bytes(kind)), h.subject, h.responder, h.reason, h.duration, h.openedAt)
        );
    }

    function countersigning(bytes32 opening) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("CountersignEmergency(bytes32 opening)"), opening));
    }

    function closing(bytes32 opening) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("CloseEmergency(bytes32 opening)"), opening));
    }

    function reviewing(bytes32 opening, bytes32 finding) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("ReviewEmergency(bytes32 opening,bytes32 finding)"), opening, finding));
    }

    function policyOf(uint96 subject, uint8 policy, uint32 round) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round)"), subject, policy, round)
        );
    }

    function signed(uint256 key, bytes32 command) internal view returns (bytes memory) {
        return signDigest(key, typed(domain("Assent Emergency", address(emergency)), command));
    }
}

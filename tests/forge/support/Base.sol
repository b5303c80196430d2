// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Deploy} from "./Deploy.sol";
import {AuditAnchor} from "../../../contracts/AuditAnchor.sol";
import {ConsentRegistry} from "../../../contracts/ConsentRegistry.sol";
import {EmergencyAccess} from "../../../contracts/EmergencyAccess.sol";
import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {IRecovery} from "../../../contracts/interfaces/IRecovery.sol";
import {ParticipantRegistry} from "../../../contracts/ParticipantRegistry.sol";
import {RecordRegistry} from "../../../contracts/RecordRegistry.sol";
import {ResearchMarket} from "../../../contracts/ResearchMarket.sol";
import {MarketTerms} from "../../../contracts/interfaces/IResearchTypes.sol";
import {VM} from "./Vm.sol";

/// @notice A deployment without admission delay, its people, and assertions.
abstract contract Base {
    uint40 internal constant NOW = 1_800_000_000;
    uint40 internal constant FOREVER = type(uint40).max;
    uint40 internal constant RECOVERY_DELAY = 72 hours;

    uint256 internal constant PATIENT_KEY = 0xa11ce;
    uint256 internal constant GUARDIAN_KEY = 0x9a4d;
    uint256 internal constant CARER_KEY = 0xca4e4;
    uint256 internal constant NURSE_KEY = 0x9045e;
    uint256 internal constant STRANGER_KEY = 0x57a9;
    uint256 internal constant BOARD_KEY = 0xb0a4d;

    address internal immutable PATIENT = VM.addr(PATIENT_KEY);
    address internal immutable GUARDIAN = VM.addr(GUARDIAN_KEY);
    address internal immutable CARER = VM.addr(CARER_KEY);
    address internal immutable NURSE = VM.addr(NURSE_KEY);
    address internal immutable STRANGER = VM.addr(STRANGER_KEY);
    address internal immutable BOARD = VM.addr(BOARD_KEY);
    address internal constant OPERATOR = address(0x09e4a704);
    address internal constant HOSPITAL = address(0x405917a1);
    address internal constant CLINIC = address(0xc11141c);
    address internal constant RELAYER = address(0x4e1a7e4);

    bytes32 internal constant HOSPITAL_ID = keccak256("hospital");
    bytes32 internal constant CLINIC_ID = keccak256("clinic");
    bytes32 internal constant BOARD_ID = keccak256("board");

    ParticipantRegistry internal participants;
    ConsentRegistry internal registry;
    IRecovery internal recovery;
    RecordRegistry internal records;
    AuditAnchor internal anchor;
    ResearchMarket internal market;
    EmergencyAccess internal emergency;
    IKeyRegistry internal keys;

    function setUp() public virtual {
        VM.warp(NOW);
        participants = Deploy.participantRegistry(OPERATOR, 0);
        registry = Deploy.consentRegistry(participants, RECOVERY_DELAY);
        recovery = registry.RECOVERY();
        records = Deploy.recordRegistry(participants);
        anchor = Deploy.auditAnchor(participants);
        market = Deploy.researchMarket(participants, MarketTerms(2, 3 days, 14 days, 180 days, 30 days));
        emergency = Deploy.emergencyAccess(participants, registry);
        keys = Deploy.keyRegistry(registry);
        VM.startPrank(OPERATOR);
        participants.admit(HOSPITAL_ID, HOSPITAL, 1 | 2 | 128, NOW + 3650 days, 0, 0);
        participants.admit(CLINIC_ID, CLINIC, 1 | 2, NOW + 3650 days, 0, 0);
        participants.admit(BOARD_ID, BOARD, 8, NOW + 3650 days, 0, 0);
        VM.stopPrank();
    }

    function check(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function equal(uint256 found, uint256 wanted, string memory what) internal pure {
        if (found != wanted) {
            revert(string.concat(what, ": found ", VM.toString(found), ", wanted ", VM.toString(wanted)));
        }
    }

    function signDigest(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function domain(string memory name, address target) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                target
            )
        );
    }

    function typed(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash));
    }
}

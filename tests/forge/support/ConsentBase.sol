// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader} from "../../../contracts/interfaces/IConsentTypes.sol";
import {Base} from "./Base.sol";
import {VM} from "./Vm.sol";

/// @notice Headers and signatures of the consent registry, hashed here independently of its libraries.
abstract contract ConsentBase is Base {
    uint96 internal constant SUBJECT = 7001;
    uint96 internal constant CHILD = 7002;
    uint96 internal constant OTHER = 7003;

    uint8 internal constant PERMIT = 1;
    uint8 internal constant DENY = 2;
    uint8 internal constant DELEGATION = 3;
    uint8 internal constant GUARDIANSHIP = 4;
    uint8 internal constant REFUSAL = 5;

    string private constant GRANT_TYPE =
        "Grant(uint96 subject,ConsentTerms terms,uint40 notBefore,uint40 notAfter,uint8 kind,uint32 epoch,bytes32 request,bytes32 supersedes,uint40 submitBy)";
    string private constant TERMS_TYPE =
        "ConsentTerms(uint8 decision,bytes32 grantee,uint64 purposes,uint64 categories,uint32 sensitivities,uint16 actions,uint40 dataFrom,uint40 dataTo,uint40 eraseBy,uint32 maxUses,uint32 usesPerPeriod,uint32 periodSeconds,uint8 breakGlass,uint64 breakGlassCategories,uint8 redelegationDepth,Rule[] rules,ResearchTerms research,bytes32 notice,string language,string summary,bytes32 salt)";
    string private constant REST_TYPE =
        "ResearchTerms(string[] duo,uint32 minimumCohort,uint64 epsilonCap,uint256 compensation)Rule(bool permit,uint64 purposes,uint64 categories,uint32 sensitivities,uint16 actions,bytes32[] grantees,uint40 dataFrom,uint40 dataTo,bytes32[] references,uint16 obligations)";
    string private constant DELEGATION_TYPE =
        "Delegation(uint96 subject,address delegate,uint16 powers,uint40 notBefore,uint40 notAfter,uint8 kind,uint8 depth,uint32 epoch,bytes32 parent,DelegationTerms terms,uint40 submitBy)DelegationTerms(uint64 purposes,uint64 categories,uint32 sensitivities,string relationship,bytes32 evidence,bytes32 notice,string language,string summary,bytes32 salt)";

    function setUp() public virtual override {
        super.setUp();
        open(SUBJECT, PATIENT_KEY);
    }

    function open(uint96 subject, uint256 key) internal {
        open(subject, key, HOSPITAL);
    }

    function open(uint96 subject, uint256 key, address custodian) internal {
        bytes32 command = keccak256(
            abi.encode(
                keccak256("OpenSubject(uint96 subject,address controller,uint40 submitBy)"),
                subject,
                VM.addr(key),
                FOREVER
            )
        );
        bytes memory signature = sign(key, command);
        VM.prank(custodian);
        registry.openSubject(subject, VM.addr(key), FOREVER, signature);
    }

    function permitHeader(uint256 salt) internal pure returns (GrantHeader memory header) {
        header = GrantHeader(SUBJECT, keccak256(abi.encode(salt)), NOW, NOW + 365 days, PERMIT, 0, 0, 0, FOREVER);
    }

    function delegationHeader(address to, uint16 powers) internal pure returns (DelegationHeader memory) {
        return DelegationHeader(
            SUBJECT, to, powers, NOW, NOW + 365 days, DELEGATION, 2, 0, 0, keccak256("delegation terms"), FOREVER
        );
    }

    function guardianship(uint96 child, address to) internal pure returns (DelegationHeader memory) {
        return DelegationHeader(
            child, to, 15, NOW, NOW + 3650 days, GUARDIANSHIP, 2, 0, 0, keccak256("guardian terms"), FOREVER
        );
    }

    function openChild() internal returns (DelegationHeader memory) {
        return openChild(HOSPITAL);
    }

    function openChild(address custodian) internal returns (DelegationHeader memory header) {
        header = guardianship(CHILD, GUARDIAN);
        bytes memory signature = sign(GUARDIAN_KEY, delegationId(header));
        VM.prank(custodian);
        registry.openSubjectUnderGuardian(header, signature);
    }

    function sign(uint256 key, bytes32 command) internal view returns (bytes memory) {
        return signDigest(key, digest(command));
    }

    function digest(bytes32 command) internal view returns (bytes32) {
        return typed(domain("Assent Consent", address(registry)), command);
    }

    function granted(uint256 salt) internal returns (bytes32) {
        GrantHeader memory header = permitHeader(salt);
        return registry.grant(header, sign(PATIENT_KEY, grantId(header)));
    }

    function delegated(uint256 key, uint16 powers) internal returns (DelegationHeader memory header) {
        header = delegationHeader(VM.addr(key), powers);
        registry.delegate(header, sign(PATIENT_KEY, delegationId(header)));
    }

    function chainOf(DelegationHeader memory header) internal pure returns (DelegationHeader[] memory chain) {
        chain = new DelegationHeader[](1);
        chain[0] = header;
    }

    function chainOf(DelegationHeader memory leaf, DelegationHeader memory root)
        internal
        pure
        returns (DelegationHeader[] memory chain)
    {
        chain = new DelegationHeader[](2);
        chain[0] = leaf;
        chain[1] = root;
    }

    function grantId(GrantHeader memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(string.concat(GRANT_TYPE, TERMS_TYPE, REST_TYPE))), header));
    }

    function delegationId(DelegationHeader memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(DELEGATION_TYPE)), header));
    }

    function delegatedGrant(bytes32 id, bytes32 delegation) internal pure returns (bytes32) {
        string memory head = "DelegatedGrant(Grant grant,bytes32 delegation)";
        return keccak256(
            abi.encode(keccak256(bytes(string.concat(head, TERMS_TYPE, GRANT_TYPE, REST_TYPE))), id, delegation)
        );
    }

    function delegatedDelegation(bytes32 child, bytes32 delegation) internal pure returns (bytes32) {
        string memory head = "DelegatedDelegation(Delegation child,bytes32 delegation)";
        return keccak256(abi.encode(keccak256(bytes(string.concat(head, DELEGATION_TYPE))), child, delegation));
    }

    function revocation(bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Revoke(bytes32 consent)"), id));
    }

    function delegatedRevocation(bytes32 id, bytes32 delegation) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("DelegatedRevoke(bytes32 consent,bytes32 delegation)"), id, delegation)
        );
    }

    function endingForCause(bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("EndForCause(bytes32 delegation)"), id));
    }

    function delegatedEndingForCause(bytes32 id, bytes32 delegation) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("DelegatedEndForCause(bytes32 ended,bytes32 delegation)"), id, delegation)
        );
    }

    function revocationOfAll(uint96 subject, uint32 epoch) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("RevokeAll(uint96 subject,uint32 epoch)"), subject, epoch));
    }

    function countOf(uint96 subject) internal view returns (uint32 count) {
        (,, count,) = registry.subjectOf(subject);
    }

    function epochOf(uint96 subject) internal view returns (uint32 epoch) {
        (, epoch,,) = registry.subjectOf(subject);
    }
}

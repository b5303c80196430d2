// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader} from "../interfaces/IConsentTypes.sol";

/// @notice EIP-712 struct hashes of the consent registry's commands, one primary type each.
library TypedData {
    /// @dev EIP-712 sorts referenced types by name. The types are written out in each hash because the compiler folds
    /// the hash of a literal only; a concatenation would be hashed again in every call.
    bytes32 private constant GRANT_TYPEHASH = keccak256(
        "Grant(uint96 subject,ConsentTerms terms,uint40 notBefore,uint40 notAfter,uint8 kind,uint32 epoch,"
        "bytes32 request,bytes32 supersedes,uint40 submitBy)"
        "ConsentTerms(uint8 decision,bytes32 grantee,uint64 purposes,uint64 categories,uint32 sensitivities,"
        "uint16 actions,uint40 dataFrom,uint40 dataTo,uint40 eraseBy,uint32 maxUses,"
        "uint32 usesPerPeriod,uint32 periodSeconds,uint8 breakGlass,"
        "uint64 breakGlassCategories,uint8 redelegationDepth,Rule[] rules,ResearchTerms research,"
        "bytes32 notice,string language,string summary,bytes32 salt)"
        "ResearchTerms(string[] duo,uint32 minimumCohort,uint64 epsilonCap,uint256 compensation)"
        "Rule(bool permit,uint64 purposes,uint64 categories,uint32 sensitivities,uint16 actions,"
        "bytes32[] grantees,uint40 dataFrom,uint40 dataTo,bytes32[] references,uint16 obligations)"
    );
    bytes32 private constant DELEGATED_GRANT_TYPEHASH = keccak256(
        "DelegatedGrant(Grant grant,bytes32 delegation)"
        "ConsentTerms(uint8 decision,bytes32 grantee,uint64 purposes,uint64 categories,uint32 sensitivities,"
        "uint16 actions,uint40 dataFrom,uint40 dataTo,uint40 eraseBy,uint32 maxUses,"
        "uint32 usesPerPeriod,uint32 periodSeconds,uint8 breakGlass,"
        "uint64 breakGlassCategories,uint8 redelegationDepth,Rule[] rules,ResearchTerms research,"
        "bytes32 notice,string language,string summary,bytes32 salt)"
        "Grant(uint96 subject,ConsentTerms terms,uint40 notBefore,uint40 notAfter,uint8 kind,uint32 epoch,"
        "bytes32 request,bytes32 supersedes,uint40 submitBy)"
        "ResearchTerms(string[] duo,uint32 minimumCohort,uint64 epsilonCap,uint256 compensation)"
        "Rule(bool permit,uint64 purposes,uint64 categories,uint32 sensitivities,uint16 actions,"
        "bytes32[] grantees,uint40 dataFrom,uint40 dataTo,bytes32[] references,uint16 obligations)"
    );
    bytes32 private constant DELEGATION_TYPEHASH = keccak256(
        "Delegation(uint96 subject,address delegate,uint16 powers,uint40 notBefore,uint40 notAfter,"
        "uint8 kind,uint8 depth,uint32 epoch,bytes32 parent,DelegationTerms terms,uint40 submitBy)"
        "DelegationTerms(uint64 purposes,uint64 categories,uint32 sensitivities,string relationship,"
        "bytes32 evidence,bytes32 notice,string language,string summary,bytes32 salt)"
    );
    bytes32 private constant DELEGATED_DELEGATION_TYPEHASH = keccak256(
        "DelegatedDelegation(Delegation child,bytes32 delegation)"
        "Delegation(uint96 subject,address delegate,uint16 powers,uint40 notBefore,uint40 notAfter,"
        "uint8 kind,uint8 depth,uint32 epoch,bytes32 parent,DelegationTerms terms,uint40 submitBy)"
        "DelegationTerms(uint64 purposes,uint64 categories,uint32 sensitivities,string relationship,"
        "bytes32 evidence,bytes32 notice,string language,string summary,bytes32 salt)"
    );
    bytes32 private constant REVOKE_TYPEHASH = keccak256("Revoke(bytes32 consent)");
    bytes32 private constant DELEGATED_REVOKE_TYPEHASH =
        keccak256("DelegatedRevoke(bytes32 consent,bytes32 delegation)");
    bytes32 private constant REVOKE_ALL_TYPEHASH = keccak256("RevokeAll(uint96 subject,uint32 epoch)");
    bytes32 private constant OPEN_SUBJECT_TYPEHASH =
        keccak256("OpenSubject(uint96 subject,address controller,uint40 submitBy)");
    bytes32 private constant END_FOR_CAUSE_TYPEHASH = keccak256("EndForCause(bytes32 delegation)");
    bytes32 private constant DELEGATED_END_FOR_CAUSE_TYPEHASH =
        keccak256("DelegatedEndForCause(bytes32 ended,bytes32 delegation)");

    function grantId(GrantHeader memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(GRANT_TYPEHASH, header));
    }

    function delegationId(DelegationHeader memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATION_TYPEHASH, header));
    }

    /// @dev The same from calldata, where few of the fields are read again.
    function linkId(DelegationHeader calldata link) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATION_TYPEHASH, link));
    }

    function delegatedGrant(bytes32 id, bytes32 delegation) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATED_GRANT_TYPEHASH, id, delegation));
    }

    function delegatedDelegation(bytes32 child, bytes32 delegation) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATED_DELEGATION_TYPEHASH, child, delegation));
    }

    function revoke(bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_TYPEHASH, id));
    }

    function delegatedRevoke(bytes32 id, bytes32 delegation) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATED_REVOKE_TYPEHASH, id, delegation));
    }

    function revokeAll(uint96 subject, uint32 epoch) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_ALL_TYPEHASH, subject, epoch));
    }

    function openSubject(uint96 subject, address controller, uint40 submitBy) internal pure returns (bytes32) {
        return keccak256(abi.encode(OPEN_SUBJECT_TYPEHASH, subject, controller, submitBy));
    }

    function endForCause(bytes32 delegation) internal pure returns (bytes32) {
        return keccak256(abi.encode(END_FOR_CAUSE_TYPEHASH, delegation));
    }

    function delegatedEndForCause(bytes32 ended, bytes32 delegation) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATED_END_FOR_CAUSE_TYPEHASH, ended, delegation));
    }
}

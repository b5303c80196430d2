// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader} from "../../../contracts/interfaces/IConsentTypes.sol";
import {
    RecoveryPolicy,
    RecoveryProof,
    RecoveryProposal,
    RecoveryState
} from "../../../contracts/interfaces/IRecovery.sol";
import {ConsentBase} from "./ConsentBase.sol";
import {VM} from "./Vm.sol";

/// @notice A patient with three guardians, two of whom recover, a hospital that signs as the desk, and the hashes of
/// recovery written here once more.
abstract contract RecoveryBase is ConsentBase {
    uint256 internal constant HOSPITAL_KEY = 0x405917a1;
    uint256 internal constant NEW_KEY = 0x4ef;
    uint256 internal constant THIEF_KEY = 0x7417;
    uint40 internal constant GRACE = 4 * RECOVERY_DELAY;
    uint40 internal constant LAPSE = RECOVERY_DELAY + 7 days;

    address internal immutable DESK = VM.addr(HOSPITAL_KEY);
    address internal immutable NEW = VM.addr(NEW_KEY);

    /// @dev By ascending account.
    uint256[3] internal guardianKeys;
    DelegationHeader[3] internal named;

    function setUp() public virtual override {
        super.setUp();
        VM.prank(OPERATOR);
        participants.amend(HOSPITAL_ID, DESK, 1, NOW + 3650 days, 0, 0);
        nameGuardians();
        setPolicy(policyOf(2));
    }

    function nameGuardians() internal {
        guardianKeys = [GUARDIAN_KEY, CARER_KEY, NURSE_KEY];
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                if (VM.addr(guardianKeys[j]) < VM.addr(guardianKeys[j + 1])) continue;
                (guardianKeys[j], guardianKeys[j + 1]) = (guardianKeys[j + 1], guardianKeys[j]);
            }
        }
        for (uint256 i = 0; i < 3; ++i) {
            named[i] = guardianship(SUBJECT, VM.addr(guardianKeys[i]));
            registry.delegate(named[i], sign(PATIENT_KEY, delegationId(named[i])));
        }
    }

    function policyOf(uint8 threshold) internal view returns (RecoveryPolicy memory policy) {
        policy.guardianships = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            policy.guardianships[i] = delegationId(named[i]);
        }
        policy.threshold = threshold;
        policy.salt = keccak256("salt");
    }

    function setPolicy(RecoveryPolicy memory policy) internal {
        setPolicy(policyHash(policy), PATIENT_KEY);
    }

    function setPolicy(bytes32 policy, uint256 key) internal {
        uint32 round = recovery.recoveryOf(SUBJECT).policyRound;
        recovery.setRecoveryPolicy(SUBJECT, policy, round, FOREVER, sign2(key, policySetting(policy, round)));
    }

    /// @dev By the first two guardians.
    function proposed() internal returns (RecoveryProposal memory proposal) {
        proposal = proposalTo(NEW);
        recovery.proposeRecovery(proposal, proofOf(proposal, NEW_KEY, 2, false));
    }

    function proposedWithDesk() internal returns (RecoveryProposal memory proposal) {
        proposal = proposalTo(NEW);
        recovery.proposeRecovery(proposal, proofOf(proposal, NEW_KEY, 2, true));
    }

    function proposalTo(address controller) internal view returns (RecoveryProposal memory) {
        return RecoveryProposal(SUBJECT, controller, recovery.recoveryOf(SUBJECT).round, FOREVER);
    }

    function proofOf(RecoveryProposal memory proposal, uint256 newKey, uint256 guardians, bool withDesk)
        internal
        view
        returns (RecoveryProof memory proof)
    {
        proof.policy = policyOf(2);
        proof.guardians = new DelegationHeader[](guardians);
        proof.signatures = new bytes[](guardians);
        for (uint256 i = 0; i < guardians; ++i) {
            proof.guardians[i] = named[i];
            proof.signatures[i] = sign2(guardianKeys[i], command("ProposeRecovery", proposal));
        }
        proof.acceptance = sign2(newKey, command("AcceptRecovery", proposal));
        if (!withDesk) return proof;
        proof.desk = DESK;
        proof.deskSignature = sign2(HOSPITAL_KEY, command("ConfirmRecovery", proposal));
    }

    function vetoed() internal {
        uint32 round = recovery.recoveryOf(SUBJECT).round;
        recovery.vetoRecovery(SUBJECT, round, sign2(PATIENT_KEY, vetoing(SUBJECT, round)));
    }

    function controllerOf(uint96 subject) internal view returns (address controller) {
        (controller,,,) = registry.subjectOf(subject);
    }

    function sign2(uint256 key, bytes32 hash) internal view returns (bytes memory) {
        return signDigest(key, typed(domain("Assent Recovery", address(recovery)), hash));
    }

    function policyHash(RecoveryPolicy memory policy) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("RecoveryPolicy(bytes32[] guardianships,uint8 threshold,bytes32 salt)"),
                keccak256(abi.encodePacked(policy.guardianships)),
                policy.threshold,
                policy.salt
            )
        );
    }

    function policySetting(bytes32 policy, uint32 round) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "SetRecoveryPolicy(uint96 subject,RecoveryPolicy policy,uint32 round,uint40 submitBy)RecoveryPolicy(bytes32[] guardianships,uint8 threshold,bytes32 salt)"
                ),
                SUBJECT,
                policy,
                round,
                FOREVER
            )
        );
    }

    function command(string memory name, RecoveryProposal memory proposal) internal pure returns (bytes32) {
        bytes memory kind =
            bytes(string.concat(name, "(uint96 subject,address controller,uint32 round,uint40 submitBy)"));
        return keccak256(abi.encode(keccak256(kind), proposal));
    }

    function vetoing(uint96 subject, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("VetoRecovery(uint96 subject,uint32 round)"), subject, round));
    }
}

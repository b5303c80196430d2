// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The ethics board's permit of a study.
/// @param rules hash of the output rules the board approved
/// @param notBefore first second in which it counts
/// @param notAfter first second in which it no longer counts
/// @param revokedAt block time of its revocation, or zero
/// @param round how often it was suspended or resumed
/// @param suspended whether it is suspended
struct StudyPermit {
    bytes32 rules;
    uint40 notBefore;
    uint40 notAfter;
    uint40 revokedAt;
    uint32 round;
    bool suspended;
}

/// @title Studies and their ethics permits
/// @notice Every command is signed by a member with the ethics-board role and relayed by anyone, or sent by that
/// member itself with an empty signature. EIP-712 domain: name "Assent Research", version "1". Types:
/// PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy),
/// SuspendStudy(bytes32 study,uint32 round), ResumeStudy(bytes32 study,uint32 round), RevokeStudy(bytes32 study).
interface IResearchMarket {
    event StudyPermitted(
        bytes32 indexed study, bytes32 rules, uint40 notBefore, uint40 notAfter, address indexed boardMember
    );
    event StudySuspended(bytes32 indexed study, uint32 round, address indexed boardMember);
    event StudyResumed(bytes32 indexed study, uint32 round, address indexed boardMember);
    event StudyRevoked(bytes32 indexed study, uint40 revokedAt, address indexed boardMember);

    error StudyZero();
    error StudyUnknown(bytes32 study);
    error StudyAlreadyPermitted(bytes32 study);
    error StudyAlreadyRevoked(bytes32 study);
    error NotEthicsBoard(address account);
    error SignatureInvalid(address signer);
    error SubmittedTooLate(uint40 submitBy);
    error WindowEmpty(uint40 notBefore, uint40 notAfter);
    error RoundNotCurrent(uint32 signed, uint32 current);

    /// @notice Record the permit of a study. A study is permitted once.
    /// @param study id, not zero
    /// @param rules hash of the approved output rules
    /// @param notBefore first second in which the permit counts
    /// @param notAfter first second in which it no longer counts
    /// @param submitBy last second in which this may be recorded
    /// @param boardMember account of the ethics-board member
    /// @param signature over PermitStudy
    function permitStudy(
        bytes32 study,
        bytes32 rules,
        uint40 notBefore,
        uint40 notAfter,
        uint40 submitBy,
        address boardMember,
        bytes calldata signature
    ) external;

    /// @notice Suspend a study. `round` is the current one; suspending what is suspended does nothing.
    function suspendStudy(bytes32 study, uint32 round, address boardMember, bytes calldata signature) external;

    /// @notice Resume a suspended study. `round` is the current one.
    function resumeStudy(bytes32 study, uint32 round, address boardMember, bytes calldata signature) external;

    /// @notice Revoke a permit for good; twice does nothing.
    function revokeStudy(bytes32 study, address boardMember, bytes calldata signature) external;

    /// @notice What is recorded of a study's permit; all zero if nothing.
    /// @dev Warning: this says nothing about whether it counts now; `isPermitted` does.
    function permitOf(bytes32 study) external view returns (StudyPermit memory);

    /// @notice Whether the study may run in this block under exactly these output rules.
    function isPermitted(bytes32 study, bytes32 rules) external view returns (bool);
}

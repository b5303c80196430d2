// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "./IConsentRegistry.sol";
import {RecoveryState} from "./IRecovery.sol";

/// @title A consent registry that succeeds another
/// @notice Subjects come from the registry before this one, as they stand there, by anyone's call and without a
/// signature: the chain says what stands there, so nobody has to be believed. A subject comes whole or not at all.
/// Until it has come it is unknown here and nothing of it is live.
/// @dev From then on:
/// - what is signed for here counts here, under this contract's EIP-712 domain;
/// - what was adopted ends here in the block in which it ends there: permits, delegations and guardianships that are
///   revoked, ended or ended for cause;
/// - a revoke-all there raises the epoch here as well, and so ends what was recorded here too;
/// - an id that is revoked there, recorded or not, is never recorded here;
/// - what widens there does not count here: grants, delegations, guardianships, recoveries, the revocation of a deny
///   or refusal. Nor does a deny that is recorded there later.
///
/// Whoever controls the subject there, and no longer here, can still end in these ways: recover the subject there too.
///
/// Warning: what was recorded here, and is revoked there by its header only afterwards, goes on. Warning: ending a
/// delegation for cause there ends the permits given under it there; for those given under it here it has to be said
/// here. Warning: the registry before this one says of itself what stands there; look at its code before you trust
/// this one.
interface ISuccession is IConsentRegistry {
    /// @dev Told again for an id that is given again while its subject's adoption is under way. `slot` is laid out as
    /// `IConsentRegistry.evidence` says. Counts for nothing before `SubjectAdopted`.
    event ConsentAdopted(bytes32 indexed id, uint96 indexed subject, uint256 slot);
    /// @dev From here on the subject is open here, with all that was adopted of it. `slot` as in `evidence`.
    event SubjectAdopted(uint96 indexed subject, bytes32 member, uint256 slot);

    /// @notice Adopt consents, denies, refusals, delegations and guardianships of a subject, and with the last of them
    /// the subject: controller, epoch, count, opening custodian and recovery. Anyone, in as many calls as it takes.
    /// @dev It is complete when as many different ids were adopted as were ever recorded there. What was revoked ahead
    /// is passed over: it needs no adoption. While it is under way an id may be given again, to have it as it stands by
    /// then; what of a deny or refusal counts is what stood there when it was last given. Refused at completion while a
    /// recovery is pending there.
    /// @param subject pseudonym, open there and not here
    /// @param ids what was recorded there, in any order
    function adopt(uint96 subject, bytes32[] calldata ids) external;

    /// @notice Block time at which a subject's adoption was completed; zero if it was not adopted.
    function adoptedAtOf(uint96 subject) external view returns (uint40);

    /// @notice The registry before this one.
    function PREDECESSOR() external view returns (IConsentRegistry);
}

/// @title Recovery in a registry that succeeds another
interface ISucceedingRecovery {
    event RecoveryAdopted(uint96 indexed subject, RecoveryState state);

    error NotRegistry(address caller);

    /// @notice Take over a subject's policy, round and veto. Only the registry, when it adopts the subject.
    /// @dev Refused while a recovery is pending there. One that lapsed does not come along: where the delay were
    /// longer it might be pending again.
    function adoptRecovery(uint96 subject) external;
}

/// @notice What the constructors of succeeding contracts refuse.
interface ISuccessionErrors {
    /// @dev The predecessor goes by another consent registry than the one before the one given.
    error PredecessorsDiffer(address found, address wanted);
}

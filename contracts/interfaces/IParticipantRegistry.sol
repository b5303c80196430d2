// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Where a member stands, apart from its credential's expiry, which is a date and not a state.
enum Standing {
    Unknown,
    Active,
    Suspended,
    Removed
}

/// @notice An organisation, practitioner or machine that takes part.
/// @param account the account it sends or signs with; zero when it never does
/// @param roles bit mask, see `Roles.sol`
/// @param credentialExpiry unix seconds; from this second on no role counts
/// @param standing see `Standing`
/// @param credentialHash salted hash of the licence or certificate that was checked
/// @param keyHash hash of the public key that records are sealed to
struct Member {
    address account;
    uint16 roles;
    uint40 credentialExpiry;
    Standing standing;
    bytes32 credentialHash;
    bytes32 keyHash;
}

/// @title Who takes part, in which roles
/// @notice Whatever admits or widens waits out the admission delay of the AccessManager named by `authority()`, so
/// that one stolen key admits nobody at once. Whatever restricts (suspension, removal, fewer roles) acts at once.
/// @dev Warning: a member is keyed by its id; its account may change. Ask `memberWithRole` where an act must belong
/// to the member rather than to the account it has today.
interface IParticipantRegistry {
    event MemberAdmitted(
        bytes32 indexed member,
        address indexed account,
        uint16 roles,
        uint40 credentialExpiry,
        bytes32 credentialHash,
        bytes32 keyHash
    );
    event MemberAmended(
        bytes32 indexed member,
        address indexed account,
        uint16 roles,
        uint40 credentialExpiry,
        bytes32 credentialHash,
        bytes32 keyHash
    );
    event MemberRolesReduced(bytes32 indexed member, uint16 roles);
    event MemberSuspended(bytes32 indexed member);
    event MemberReinstated(bytes32 indexed member);
    event MemberRemoved(bytes32 indexed member);

    error MemberZero();
    error MemberUnknown(bytes32 member);
    error MemberExists(bytes32 member);
    error MemberNotInStanding(bytes32 member, Standing standing);
    error AccountTaken(address account, bytes32 member);
    error RolesUnknown(uint16 roles);
    error CredentialExpired(uint40 credentialExpiry);

    /// @notice Admit a member. Delayed.
    /// @dev Ids are never used twice: a removed member needs a new id.
    /// @param member id, not zero
    /// @param account its account, unused by any other member; zero if it never transacts
    /// @param roles bit mask of known roles
    /// @param credentialExpiry unix seconds, in the future
    /// @param credentialHash salted hash of the checked credential
    /// @param keyHash hash of its public encryption key
    function admit(
        bytes32 member,
        address account,
        uint16 roles,
        uint40 credentialExpiry,
        bytes32 credentialHash,
        bytes32 keyHash
    ) external;

    /// @notice Replace account, roles, credential and key of a member that is neither removed nor unknown. Delayed.
    /// @dev A suspended member stays suspended. Parameters as in `admit`.
    function amend(
        bytes32 member,
        address account,
        uint16 roles,
        uint40 credentialExpiry,
        bytes32 credentialHash,
        bytes32 keyHash
    ) external;

    /// @notice End a suspension. Delayed.
    function reinstate(bytes32 member) external;

    /// @notice Take roles away, at once. Bits the member does not hold are ignored.
    function reduceRoles(bytes32 member, uint16 rolesTakenAway) external;

    /// @notice Stop all roles of an active member, at once.
    function suspend(bytes32 member) external;

    /// @notice Stop all roles for good, at once.
    function remove(bytes32 member) external;

    /// @notice Whether the account belongs to an active member with an unexpired credential that holds every role
    /// in the mask. False for an empty mask.
    function hasRole(address account, uint16 roles) external view returns (bool);

    /// @notice The same for a member id, with or without an account.
    function memberHasRole(bytes32 member, uint16 roles) external view returns (bool);

    /// @notice The member the account belongs to if `hasRole(account, roles)`, else zero.
    function memberWithRole(address account, uint16 roles) external view returns (bytes32);

    /// @notice The member the account belongs to, whatever its standing; zero if none.
    function memberOf(address account) external view returns (bytes32);

    /// @notice Everything recorded of a member; all zero if unknown.
    function memberById(bytes32 member) external view returns (Member memory);
}

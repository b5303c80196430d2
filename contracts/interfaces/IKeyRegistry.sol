// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "./IConsentRegistry.sol";

/// @notice The key that counts for a subject.
/// @param keyHash SHA-256 of the public key; zero where none counts
/// @param sequence number of the last binding or withdrawal; the next binding has the number after it
/// @param boundAt block time of the binding, or zero where none counts
struct BoundKey {
    bytes32 keyHash;
    uint32 sequence;
    uint40 boundAt;
}

/// @title The encryption keys of subjects
/// @notice To which public key a subject's data may be sealed. The key is made on the patient's side; what is here is
/// its hash, bound by the subject's controller, so that nobody in between can put another key in its place. A delegate
/// or a guardian cannot bind: only the controller can.
///
/// Every command is signed by the controller and relayed by anyone, or sent by the controller with an empty signature.
/// EIP-712 domain: name "Assent Keys", version "1". Types:
/// BindKey(uint96 subject,bytes32 keyHash,uint32 sequence,uint40 submitBy),
/// WithdrawKey(uint96 subject,uint32 sequence). A third is checked here and leaves no trace: with
/// AllowMediated(uint96 subject,bytes32 segmentKind,uint32 sequence,uint40 submitBy) the controller lets the custodian
/// read, for its readers, what was sealed to the key of that number alone.
///
/// Bindings are numbered from 1, and each number is used once, so neither a binding that was replaced nor one that was
/// withdrawn comes back.
/// @dev A binding counts while the account that made it is the subject's controller. After a recovery the new
/// controller binds anew. Warning: where the controller that was replaced is recovered in its turn and nothing was
/// bound or withdrawn in between, its key counts again.
interface IKeyRegistry {
    /// @dev Replaces what was bound before.
    event KeyBound(
        uint96 indexed subject, bytes32 indexed keyHash, uint32 sequence, address controller, uint40 boundAt
    );
    /// @dev Nothing is bound from here on, and no binding up to this number can be recorded.
    event KeyWithdrawn(uint96 indexed subject, uint32 sequence, address controller, uint40 withdrawnAt);

    error SubjectUnknown(uint96 subject);
    error KeyHashZero();
    error SequenceNotNext(uint32 signed, uint32 next);
    error KeyNotBound(uint32 sequence);
    error SubmittedTooLate(uint40 submitBy);
    error RecoveryPending(uint96 subject);
    error SignatureInvalid(address signer);

    /// @notice Bind a key, in the place of any other.
    /// @dev Refused while a recovery of the subject is pending, as grants are: whoever holds the present controller's
    /// key may be a thief.
    /// @param subject pseudonym, opened in the consent registry
    /// @param keyHash SHA-256 of the public key, not zero
    /// @param sequence the next one, see `keyOf`
    /// @param submitBy last second in which this may be recorded
    /// @param signature the controller's BindKey; empty if it is the sender
    function bindKey(uint96 subject, bytes32 keyHash, uint32 sequence, uint40 submitBy, bytes calldata signature)
        external;

    /// @notice Withdraw every key up to a number: nothing may be sealed to it from then on.
    /// @dev Needs no role, fee or deadline, and a recovery does not stop it. The number names what is withdrawn. With
    /// the next one it takes a binding along that is signed and not yet recorded, in whichever order the two come.
    /// Where a later key stands it does nothing, nor where there is nothing left to withdraw. Only the controller
    /// raises the number, so nobody else can make a signed withdrawal stale.
    /// @param subject pseudonym, opened in the consent registry
    /// @param sequence the last number withdrawn, at most the next one
    /// @param signature the controller's WithdrawKey; empty if it is the sender
    function withdrawKey(uint96 subject, uint32 sequence, bytes calldata signature) external;

    /// @notice Revert unless the controller signed AllowMediated of these, for the key that counts in this block.
    /// @dev For whoever carries it out, and with an archive for whoever asks later whether it might: contract wallets
    /// answer on the chain alone. Warning: the sender plays no part here, because in a call that is not sent it can be
    /// anyone.
    /// @param subject pseudonym, opened in the consent registry
    /// @param segmentKind salted commitment to the kind of segments that it is about
    /// @param sequence number of the key
    /// @param submitBy last second in which this may be carried out
    /// @param signature the controller's AllowMediated
    function checkMediated(
        uint96 subject,
        bytes32 segmentKind,
        uint32 sequence,
        uint40 submitBy,
        bytes calldata signature
    ) external view;

    /// @notice The registry that says who controls a subject.
    function CONSENTS() external view returns (IConsentRegistry);

    /// @notice The key that counts in this block; a hash of zero where none was bound, it was withdrawn, or the
    /// controller that bound it no longer is.
    function keyOf(uint96 subject) external view returns (BoundKey memory);

    /// @notice The same of many, in their order.
    function keysOf(uint96[] calldata subjects) external view returns (BoundKey[] memory);
}

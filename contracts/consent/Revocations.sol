// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {DelegationHeader, GrantHeader} from "../interfaces/IConsentTypes.sol";
import {ConsentSlot} from "../libraries/ConsentSlot.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Powers} from "../libraries/Powers.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {SubjectSlot} from "../libraries/SubjectSlot.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {DelegationChains} from "./DelegationChains.sol";

/// @notice Revoking. Nothing here may ever ask for a role, a date, a nonce or a state that another can set.
abstract contract Revocations is DelegationChains {
    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 id, bytes calldata signature) external {
        ConsentSlot slot = _known(id);
        if (slot.isRevoked()) return;
        _requireSigned(_subjects[slot.subject()].controller(), TypedData.revoke(id), signature);
        _revoke(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeDirect(bytes32 id) external {
        ConsentSlot slot = _known(id);
        if (slot.isRevoked()) return;
        _requireSender(slot.subject(), _subjects[slot.subject()]);
        _revoke(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeByDelegate(bytes32 id, DelegationHeader[] calldata chain, bytes calldata signature) external {
        ConsentSlot slot = _known(id);
        if (slot.isRevoked()) return;
        _requireSignedByDelegate(id, slot.subject(), slot.kind(), chain, signature);
        _revoke(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeBatch(bytes32[] calldata ids, bytes[] calldata signatures) external {
        if (ids.length != signatures.length) revert BatchLengthsDiffer(ids.length, signatures.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            bytes32 id = ids[i];
            ConsentSlot slot = _asItStands(_consent(id));
            if (slot.isEmpty()) {
                emit RevocationRejected(id, abi.encodeWithSelector(ConsentUnknown.selector, id));
                continue;
            }
            if (slot.isRevoked()) continue;
            address signer = _subjects[slot.subject()].controller();
            if (Signatures.isByKey(signer, _hashTypedDataV4(TypedData.revoke(id)), signatures[i])) _revoke(id, slot);
            else emit RevocationRejected(id, abi.encodeWithSelector(SignatureInvalid.selector, signer));
        }
    }

    /// @inheritdoc IConsentRegistry
    function revokeAhead(GrantHeader calldata header, bytes calldata signature) external returns (bytes32 id) {
        id = TypedData.grantId(header);
        ConsentSlot slot = _asItStands(_consent(id));
        if (slot.isRevoked()) return id;
        if (!Kinds.isConsent(header.kind)) revert KindNotAllowed(header.kind);
        _requireSigned(_opened(header.subject).controller(), TypedData.revoke(id), signature);
        if (slot.isEmpty()) _revokeAhead(id, header.subject, header.kind, header.epoch, header.notAfter);
        else _revoke(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAheadByDelegate(
        GrantHeader calldata header,
        DelegationHeader[] calldata chain,
        bytes calldata signature
    ) external returns (bytes32 id) {
        id = TypedData.grantId(header);
        ConsentSlot slot = _asItStands(_consent(id));
        if (slot.isRevoked()) return id;
        if (!Kinds.isConsent(header.kind)) revert KindNotAllowed(header.kind);
        _requireSignedByDelegate(id, header.subject, header.kind, chain, signature);
        if (slot.isEmpty()) _revokeAhead(id, header.subject, header.kind, header.epoch, header.notAfter);
        else _revoke(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeDelegationAhead(DelegationHeader calldata header, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        id = TypedData.delegationId(header);
        ConsentSlot slot = _asItStands(_consent(id));
        if (slot.isRevoked()) return id;
        if (!Kinds.isDelegation(header.kind)) revert KindNotAllowed(header.kind);
        _requireSigned(_opened(header.subject).controller(), TypedData.revoke(id), signature);
        if (slot.isEmpty()) _revokeAhead(id, header.subject, header.kind, header.epoch, header.notAfter);
        else _revoke(id, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAll(uint96 subject, uint32 epoch, bytes calldata signature) external {
        SubjectSlot slot = _opened(subject);
        if (epoch != slot.currentEpoch()) return;
        _requireSigned(slot.controller(), TypedData.revokeAll(subject, epoch), signature);
        _revokeAll(subject, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAllDirect(uint96 subject, uint32 epoch) external {
        SubjectSlot slot = _opened(subject);
        if (epoch != slot.currentEpoch()) return;
        _requireSender(subject, slot);
        _revokeAll(subject, slot);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAllByGuardian(
        uint96 subject,
        uint32 epoch,
        DelegationHeader[] calldata chain,
        bytes calldata signature
    ) external {
        SubjectSlot slot = _opened(subject);
        if (epoch != slot.currentEpoch()) return;
        _requireLiveChain(subject, slot, chain, Powers.REVOKE);
        DelegationHeader calldata used = chain[0];
        if (used.kind != Kinds.GUARDIANSHIP) revert KindNotAllowed(used.kind);
        _requireSigned(used.delegate, TypedData.revokeAll(subject, epoch), signature);
        _revokeAll(subject, slot);
    }

    function _known(bytes32 id) private view returns (ConsentSlot slot) {
        slot = _asItStands(_consent(id));
        if (slot.isEmpty()) revert ConsentUnknown(id);
    }

    function _requireSignedByDelegate(
        bytes32 id,
        uint96 subjectId,
        uint8 kind,
        DelegationHeader[] calldata chain,
        bytes calldata signature
    ) private view {
        // Revoking a deny widens access, so it takes the power to grant as well.
        uint16 powers = kind == Kinds.DENY ? Powers.GRANT | Powers.REVOKE : Powers.REVOKE;
        bytes32 delegation = _requireLiveChain(subjectId, _opened(subjectId), chain, powers);
        DelegationHeader calldata used = chain[0];
        bool byGuardian = used.kind == Kinds.GUARDIANSHIP && kind == Kinds.DELEGATION;
        if (!byGuardian && !Kinds.isConsent(kind)) revert KindNotAllowed(kind);
        _requireSigned(used.delegate, TypedData.delegatedRevoke(id, delegation), signature);
    }

    function _revokeAll(uint96 subject, SubjectSlot slot) private {
        SubjectSlot raised = slot.nextEpoch();
        _subjects[subject] = raised;
        emit AllRevoked(subject, raised.currentEpoch());
    }
}

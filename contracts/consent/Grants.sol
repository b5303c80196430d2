// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {DelegationHeader, GrantHeader} from "../interfaces/IConsentTypes.sol";
import {ConsentSlot, packConsent} from "../libraries/ConsentSlot.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Powers} from "../libraries/Powers.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {SubjectSlot} from "../libraries/SubjectSlot.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {DelegationChains} from "./DelegationChains.sol";

/// @notice Recording permits, denies and refusals.
abstract contract Grants is DelegationChains {
    /// @inheritdoc IConsentRegistry
    function grant(GrantHeader calldata header, bytes calldata signature) external returns (bytes32 id) {
        GrantHeader memory given = header;
        id = TypedData.grantId(given);
        SubjectSlot subject = _subjects[given.subject];
        _raise(_grantFault(id, given, subject));
        _requireSigned(subject.controller(), id, signature);
        _recordGrant(id, given, subject, 0);
    }

    /// @inheritdoc IConsentRegistry
    function grantDirect(GrantHeader calldata header) external returns (bytes32 id) {
        GrantHeader memory given = header;
        id = TypedData.grantId(given);
        SubjectSlot subject = _subjects[given.subject];
        _raise(_grantFault(id, given, subject));
        _requireSender(given.subject, subject);
        _recordGrant(id, given, subject, 0);
    }

    /// @inheritdoc IConsentRegistry
    function grantByDelegate(GrantHeader calldata header, DelegationHeader[] calldata chain, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        GrantHeader memory given = header;
        id = TypedData.grantId(given);
        SubjectSlot subject = _subjects[given.subject];
        _raise(_grantFault(id, given, subject));
        uint16 powers = given.supersedes == 0 ? Powers.GRANT : Powers.GRANT | Powers.REVOKE;
        bytes32 delegation = _requireLiveChain(given.subject, subject, chain, powers);
        DelegationHeader calldata used = chain[0];
        if (given.notAfter > used.notAfter) revert OutlivesDelegation(given.notAfter, used.notAfter);
        _requireSigned(used.delegate, TypedData.delegatedGrant(id, delegation), signature);
        _recordGrant(id, given, subject, delegation);
    }

    /// @inheritdoc IConsentRegistry
    function grantBatch(GrantHeader[] calldata headers, bytes[] calldata signatures) external {
        if (headers.length != signatures.length) revert BatchLengthsDiffer(headers.length, signatures.length);
        for (uint256 i = 0; i < headers.length; ++i) {
            GrantHeader memory header = headers[i];
            bytes32 id = TypedData.grantId(header);
            SubjectSlot subject = _subjects[header.subject];
            bytes memory fault = _grantFault(id, header, subject);
            // Empty means no fault; nothing an outsider sends changes that meaning.
            // slither-disable-next-line incorrect-equality
            if (fault.length == 0 && !Signatures.isByKey(subject.controller(), _hashTypedDataV4(id), signatures[i])) {
                fault = abi.encodeWithSelector(SignatureInvalid.selector, subject.controller());
            }
            // slither-disable-next-line incorrect-equality
            if (fault.length == 0) _recordGrant(id, header, subject, 0);
            else emit GrantRejected(id, header.subject, fault);
        }
    }

    function _grantFault(bytes32 id, GrantHeader memory header, SubjectSlot subject)
        private
        view
        returns (bytes memory fault)
    {
        fault = _recordingFault(
            id,
            header.subject,
            subject,
            header.kind,
            header.epoch,
            header.notBefore,
            header.notAfter,
            header.submitBy
        );
        if (fault.length != 0) return fault;
        if (!Kinds.isConsent(header.kind)) return abi.encodeWithSelector(KindNotAllowed.selector, header.kind);
        if (header.supersedes == 0) return fault;
        ConsentSlot old = _consent(header.supersedes);
        if (old.isEmpty()) return abi.encodeWithSelector(SupersededUnknown.selector, header.supersedes);
        if (old.subject() != header.subject || !Kinds.isConsent(old.kind())) {
            return abi.encodeWithSelector(SupersededElsewhere.selector, header.supersedes);
        }
    }

    /// @param delegation the delegation used, or zero
    function _recordGrant(bytes32 id, GrantHeader memory header, SubjectSlot subject, bytes32 delegation) private {
        ConsentSlot slot = packConsent(
            header.subject, header.kind, header.epoch, _effective(header.notBefore), header.notAfter
        );
        if (delegation != 0) slot = slot.givenUnder(delegation);
        _consents[id] = slot;
        _subjects[header.subject] = subject.counted();
        emit ConsentGranted(id, header.subject, ConsentSlot.unwrap(slot), delegation);
        if (header.supersedes == 0) return;
        ConsentSlot old = _asItStands(_consent(header.supersedes));
        if (!old.isRevoked()) _revoke(header.supersedes, old);
    }
}

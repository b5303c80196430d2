// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GrantHeader, IConsentTypes} from "../../../contracts/interfaces/IConsentTypes.sol";
import {ConsentRegistry} from "../../../contracts/ConsentRegistry.sol";
import {RecoveryBase} from "./RecoveryBase.sol";
import {Vm, VM} from "./Vm.sol";

/// @notice Random commands by random people, valid and invalid, while time passes. Keeps a plain model beside the
/// registry, and a copy of its storage built from nothing but its events.
abstract contract ConsentActor is RecoveryBase {
    struct Known {
        uint96 subject;
        uint8 kind;
        uint32 epoch;
        uint256 begins;
        uint256 ends;
        uint256 revoked;
        bytes32 given;
    }

    uint256 internal constant WRONG_KEY = 0xbad;
    uint96[3] public subjects = [uint96(11), 12, 13];

    bytes32[] public ids;
    mapping(bytes32 => GrantHeader) internal headers;
    mapping(bytes32 => Known) internal model;
    mapping(uint96 => uint32) public modelEpoch;
    mapping(uint96 => uint32) public modelCount;
    mapping(uint96 => uint256) public modelKey;
    /// @dev By subject and delegation: when it was ended for cause.
    mapping(uint96 => mapping(bytes32 => uint256)) public modelCause;

    mapping(bytes32 => uint256) public replayed;
    mapping(uint96 => uint256) public replayedSubject;
    mapping(uint96 => bytes32) public replayedCustodian;
    mapping(uint96 => bytes32) public replayedRecovery;
    mapping(uint96 => mapping(uint40 => uint256)) public replayedCause;

    function target() external view returns (ConsentRegistry) {
        return registry;
    }

    function knownOf(bytes32 id) external view returns (Known memory) {
        return model[id];
    }

    function known() external view returns (uint256) {
        return ids.length;
    }

    function wait(uint256 seconds_) external {
        VM.warp(block.timestamp + (seconds_ % 2 == 0 ? seconds_ % 40 days : seconds_ % 2 days));
    }

    /// @param signer who signs, mostly the controller
    function give(uint8 who, uint8 signer, uint8 kind, uint32 epochShift, uint40 from, uint40 length, uint256 salt)
        external
    {
        uint96 subject = subjects[who % 3];
        GrantHeader memory header;
        header.subject = subject;
        header.termsHash = keccak256(abi.encode(salt % 40));
        header.kind = [PERMIT, DENY, REFUSAL, uint8(0), DELEGATION][kind % 5];
        header.epoch = modelEpoch[subject] + (epochShift % 8 == 7 ? 1 : 0);
        header.notBefore = uint40(block.timestamp) - 10 days + from % 20 days;
        header.notAfter = header.notBefore + length % 60 days;
        header.submitBy = FOREVER;
        if (salt % 4 == 3 && ids.length > 0) header.supersedes = ids[salt % ids.length];
        submit(header, signer % 8 == 7 ? WRONG_KEY : modelKey[subject]);
    }

    function repeat(uint256 which) external {
        if (ids.length == 0) return;
        GrantHeader memory header = headers[ids[which % ids.length]];
        submit(header, modelKey[header.subject]);
    }

    function revoke(uint256 which, uint8 signer, bool direct, bool ahead) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        GrantHeader memory header = headers[id];
        uint256 key = signer % 8 == 7 ? WRONG_KEY : modelKey[header.subject];
        bytes memory signature = sign(key, revocation(id));
        bool accepted;
        VM.recordLogs();
        if (direct) {
            VM.prank(VM.addr(key));
            try registry.revokeDirect(id) {
                accepted = true;
            } catch {}
        } else if (ahead) {
            try registry.revokeAhead(header, signature) {
                accepted = true;
            } catch {}
        } else {
            try registry.revoke(id, signature) {
                accepted = true;
            } catch {}
        }
        replay();
        uint256 already = ended(id);
        bool mayExist = header.kind == PERMIT || header.kind == DENY || header.kind == REFUSAL;
        bool recorded = model[id].subject != 0;
        bool expected =
            already != 0 || (key != WRONG_KEY && (recorded || (ahead && !direct && mayExist)));
        check(accepted == expected, "revocation accepted exactly when it must be");
        if (!accepted || already != 0) return;
        if (!recorded) model[id] = Known(header.subject, header.kind, header.epoch, 0, header.notAfter, 0, 0);
        model[id].revoked = block.timestamp;
    }

    function revokeAll(uint8 who, uint32 epochShift, uint8 signer) external {
        uint96 subject = subjects[who % 3];
        uint32 epoch = modelEpoch[subject] + epochShift % 3;
        uint256 key = signer % 8 == 7 ? WRONG_KEY : modelKey[subject];
        bool accepted;
        VM.recordLogs();
        try registry.revokeAll(subject, epoch, sign(key, revocationOfAll(subject, epoch))) {
            accepted = true;
        } catch {}
        replay();
        bool current = epoch == modelEpoch[subject];
        check(accepted == (!current || key != WRONG_KEY), "revoke-all accepted exactly when it must be");
        if (accepted && current) ++modelEpoch[subject];
    }

    function submit(GrantHeader memory header, uint256 key) private {
        bytes32 id = grantId(header);
        bool accepted;
        VM.recordLogs();
        try registry.grant(header, sign(key, id)) {
            accepted = true;
        } catch {}
        replay();
        settle(header, accepted, key != WRONG_KEY, 0);
    }

    /// @dev Compare what happened to a grant with what must, and take it over into the model.
    function settle(GrantHeader memory header, bool accepted, bool mayGive, bytes32 given) internal {
        bytes32 id = grantId(header);
        uint256 begins = header.notBefore > block.timestamp ? header.notBefore : block.timestamp;
        Known memory old = model[header.supersedes];
        bool expected = model[id].subject == 0 && mayGive && header.epoch == modelEpoch[header.subject]
            && (header.kind == DENY || header.kind == REFUSAL || (header.kind == PERMIT && !isFrozen(header.subject)))
            && begins < header.notAfter
            && (header.supersedes == 0 || (old.subject == header.subject && old.kind != DELEGATION));
        check(accepted == expected, "grant accepted exactly when it must be");
        remember(id, header);
        if (!accepted) return;
        uint256 gone = ended(header.supersedes);
        model[id] = Known(header.subject, header.kind, header.epoch, begins, header.notAfter, 0, given);
        ++modelCount[header.subject];
        if (header.supersedes != 0 && gone == 0) model[header.supersedes].revoked = block.timestamp;
    }

    /// @dev When it was revoked, or its delegation ended for cause; zero for neither.
    function ended(bytes32 id) public view returns (uint256) {
        Known storage entry = model[id];
        if (entry.revoked != 0 || entry.given == 0 || entry.kind != PERMIT) return entry.revoked;
        return modelCause[entry.subject][entry.given];
    }

    function isFrozen(uint96 subject) public view virtual returns (bool);

    /// @dev Also what was refused is remembered, so that it can be revoked ahead or sent again.
    function remember(bytes32 id, GrantHeader memory header) private {
        if (headers[id].subject != 0) return;
        headers[id] = header;
        ids.push(id);
    }

    /// @dev Rebuild storage from events alone.
    function replay() internal {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32[] memory topics = logs[i].topics;
            if (logs[i].emitter == address(recovery)) {
                replayedRecovery[uint96(uint256(topics[1]))] = keccak256(logs[i].data);
                continue;
            }
            if (logs[i].emitter != address(registry)) continue;
            uint96 subject = uint96(uint256(topics[topics.length > 2 ? 2 : 1]));
            if (topics[0] == IConsentTypes.SubjectOpened.selector) {
                replayedSubject[uint96(uint256(topics[1]))] = uint256(topics[2]) | 1 << 224;
                replayedCustodian[uint96(uint256(topics[1]))] = abi.decode(logs[i].data, (bytes32));
            } else if (topics[0] == IConsentTypes.RecoveryStepped.selector) {
                subject = uint96(uint256(topics[1]));
                uint256 kept = replayedSubject[subject] & ~(uint256(type(uint160).max) | 1 << 225);
                bool isProposed = abi.decode(logs[i].data, (bool));
                replayedSubject[subject] = kept | uint256(topics[2]) | (isProposed ? 1 << 225 : 0);
            } else if (topics[0] == IConsentTypes.DelegationRecorded.selector) {
                replayed[topics[1]] = abi.decode(logs[i].data, (uint256));
                replayedSubject[subject] += 1 << 192;
            } else if (topics[0] == IConsentTypes.DelegationEndedForCause.selector) {
                replayedCause[subject][tagOf(topics[1])] = abi.decode(logs[i].data, (uint256));
            } else if (topics[0] == IConsentTypes.ConsentGranted.selector) {
                (replayed[topics[1]],) = abi.decode(logs[i].data, (uint256, bytes32));
                replayedSubject[subject] += 1 << 192;
            } else if (topics[0] == IConsentTypes.ConsentRevoked.selector) {
                uint256 cleared = replayed[topics[1]] & ~(uint256(type(uint40).max) << 136);
                replayed[topics[1]] = cleared | abi.decode(logs[i].data, (uint256)) << 136;
            } else if (topics[0] == IConsentTypes.ConsentRevokedAhead.selector) {
                replayed[topics[1]] = abi.decode(logs[i].data, (uint256));
            } else if (topics[0] == IConsentTypes.AllRevoked.selector) {
                uint256 epoch = abi.decode(logs[i].data, (uint32));
                uint256 cleared = replayedSubject[subject] & ~(uint256(type(uint32).max) << 160);
                replayedSubject[subject] = cleared | epoch << 160;
            }
        }
    }

    function tagOf(bytes32 delegation) public pure returns (uint40) {
        return uint40(uint256(delegation)) | 1 << 39;
    }
}

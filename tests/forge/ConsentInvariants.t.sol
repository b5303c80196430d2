// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentRegistry} from "../../contracts/ConsentRegistry.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {Vm, VM} from "./support/Vm.sol";

/// @notice Random commands by random people, valid and invalid, while time passes. Keeps a plain model beside the
/// registry, and a copy of its storage built from nothing but its events.
contract Actor is ConsentBase {
    struct Known {
        uint96 subject;
        uint8 kind;
        uint32 epoch;
        uint256 begins;
        uint256 ends;
        uint256 revoked;
    }

    uint256[3] private keys = [uint256(0xa1), 0xa2, 0xa3];
    uint96[3] public subjects = [uint96(11), 12, 13];

    bytes32[] public ids;
    mapping(bytes32 => GrantHeader) private headers;
    mapping(bytes32 => Known) public model;
    mapping(uint96 => uint32) public modelEpoch;
    mapping(uint96 => uint32) public modelCount;

    mapping(bytes32 => uint256) public replayed;
    mapping(uint96 => uint256) public replayedSubject;

    constructor() {
        setUpWorld();
    }

    function setUpWorld() private {
        VM.warp(NOW);
        super.setUp();
        VM.recordLogs();
        for (uint256 i = 0; i < 3; ++i) {
            open(subjects[i], keys[i]);
        }
        replay();
    }

    function target() external view returns (ConsentRegistry) {
        return registry;
    }

    function known() external view returns (uint256) {
        return ids.length;
    }

    function wait(uint256 seconds_) external {
        VM.warp(block.timestamp + seconds_ % 40 days);
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
        submit(header, signer % 8 == 7 ? keys[(uint256(who) + 1) % 3] : keys[who % 3], keys[who % 3]);
    }

    function repeat(uint256 which) external {
        if (ids.length == 0) return;
        GrantHeader memory header = headers[ids[which % ids.length]];
        uint256 key = keyOf(header.subject);
        submit(header, key, key);
    }

    function revoke(uint256 which, uint8 signer, bool direct, bool ahead) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        GrantHeader memory header = headers[id];
        uint256 key = signer % 8 == 7 ? keys[which % 3] : keyOf(header.subject);
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
        Known storage entry = model[id];
        bool mayExist = header.kind == PERMIT || header.kind == DENY || header.kind == REFUSAL;
        bool recorded = entry.subject != 0;
        bool expected = (recorded && entry.revoked != 0)
            || (key == keyOf(header.subject) && (recorded || (ahead && !direct && mayExist)));
        check(accepted == expected, "revocation accepted exactly when it must be");
        if (!accepted || entry.revoked != 0) return;
        if (!recorded) model[id] = Known(header.subject, header.kind, header.epoch, 0, header.notAfter, 0);
        model[id].revoked = block.timestamp;
    }

    function revokeAll(uint8 who, uint32 epochShift, uint8 signer) external {
        uint96 subject = subjects[who % 3];
        uint32 epoch = modelEpoch[subject] + epochShift % 3;
        uint256 key = signer % 8 == 7 ? keys[(uint256(who) + 1) % 3] : keys[who % 3];
        bool accepted;
        VM.recordLogs();
        try registry.revokeAll(subject, epoch, sign(key, revocationOfAll(subject, epoch))) {
            accepted = true;
        } catch {}
        replay();
        bool current = epoch == modelEpoch[subject];
        check(accepted == (!current || key == keys[who % 3]), "revoke-all accepted exactly when it must be");
        if (accepted && current) ++modelEpoch[subject];
    }

    function submit(GrantHeader memory header, uint256 key, uint256 controllerKey) private {
        bytes32 id = grantId(header);
        bool fresh = model[id].subject == 0;
        bool accepted;
        VM.recordLogs();
        try registry.grant(header, sign(key, id)) {
            accepted = true;
        } catch {}
        replay();
        uint256 begins = header.notBefore > block.timestamp ? header.notBefore : block.timestamp;
        Known memory old = model[header.supersedes];
        bool expected = fresh && key == controllerKey && header.epoch == modelEpoch[header.subject]
            && (header.kind == PERMIT || header.kind == DENY || header.kind == REFUSAL) && begins < header.notAfter
            && (header.supersedes == 0 || old.subject == header.subject);
        check(accepted == expected, "grant accepted exactly when it must be");
        remember(id, header);
        if (!accepted) return;
        model[id] = Known(header.subject, header.kind, header.epoch, begins, header.notAfter, 0);
        ++modelCount[header.subject];
        if (header.supersedes != 0 && old.revoked == 0) model[header.supersedes].revoked = block.timestamp;
    }

    /// @dev Also what was refused is remembered, so that it can be revoked ahead or sent again.
    function remember(bytes32 id, GrantHeader memory header) private {
        if (headers[id].subject != 0) return;
        headers[id] = header;
        ids.push(id);
    }

    function keyOf(uint96 subject) private view returns (uint256) {
        return keys[subject - 11];
    }

    /// @dev Rebuild storage from events alone.
    function replay() private {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(registry)) continue;
            bytes32[] memory topics = logs[i].topics;
            uint96 subject = uint96(uint256(topics[topics.length > 2 ? 2 : 1]));
            if (topics[0] == IConsentTypes.SubjectOpened.selector) {
                replayedSubject[uint96(uint256(topics[1]))] = uint256(topics[2]) | 1 << 224;
            } else if (topics[0] == IConsentTypes.ConsentGranted.selector) {
                (replayed[topics[1]],) = abi.decode(logs[i].data, (uint256, bytes32));
                replayedSubject[subject] += 1 << 192;
            } else if (topics[0] == IConsentTypes.ConsentRevoked.selector) {
                replayed[topics[1]] |= abi.decode(logs[i].data, (uint256)) << 136;
            } else if (topics[0] == IConsentTypes.ConsentRevokedAhead.selector) {
                replayed[topics[1]] = abi.decode(logs[i].data, (uint256));
            } else if (topics[0] == IConsentTypes.AllRevoked.selector) {
                uint256 epoch = abi.decode(logs[i].data, (uint32));
                uint256 cleared = replayedSubject[subject] & ~(uint256(type(uint32).max) << 160);
                replayedSubject[subject] = cleared | epoch << 160;
            }
        }
    }
}

contract ConsentInvariants is ConsentBase {
    Actor private actor;

    function setUp() public override {
        actor = new Actor();
        registry = actor.target();
        recovery = registry.RECOVERY();
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(actor);
        targets[0].selectors = new bytes4[](5);
        targets[0].selectors[0] = actor.wait.selector;
        targets[0].selectors[1] = actor.give.selector;
        targets[0].selectors[2] = actor.repeat.selector;
        targets[0].selectors[3] = actor.revoke.selector;
        targets[0].selectors[4] = actor.revokeAll.selector;
    }

    function invariant_storage_equalsModelAndReplayOfEvents() public view {
        uint256 known = actor.known();
        bytes32[] memory ids = new bytes32[](known);
        for (uint256 i = 0; i < known; ++i) {
            ids[i] = actor.ids(i);
        }
        for (uint256 s = 0; s < 3; ++s) {
            uint96 subject = actor.subjects(s);
            (uint256 subjectSlot, uint256[] memory slots) = registry.evidence(subject, ids);
            equal(subjectSlot, actor.replayedSubject(subject), "subject slot replayed");
            equal(uint32(subjectSlot >> 160), actor.modelEpoch(subject), "epoch");
            equal(uint32(subjectSlot >> 192), actor.modelCount(subject), "count");
            if (s > 0) continue;
            for (uint256 i = 0; i < known; ++i) {
                equal(slots[i], actor.replayed(ids[i]), "consent slot replayed");
                agree(ids[i], slots[i]);
            }
        }
    }

    function agree(bytes32 id, uint256 slot) private view {
        (uint96 subject, uint8 kind, uint32 epoch, uint256 begins, uint256 ends, uint256 revoked) = actor.model(id);
        equal(
            slot,
            uint256(subject) | uint256(kind) << 96 | uint256(epoch) << 104 | revoked << 136 | ends << 176
                | begins << 216,
            "slot as the model has it"
        );
        bool live = begins != 0 && begins <= block.timestamp && block.timestamp < ends && revoked == 0
            && (kind != PERMIT || epoch == actor.modelEpoch(subject));
        if (kind != 0) check(registry.isLive(id, kind) == live, "live as the model says");
        check(!registry.isLive(id, 0), "kind zero is never live");
        check(!registry.isLive(id, kind == PERMIT ? DENY : PERMIT), "never of another kind");
    }
}

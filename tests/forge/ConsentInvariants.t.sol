// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentActor} from "./support/ConsentActor.sol";
import {RecoveryActor} from "./support/RecoveryActor.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {VM} from "./support/Vm.sol";

/// @notice Random commands by random people while time passes, against a model and against the events.
contract ConsentInvariants is ConsentBase {
    /// @dev Places of the registry's mappings; the two before belong to OpenZeppelin's EIP712.
    uint256 private constant SUBJECTS = 2;
    uint256 private constant CONSENTS = 3;
    uint256 private constant CUSTODIANS = 4;
    uint256 private constant CAUSES = 5;

    RecoveryActor private actor;

    function setUp() public override {
        actor = new RecoveryActor();
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
        bytes4[11] memory selectors = [
            actor.wait.selector,
            actor.give.selector,
            actor.repeat.selector,
            actor.revoke.selector,
            actor.revokeAll.selector,
            actor.giveByCarer.selector,
            actor.endDelegation.selector,
            actor.propose.selector,
            actor.veto.selector,
            actor.complete.selector,
            actor.wait.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0].addr = address(actor);
        targets[0].selectors = new bytes4[](selectors.length);
        for (uint256 i = 0; i < selectors.length; ++i) {
            targets[0].selectors[i] = selectors[i];
        }
    }

    function invariant_storage_equalsModelAndReplayOfEvents() public view {
        for (uint256 s = 0; s < 3; ++s) {
            uint96 subject = actor.subjects(s);
            uint256 slot = stored(subject, SUBJECTS);
            equal(slot, actor.replayedSubject(subject), "subject slot replayed");
            check(address(uint160(slot)) == VM.addr(actor.modelKey(subject)), "controller");
            equal(uint32(slot >> 160), actor.modelEpoch(subject), "epoch");
            equal(uint32(slot >> 192), actor.modelCount(subject), "count");
            equal(stored(subject, CUSTODIANS), uint256(actor.replayedCustodian(subject)), "custodian replayed");
            bytes32 state = keccak256(abi.encode(recovery.recoveryOf(subject)));
            check(state == actor.replayedRecovery(subject), "recovery replayed");
            check(recovery.isRecoveryPending(subject) == actor.isFrozen(subject), "pending as the model says");
            for (uint256 i = 0; i < 3; ++i) {
                bytes32 delegation = actor.delegations(subject, i);
                equal(uint256(cause(subject, delegation)), actor.modelCause(subject, delegation), "cause");
                equal(
                    cause(subject, delegation), actor.replayedCause(subject, actor.tagOf(delegation)), "cause replayed"
                );
                agree(delegation);
            }
        }
        uint256 known = actor.known();
        for (uint256 i = 0; i < known; ++i) {
            agree(actor.ids(i));
        }
    }

    function agree(bytes32 id) private view {
        ConsentActor.Known memory known = actor.knownOf(id);
        uint256 ended = actor.ended(id);
        agreeOnSlots(id, known, ended);
        if (known.kind == DELEGATION) return;
        bool live = known.begins != 0 && known.begins <= block.timestamp && block.timestamp < known.ends && ended == 0
            && (known.kind != PERMIT || known.epoch == actor.modelEpoch(known.subject));
        if (known.kind != 0) check(registry.isLive(id, known.kind) == live, "live as the model says");
        check(!registry.isLive(id, 0), "kind zero is never live");
        check(!registry.isLive(id, known.kind == PERMIT ? DENY : PERMIT), "never of another kind");
    }

    function agreeOnSlots(bytes32 id, ConsentActor.Known memory known, uint256 ended) private view {
        uint256 rest = uint256(known.subject) | uint256(known.kind) << 96 | uint256(known.epoch) << 104
            | known.ends << 176 | known.begins << 216;
        uint256 mark = known.revoked == 0 && known.given != 0 ? actor.tagOf(known.given) : known.revoked;
        equal(stored(uint256(id), CONSENTS), actor.replayed(id), "consent slot replayed");
        equal(stored(uint256(id), CONSENTS), rest | mark << 136, "slot as the model has it");
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        (, uint256[] memory slots) = registry.evidence(known.subject, ids);
        equal(slots[0], rest | (ended == 0 ? mark : ended) << 136, "evidence as the model has it");
    }

    function cause(uint96 subject, bytes32 delegation) private view returns (uint256) {
        bytes32 inner = keccak256(abi.encode(subject, CAUSES));
        return uint256(VM.load(address(registry), keccak256(abi.encode(actor.tagOf(delegation), inner))));
    }

    function stored(uint256 key, uint256 place) private view returns (uint256) {
        return uint256(VM.load(address(registry), keccak256(abi.encode(key, place))));
    }
}

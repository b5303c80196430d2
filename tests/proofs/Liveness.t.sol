// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentState, DelegationHeader} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentProof} from "./support/ConsentProof.sol";
import {VM} from "./support/Proof.sol";

/// @notice The views of liveness say what the interface says, whatever is stored, at every time.
contract LivenessProof is ConsentProof {
    /// S5, S7, S15, S39
    function check_isLive_isTheRule(bytes32 id, uint8 kind, uint40 time) public {
        _at(time);
        VM.assume(kind != 3);
        uint256 slot = _slot(id);
        assert(registry.isLive(id, kind) == (_kind(slot) == kind && _counts(slot, time)));
    }

    /// S11: the slots lie where the proofs read them, and the views open them as published.
    function check_views_openTheSlots(bytes32 id, uint96 subject, uint40 time) public {
        _at(time);
        uint256 slot = _slot(id);
        VM.assume(!_isTagged(slot));
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        (uint256 subjectSlot, uint256[] memory slots) = registry.evidence(subject, ids);
        assert(subjectSlot == _subjectSlot(subject));
        assert(slots[0] == slot);
        ConsentState memory state = registry.stateOf(id);
        bytes memory published = abi.encodePacked(
            state.notBefore, state.notAfter, state.revokedAt, state.epoch, state.kind, state.subject
        );
        assert(uint256(bytes32(published)) == slot);
    }

    /// S20: a delegation's liveness takes its chain.
    function check_isLive_ofKindDelegation_reverts(bytes32 id) public view {
        try registry.isLive(id, 3) {
            assert(false);
        } catch {}
    }

    /// S7
    function check_areLive_ofOne_saysAsIsLive(bytes32 id, uint8 kind, uint40 time) public {
        _at(time);
        VM.assume(kind != 3);
        // Subject 0 does not exist.
        VM.assume(_epoch(0) == 0);
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        assert(registry.areLive(ids, kind)[0] == registry.isLive(id, kind));
    }

    /// S7: nor does what stands before it change an answer.
    function check_areLive_afterAnother_saysAsIsLive(bytes32 first, bytes32 second, uint8 kind, uint40 time) public {
        _at(time);
        VM.assume(kind != 3);
        VM.assume(_epoch(0) == 0);
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = first;
        ids[1] = second;
        assert(registry.areLive(ids, kind)[1] == registry.isLive(second, kind));
    }

    /// S18, S20: a chain of one link.
    function check_isDelegationLive_isTheRule(DelegationHeader memory link, uint16 powers, uint40 time) public {
        _at(time);
        uint256 slot = _slot(registry.delegationId(link));
        // What is recorded under a delegation's id is never tagged: only permits, denies and refusals are.
        VM.assume(!_isTagged(slot));
        DelegationHeader[] memory chain = new DelegationHeader[](1);
        chain[0] = link;
        bool expected = _subjectOf(slot) == link.subject && _counts(slot, time) && link.parent == 0
            && powers & ~link.powers == 0;
        assert(registry.isDelegationLive(chain, powers) == expected);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader} from "../../contracts/interfaces/IConsentTypes.sol";
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

    /// S20: a delegation's liveness takes its chain.
    function check_isLive_ofKindDelegation_reverts(bytes32 id) public view {
        try registry.isLive(id, 3) {
            assert(false);
        } catch {}
    }

    /// S7
    function check_areLive_sayAsIsLive(bytes32 first, bytes32 second, uint8 kind, uint40 time) public {
        _at(time);
        VM.assume(kind != 3);
        // Subject 0 does not exist.
        VM.assume(_epoch(0) == 0);
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = first;
        ids[1] = second;
        bool[] memory live = registry.areLive(ids, kind);
        assert(live[0] == registry.isLive(first, kind) && live[1] == registry.isLive(second, kind));
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

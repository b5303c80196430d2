// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentSlot, packConsent, tagOf} from "../../contracts/libraries/ConsentSlot.sol";
import {packSubject, SubjectSlot} from "../../contracts/libraries/SubjectSlot.sol";
import {Proof} from "./support/Proof.sol";

/// @notice The two packed words, by the published layout.
contract SlotsProof is Proof {
    /// S11
    function check_consentSlot_packed_hasThePublishedLayout(uint96 s, uint8 k, uint32 e, uint40 begin, uint40 end)
        public
        pure
    {
        ConsentSlot slot = packConsent(s, k, e, begin, end);
        assert(ConsentSlot.unwrap(slot) == uint256(bytes32(abi.encodePacked(begin, end, uint40(0), e, k, s))));
        assert(slot.subject() == s && slot.kind() == k && slot.epoch() == e);
        assert(slot.notBefore() == begin && slot.notAfter() == end);
        assert(slot.revokedAt() == 0 && slot.delegationTag() == 0 && !slot.isRevoked() && !slot.isTagged());
        assert(slot.isRecorded() == (begin != 0));
    }

    /// S11, S14: a revocation changes its own field only.
    function check_consentSlot_revoked_keepsAllOtherFields(uint256 word, uint40 time) public pure {
        _assumeFresh(word, time);
        ConsentSlot slot = ConsentSlot.wrap(word);
        ConsentSlot revoked = slot.revokedIn(time);
        assert(revoked.isRevoked() && revoked.revokedAt() == time && !revoked.isTagged());
        assert(_withoutStamp(ConsentSlot.unwrap(revoked)) == _withoutStamp(word));
        assert(revoked.isRecorded() == slot.isRecorded());
    }

    /// S11, S41: so does the tag of a delegation, and taking it off gives the slot as it was.
    function check_consentSlot_tagged_keepsAllOtherFields(uint256 word, bytes32 delegation) public pure {
        _assumeFresh(word, 1);
        ConsentSlot tagged = ConsentSlot.wrap(word).givenUnder(delegation);
        assert(tagged.isTagged() && !tagged.isRevoked());
        assert(tagged.delegationTag() == tagOf(delegation));
        assert(uint256(tagged.delegationTag()) % 2 ** 39 == uint256(delegation) % 2 ** 39);
        assert(_withoutStamp(ConsentSlot.unwrap(tagged)) == _withoutStamp(word));
        assert(ConsentSlot.unwrap(tagged.untagged()) == word);
    }

    /// S11
    function check_subjectSlot_packed_hasThePublishedLayout(address controller) public pure {
        SubjectSlot slot = packSubject(controller);
        uint256 published = uint256(bytes32(abi.encodePacked(uint32(1), uint32(0), uint32(0), controller)));
        assert(SubjectSlot.unwrap(slot) == published);
        assert(slot.controller() == controller && slot.currentEpoch() == 0 && slot.count() == 0);
        assert(slot.isOpen() && slot.isUndisturbed());
    }

    /// S9, S15, S11: each step changes its own field only.
    function check_subjectSlot_steps_keepAllOtherFields(uint256 word) public pure {
        SubjectSlot slot = SubjectSlot.wrap(word);
        if (slot.count() < type(uint32).max) {
            SubjectSlot counted = slot.counted();
            assert(counted.count() == slot.count() + 1);
            assert(SubjectSlot.unwrap(counted) & ~_mask(192) == word & ~_mask(192));
        }
        if (slot.currentEpoch() < type(uint32).max) {
            SubjectSlot raised = slot.nextEpoch();
            assert(raised.currentEpoch() == slot.currentEpoch() + 1);
            assert(SubjectSlot.unwrap(raised) & ~_mask(160) == word & ~_mask(160));
        }
    }

    /// RC2
    function check_subjectSlot_recoveryStep_keepsEpochCountAndOpening(uint256 word, address controller, bool proposed)
        public
        pure
    {
        SubjectSlot slot = SubjectSlot.wrap(word);
        SubjectSlot stepped = slot.steppedTo(controller, proposed);
        assert(stepped.controller() == controller && _field(SubjectSlot.unwrap(stepped), 225, 1) == (proposed ? 1 : 0));
        assert(stepped.currentEpoch() == slot.currentEpoch() && stepped.count() == slot.count());
        assert(stepped.isOpen() == slot.isOpen());
        assert(SubjectSlot.unwrap(stepped) >> 226 == word >> 226);
    }

    function _mask(uint256 offset) private pure returns (uint256) {
        return uint256(type(uint32).max) << offset;
    }

    function _withoutStamp(uint256 word) private pure returns (uint256) {
        return word & ~(uint256(type(uint40).max) << 136);
    }

    function _assumeFresh(uint256 word, uint40 time) private pure {
        require(_field(word, 136, 40) == 0 && 0 < time && time < END_OF_TIME);
    }
}

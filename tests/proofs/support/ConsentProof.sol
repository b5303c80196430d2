// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "../../../contracts/interfaces/IConsentRegistry.sol";
import {IParticipantRegistry} from "../../../contracts/interfaces/IParticipantRegistry.sol";
import {IRecovery} from "../../../contracts/interfaces/IRecovery.sol";
import {Proof, VM} from "./Proof.sol";

/// @notice The registry, its Recovery and the participants with anything at all in storage, and the rules spelled out
/// by the published layout.
abstract contract ConsentProof is Proof {
    uint40 internal constant DELAY = 3 days;

    IConsentRegistry internal registry;
    IParticipantRegistry internal participants;
    IRecovery internal recovery;

    function setUp() public virtual {
        participants = IParticipantRegistry(_deploy("ParticipantRegistry", abi.encode(address(this), 1 days)));
        registry = IConsentRegistry(_deploy("ConsentRegistry", abi.encode(participants, DELAY)));
        recovery = registry.RECOVERY();
        _anyStorage(address(participants));
        _anyStorage(address(registry));
        _anyStorage(address(recovery));
    }

    /// @dev That these are the places is proved with the views, in `Liveness.t.sol`.
    function _slot(bytes32 id) internal view returns (uint256) {
        return _word(address(registry), _inMapping(id, 3));
    }

    function _subjectSlot(uint96 subject) internal view returns (uint256) {
        return _word(address(registry), _inMapping(bytes32(uint256(subject)), 2));
    }

    /// @dev When the delegation that a slot is tagged with was ended for cause, or zero.
    function _ended(uint256 slot) internal view returns (uint256 time) {
        bytes32 ofSubject = _inMapping(bytes32(uint256(_subjectOf(slot))), 5);
        time = _field(_word(address(registry), keccak256(abi.encode(_stamp(slot), ofSubject))), 0, 40);
        VM.assume(time < END_OF_TIME);
    }

    function _subjectOf(uint256 slot) internal pure returns (uint96) {
        return uint96(_field(slot, 0, 96));
    }

    function _kind(uint256 slot) internal pure returns (uint8) {
        return uint8(_field(slot, 96, 8));
    }

    function _stamp(uint256 slot) internal pure returns (uint256) {
        return _field(slot, 136, 40);
    }

    function _isTagged(uint256 slot) internal pure returns (bool) {
        return _stamp(slot) >= END_OF_TIME;
    }

    /// @dev The date, whether it stands in the slot or follows from the delegation that gave it.
    function _revokedAt(uint256 slot) internal view returns (uint256) {
        if (!_isTagged(slot)) return _stamp(slot);
        return _kind(slot) == 1 ? _ended(slot) : 0;
    }

    function _epoch(uint96 subject) internal view returns (uint256) {
        return _field(_subjectSlot(subject), 160, 32);
    }

    function _controller(uint96 subject) internal view returns (address) {
        return address(uint160(_subjectSlot(subject)));
    }

    function _isOpened(uint96 subject) internal view returns (bool) {
        return _field(_subjectSlot(subject), 224, 1) == 1;
    }

    /// @dev What the interface says "live" means, one sentence a line.
    function _counts(uint256 slot, uint256 time) internal view returns (bool) {
        if (_field(slot, 216, 40) == 0) return false;
        if (time < _field(slot, 216, 40)) return false;
        if (time >= _field(slot, 176, 40)) return false;
        if (_revokedAt(slot) != 0) return false;
        bool endsWithEpoch = _kind(slot) == 1 || _kind(slot) == 3;
        return !endsWithEpoch || _field(slot, 104, 32) == _epoch(_subjectOf(slot));
    }
}

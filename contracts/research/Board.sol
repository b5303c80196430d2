// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IResearchMarket} from "../interfaces/IResearchMarket.sol";
import {Approval, MarketTerms} from "../interfaces/IResearchTypes.sol";
import {Roles} from "../libraries/Roles.sol";
import {Signatures} from "../libraries/Signatures.sol";

/// @notice What a deployment fixes, and who decides for the ethics board.
abstract contract Board is IResearchMarket, EIP712 {
    IParticipantRegistry public immutable PARTICIPANTS;

    uint8 internal immutable BOARD_THRESHOLD;
    uint32 internal immutable OBJECTION_SECONDS;
    uint32 internal immutable SETTLEMENT_SECONDS;
    uint32 internal immutable CLAIM_SECONDS;
    uint32 internal immutable GRACE_SECONDS;

    constructor(IParticipantRegistry participants, MarketTerms memory terms) EIP712("Assent Research", "1") {
        if (terms.boardThreshold == 0) revert ThresholdZero();
        if (terms.claimSeconds == 0) revert ClaimWindowZero();
        PARTICIPANTS = participants;
        BOARD_THRESHOLD = terms.boardThreshold;
        OBJECTION_SECONDS = terms.objectionSeconds;
        SETTLEMENT_SECONDS = terms.settlementSeconds;
        CLAIM_SECONDS = terms.claimSeconds;
        GRACE_SECONDS = terms.graceSeconds;
    }

    /// @inheritdoc IResearchMarket
    function marketTerms() external view returns (MarketTerms memory) {
        return MarketTerms(BOARD_THRESHOLD, OBJECTION_SECONDS, SETTLEMENT_SECONDS, CLAIM_SECONDS, GRACE_SECONDS);
    }

    /// @dev A member has one account in standing at a time, so distinct accounts are distinct members.
    function _requireDecision(bytes32 command, Approval[] calldata approvals)
        internal
        view
        returns (address[] memory members)
    {
        if (approvals.length < BOARD_THRESHOLD) revert ApprovalsTooFew(approvals.length, BOARD_THRESHOLD);
        members = new address[](approvals.length);
        address last = address(0);
        for (uint256 i = 0; i < approvals.length; ++i) {
            address member = approvals[i].member;
            if (member <= last) revert ApprovalsNotAscending(member);
            _requireBoardMember(member);
            _requireSigned(member, command, approvals[i].signature);
            members[i] = member;
            last = member;
        }
    }

    function _requireBoardMember(address member) internal view {
        // The registry is ours, and the sender chooses how many members to show.
        // slither-disable-next-line calls-loop
        if (!PARTICIPANTS.hasRole(member, Roles.ETHICS_BOARD)) revert NotEthicsBoard(member);
    }

    function _requireSigned(address signer, bytes32 command, bytes calldata signature) internal view {
        if (msg.sender == signer) return;
        if (!Signatures.isBy(signer, _hashTypedDataV4(command), signature)) revert SignatureInvalid(signer);
    }
}

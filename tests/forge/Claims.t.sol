// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowTerms, IResearchTypes, Payment} from "../../contracts/interfaces/IResearchTypes.sol";
import {MarketBase} from "./support/MarketBase.sol";
import {Trees} from "./support/Trees.sol";
import {Vm, VM} from "./support/Vm.sol";

/// @notice Who is paid, once.
contract ClaimsTest is MarketBase {
    function test_claim_submittedByAnyone_paysTheAccountInTheLeaf() public {
        (bytes32 round, Payment[] memory payments) = opened();
        VM.prank(STRANGER);
        market.claim(escrowTerms(), RESULT, payments[2], Trees.proofOf(round, payments, 2));
        equal(token.balanceOf(payee(2)), 100, "paid");
        equal(market.payoutOf(round).remaining, 400, "no longer owed");
        check(market.isClaimed(round, 2) && !market.isClaimed(round, 3), "its index");
        check(market.studyOfPayee(payee(2)) == STUDY, "bound");
    }

    function test_claim_twice_refused() public {
        (bytes32 round, Payment[] memory payments) = opened();
        claim(round, payments, 0);
        bytes32[] memory proof = Trees.proofOf(round, payments, 0);
        refuses(IResearchTypes.AlreadyClaimed.selector, round, 0);
        market.claim(escrowTerms(), RESULT, payments[0], proof);
        equal(token.balanceOf(payee(0)), 100, "once");
    }

    function test_claim_outsideItsWindow_refused() public {
        (bytes32 round, Payment[] memory payments) = proposed();
        bytes32[] memory proof = Trees.proofOf(round, payments, 0);
        VM.warp(NOW + 3 days - 1);
        refuses(IResearchTypes.PayoutNotOpen.selector, round, NOW + 3 days);
        market.claim(escrowTerms(), RESULT, payments[0], proof);
        VM.warp(NOW + 183 days);
        refuses(IResearchTypes.PayoutOver.selector, round, NOW + 183 days);
        market.claim(escrowTerms(), RESULT, payments[0], proof);
        bytes32 other = market.roundIdOf(market.escrowIdOf(escrowTerms()), "other");
        refuses(IResearchTypes.PayoutUnknown.selector, other);
        market.claim(escrowTerms(), "other", payments[0], proof);
    }

    function test_claim_anyFieldOrHashChanged_refused(uint8 field, uint256 change) public {
        (bytes32 round, Payment[] memory payments) = opened();
        VM.assume(change != 0);
        Payment memory p = payments[3];
        bytes32[] memory proof = Trees.proofOf(round, payments, 3);
        uint256 kind = field % 6;
        if (kind == 0) p.index = p.index ^ (change | 1 << 200);
        if (kind == 1) p.account = address(uint160(p.account) ^ uint160(change % 65535 + 1));
        if (kind == 2) p.amount = p.amount ^ change;
        if (kind == 3) p.salt = bytes32(uint256(p.salt) ^ change);
        if (kind == 4) proof[change % proof.length] ^= bytes32(change);
        if (kind == 5) proof = new bytes32[](change % 4);
        refuses(IResearchTypes.ProofInvalid.selector, round, p.index);
        market.claim(escrowTerms(), RESULT, p, proof);
    }

    function test_claim_leafOfAnotherRound_refused() public {
        (bytes32 round, Payment[] memory payments) = opened();
        commit(STUDY, "second");
        bytes32 root = Trees.rootOf(round, payments);
        VM.prank(HOSPITAL);
        bytes32 second = market.proposePayout(escrowTerms(), "second", root, 500);
        VM.warp(NOW + 6 days);
        bytes32[] memory proof = Trees.proofOf(round, payments, 0);
        refuses(IResearchTypes.ProofInvalid.selector, second, 0);
        market.claim(escrowTerms(), "second", payments[0], proof);
    }

    function test_claim_treeThatOwesMoreThanItsTotal_paysNoMore() public {
        permit(STUDY);
        fund(escrowTerms(), 1000);
        commit(STUDY, RESULT);
        Payment[] memory payments = paymentsOf(2, 300);
        bytes32 round = market.roundIdOf(market.escrowIdOf(escrowTerms()), RESULT);
        bytes32 root = Trees.rootOf(round, payments);
        VM.prank(HOSPITAL);
        market.proposePayout(escrowTerms(), RESULT, root, 500);
        VM.warp(NOW + 3 days);
        claim(round, payments, 0);
        bytes32[] memory proof = Trees.proofOf(round, payments, 1);
        refusesNumbers(IResearchTypes.PayoutExhausted.selector, 300, 200);
        market.claim(escrowTerms(), RESULT, payments[1], proof);
        equal(token.balanceOf(address(market)), 700, "the rest of the escrow is not touched");
    }

    function test_claim_toAnAccountOfAnotherStudy_refused_sameStudyAgainPaid() public {
        (bytes32 round, Payment[] memory payments) = opened();
        claimAll(round, payments);
        bytes32 second = nextRound(STUDY, "second", payments);
        EscrowTerms memory terms = escrowTerms();
        market.claim(terms, "second", payments[0], Trees.proofOf(second, payments, 0));
        equal(token.balanceOf(payee(0)), 200, "same study again");
        permit(OTHER_STUDY);
        terms.study = OTHER_STUDY;
        bytes32 third = nextRound(OTHER_STUDY, "third", payments);
        bytes32[] memory proof = Trees.proofOf(third, payments, 0);
        refuses(IResearchTypes.AccountOfAnotherStudy.selector, payee(0));
        market.claim(terms, "third", payments[0], proof);
    }

    function test_claim_toADonationAccount_anyStudy_onlyIfTheBoardNamedIt() public {
        refuses(IResearchTypes.RecipientInvalid.selector, address(0));
        market.nameDonation(address(0), approvals(donation(address(0))));
        market.nameDonation(CHARITY, approvals(donation(CHARITY)));
        check(market.isDonation(CHARITY) && !market.isDonation(STRANGER), "named");
        permit(STUDY);
        permit(OTHER_STUDY);
        Payment[] memory payments = paymentsOf(2, 100);
        payments[0].account = CHARITY;
        bytes32 first = nextRound(STUDY, "first", payments);
        bytes32 second = nextRound(OTHER_STUDY, "second", payments);
        EscrowTerms memory terms = escrowTerms();
        market.claim(terms, "first", payments[0], Trees.proofOf(first, payments, 0));
        terms.study = OTHER_STUDY;
        market.claim(terms, "second", payments[0], Trees.proofOf(second, payments, 0));
        equal(token.balanceOf(CHARITY), 200, "paid by both");
        check(market.studyOfPayee(CHARITY) == 0, "bound to none");
    }

    function test_claim_toAMemberTheMarketOrNobody_refused() public {
        permit(STUDY);
        Payment[] memory payments = paymentsOf(3, 100);
        payments[0].account = CLINIC;
        payments[1].account = address(market);
        payments[2].account = address(0);
        bytes32 round = nextRound(STUDY, RESULT, payments);
        bytes32[][] memory proofs = proofsOf(round, payments);
        EscrowTerms memory terms = escrowTerms();
        refuses(IResearchTypes.AccountOfMember.selector, CLINIC);
        market.claim(terms, RESULT, payments[0], proofs[0]);
        refuses(IResearchTypes.RecipientInvalid.selector, address(market));
        market.claim(terms, RESULT, payments[1], proofs[1]);
        refuses(IResearchTypes.RecipientInvalid.selector, address(0));
        market.claim(terms, RESULT, payments[2], proofs[2]);
    }

    function test_claimBatch_badItems_harmOnlyThemselves() public {
        (bytes32 round, Payment[] memory payments) = opened();
        bytes32[][] memory proofs = proofsOf(round, payments);
        payments[1].amount = 101;
        payments[3] = payments[2];
        proofs[3] = proofs[2];
        VM.recordLogs();
        market.claimBatch(escrowTerms(), RESULT, payments, proofs);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(rejected(logs, 1), uint32(IResearchTypes.ProofInvalid.selector), "the changed one");
        equal(rejected(logs, 2), uint32(IResearchTypes.AlreadyClaimed.selector), "the repeated one");
        equal(token.balanceOf(payee(0)) + token.balanceOf(payee(2)) + token.balanceOf(payee(4)), 300, "the others");
        check(!market.isClaimed(round, 1), "may still be claimed");
    }

    function test_claimBatch_lengthsDiffer_refused() public {
        refusesNumbers(IResearchTypes.BatchLengthsDiffer.selector, 2, 1);
        market.claimBatch(escrowTerms(), RESULT, new Payment[](2), new bytes32[][](1));
    }

    function test_claim_whileTheStudyIsSuspendedRevokedOrOver_paysWhatIsOwed() public {
        (bytes32 round, Payment[] memory payments) = opened();
        VM.prank(BOARD);
        market.suspendStudy(STUDY, 0, BOARD, "");
        claim(round, payments, 0);
        market.revokeStudy(STUDY, approvals(revocation(STUDY)));
        claim(round, payments, 1);
        VM.startPrank(OPERATOR);
        participants.remove(HOSPITAL_ID);
        participants.remove("researcher");
        VM.stopPrank();
        VM.warp(NOW + 100 days);
        claim(round, payments, 2);
        equal(token.balanceOf(payee(2)), 100, "nobody's standing matters");
    }

    function test_claim_treesOfAnySize_everyLeafOnce(uint8 size, uint64 amount, uint8 which) public {
        uint256 count = uint256(size) % 40 + 1;
        permit(STUDY);
        Payment[] memory payments = paymentsOf(count, amount);
        payments[0].amount = uint256(amount) + 1;
        bytes32 round = nextRound(STUDY, RESULT, payments);
        uint256 chosen = which % count;
        claim(round, payments, chosen);
        equal(token.balanceOf(payee(chosen)), payments[chosen].amount, "exactly its amount");
        claimAll(round, payments);
        equal(market.payoutOf(round).remaining, 0, "all paid");
        equal(token.balanceOf(address(market)), 0, "to the last unit");
    }

    function nextRound(bytes32 study, bytes32 result, Payment[] memory payments) private returns (bytes32 round) {
        EscrowTerms memory terms = escrowTerms();
        terms.study = study;
        fund(terms, totalOf(payments));
        commit(study, result);
        round = propose(terms, result, payments);
        VM.warp(market.payoutOf(round).opensAt);
    }

    /// @dev The selector in the last ClaimRejected event of this index.
    function rejected(Vm.Log[] memory logs, uint256 wanted) private pure returns (uint256 selector) {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IResearchTypes.ClaimRejected.selector) continue;
            (uint256 index, bytes memory reason) = abi.decode(logs[i].data, (uint256, bytes));
            if (index == wanted) selector = uint32(bytes4(reason));
        }
    }
}

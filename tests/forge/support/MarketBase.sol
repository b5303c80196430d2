// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Approval, EscrowTerms, Payment} from "../../../contracts/interfaces/IResearchTypes.sol";
import {IResearchMarket} from "../../../contracts/interfaces/IResearchMarket.sol";
import {Base} from "./Base.sol";
import {Token} from "./Tokens.sol";
import {Trees} from "./Trees.sol";
import {VM} from "./Vm.sol";

/// @notice A study with its board of three (two decide), a researcher with money, and trees of payments.
abstract contract MarketBase is Base {
    bytes32 internal constant STUDY = keccak256("study");
    bytes32 internal constant OTHER_STUDY = keccak256("other study");
    bytes32 internal constant RULES = keccak256("rules");
    bytes32 internal constant RESULT = keccak256("result");
    uint256 internal constant SECOND_KEY = 0xb0a4e;
    uint256 internal constant THIRD_KEY = 0xb0a4f;
    uint256 internal constant RESEARCHER_KEY = 0x4e5ea4c;
    address internal immutable RESEARCHER = VM.addr(RESEARCHER_KEY);
    address internal constant CHARITY = address(0xc4a417);
    uint40 internal constant END = NOW + 365 days;

    Token internal token;

    function setUp() public virtual override {
        super.setUp();
        token = new Token();
        VM.startPrank(OPERATOR);
        participants.admit("second", VM.addr(SECOND_KEY), 8, NOW + 3650 days, 0, 0);
        participants.admit("third", VM.addr(THIRD_KEY), 8, NOW + 3650 days, 0, 0);
        participants.admit("researcher", RESEARCHER, 4, NOW + 3650 days, 0, 0);
        VM.stopPrank();
    }

    function escrowTerms() internal view returns (EscrowTerms memory) {
        return EscrowTerms(STUDY, HOSPITAL_ID, RESEARCHER, address(token));
    }

    function permit(bytes32 study) internal {
        permit(study, NOW, END);
    }

    function permit(bytes32 study, uint40 notBefore, uint40 notAfter) internal {
        bytes32 command = permitCommand(study, RULES, notBefore, notAfter, FOREVER);
        market.permitStudy(study, RULES, notBefore, notAfter, FOREVER, approvals(command));
    }

    function fund(EscrowTerms memory terms, uint256 amount) internal {
        Token(terms.token).mint(terms.funder, amount);
        deposit(terms, amount);
    }

    function deposit(EscrowTerms memory terms, uint256 amount) internal {
        VM.prank(terms.funder);
        // Some tokens answer nothing.
        (bool success,) = terms.token.call(abi.encodeCall(token.approve, (address(market), amount)));
        check(success, "allowed");
        VM.prank(terms.funder);
        market.fund(terms, amount);
    }

    function commit(bytes32 study, bytes32 result) internal {
        VM.prank(HOSPITAL);
        market.commitResult(study, RULES, result);
    }

    function propose(EscrowTerms memory terms, bytes32 result, Payment[] memory payments)
        internal
        returns (bytes32 round)
    {
        round = market.roundIdOf(market.escrowIdOf(terms), result);
        bytes32 root = Trees.rootOf(round, payments);
        uint128 total = totalOf(payments);
        VM.prank(HOSPITAL);
        market.proposePayout(terms, result, root, total);
    }

    /// @dev Permitted, funded with 1,000, a result committed, a payout of 100 each to five accounts proposed.
    function proposed() internal returns (bytes32 round, Payment[] memory payments) {
        permit(STUDY);
        fund(escrowTerms(), 1000);
        commit(STUDY, RESULT);
        payments = paymentsOf(5, 100);
        round = propose(escrowTerms(), RESULT, payments);
    }

    function opened() internal returns (bytes32 round, Payment[] memory payments) {
        (round, payments) = proposed();
        VM.warp(NOW + 3 days);
    }

    function claim(bytes32 round, Payment[] memory payments, uint256 which) internal {
        market.claim(escrowTerms(), RESULT, payments[which], Trees.proofOf(round, payments, which));
    }

    function claimAll(bytes32 round, Payment[] memory payments) internal {
        market.claimBatch(escrowTerms(), RESULT, payments, proofsOf(round, payments));
    }

    function proofsOf(bytes32 round, Payment[] memory payments) internal pure returns (bytes32[][] memory proofs) {
        proofs = new bytes32[][](payments.length);
        for (uint256 i = 0; i < payments.length; ++i) {
            proofs[i] = Trees.proofOf(round, payments, i);
        }
    }

    function paymentsOf(uint256 count, uint256 amount) internal pure returns (Payment[] memory payments) {
        payments = new Payment[](count);
        for (uint256 i = 0; i < count; ++i) {
            payments[i] = Payment(i, payee(i), amount, keccak256(abi.encode("salt", i)));
        }
    }

    function payee(uint256 i) internal pure returns (address) {
        return address(uint160(0xacc0000 + i));
    }

    function totalOf(Payment[] memory payments) internal pure returns (uint128 total) {
        for (uint256 i = 0; i < payments.length; ++i) {
            total += uint128(payments[i].amount);
        }
    }

    function available(EscrowTerms memory terms) internal view returns (uint256 amount) {
        (amount,) = market.escrowOf(market.escrowIdOf(terms));
    }

    function refuses(bytes4 selector) internal {
        VM.expectRevert(abi.encodeWithSelector(selector));
    }

    function refuses(bytes4 selector, bytes32 a) internal {
        VM.expectRevert(abi.encodeWithSelector(selector, a));
    }

    function refuses(bytes4 selector, bytes32 a, uint256 b) internal {
        VM.expectRevert(abi.encodeWithSelector(selector, a, b));
    }

    function refusesHashes(bytes4 selector, bytes32 a, bytes32 b) internal {
        VM.expectRevert(abi.encodeWithSelector(selector, a, b));
    }

    function refuses(bytes4 selector, address a) internal {
        VM.expectRevert(abi.encodeWithSelector(selector, a));
    }

    function refuses(bytes4 selector, address a, bytes32 b) internal {
        VM.expectRevert(abi.encodeWithSelector(selector, a, b));
    }

    function refusesNumbers(bytes4 selector, uint256 a, uint256 b) internal {
        VM.expectRevert(abi.encodeWithSelector(selector, a, b));
    }

    // What is signed, written from the interface.

    function permitCommand(bytes32 study, bytes32 rules, uint40 notBefore, uint40 notAfter, uint40 submitBy)
        internal
        pure
        returns (bytes32)
    {
        bytes32 kind = keccak256(
            "PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)"
        );
        return keccak256(abi.encode(kind, study, rules, notBefore, notAfter, submitBy));
    }

    function refusal(bytes32 study) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("RefuseStudy(bytes32 study)"), study));
    }

    function revocation(bytes32 study) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("RevokeStudy(bytes32 study)"), study));
    }

    function suspension(bytes32 study, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("SuspendStudy(bytes32 study,uint32 round)"), study, round));
    }

    function resumption(bytes32 study, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("ResumeStudy(bytes32 study,uint32 round)"), study, round));
    }

    function donation(address account) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("NameDonation(address account)"), account));
    }

    function objection(bytes32 round, uint32 attempt) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("ObjectToPayout(bytes32 round,uint32 attempt)"), round, attempt));
    }

    function settlement(bytes32 round, uint32 attempt, bool stands) internal pure returns (bytes32) {
        bytes32 kind = keccak256("SettlePayout(bytes32 round,uint32 attempt,bool stands)");
        return keccak256(abi.encode(kind, round, attempt, stands));
    }

    function sign(uint256 key, bytes32 command) internal view returns (bytes memory) {
        return signDigest(key, typed(domain("Assent Research", address(market)), command));
    }

    function approvals(bytes32 command) internal view returns (Approval[] memory) {
        return approvalsBy(BOARD_KEY, SECOND_KEY, command);
    }

    function approvalsBy(uint256 a, uint256 b, bytes32 command) internal view returns (Approval[] memory given) {
        if (VM.addr(a) > VM.addr(b)) (a, b) = (b, a);
        given = new Approval[](2);
        given[0] = Approval(VM.addr(a), sign(a, command));
        given[1] = Approval(VM.addr(b), sign(b, command));
    }

    function approvalBy(uint256 key, bytes32 command) internal view returns (Approval[] memory given) {
        given = new Approval[](1);
        given[0] = Approval(VM.addr(key), sign(key, command));
    }
}

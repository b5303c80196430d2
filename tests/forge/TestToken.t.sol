// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {ITestToken} from "../../contracts/interfaces/ITestToken.sol";
import {MarketBase} from "./support/MarketBase.sol";
import {Token} from "./support/Tokens.sol";
import {Deploy} from "./support/Deploy.sol";
import {Payment} from "../../contracts/interfaces/IResearchTypes.sol";
import {VM} from "./support/Vm.sol";

/// @notice Play money is issued by one account, once under each id, on embedded chains only.
contract TestTokenTest is MarketBase {
    address private constant ISSUER = address(0x155e4);
    uint256 private constant EMBEDDED = 1 << 40;

    ITestToken private play;

    function setUp() public override {
        super.setUp();
        VM.chainId(EMBEDDED);
        play = Deploy.testToken(ISSUER);
    }

    function test_testToken_saysThatItIsWorthNothing() public view {
        IERC20Metadata told = IERC20Metadata(address(play));
        check(keccak256(bytes(told.name())) == keccak256("Assent Test Token (no value)"), "another name");
        check(keccak256(bytes(told.symbol())) == keccak256("TEST"), "another symbol");
        equal(told.decimals(), 2, "hundredths");
    }

    function test_testToken_onAnyOtherChain_isNotMade() public {
        for (uint256 id = 1; id < EMBEDDED; id = id * 3 + 1) {
            refusedOn(id);
        }
        refusedOn(EMBEDDED - 1);
    }

    function test_issue_byTheIssuer_onceUnderEachId() public {
        check(!play.isIssued("one"), "too early");
        VM.prank(ISSUER);
        play.issue("one", RESEARCHER, 500);
        check(play.isIssued("one"), "not noted");
        VM.prank(ISSUER);
        VM.expectRevert(abi.encodeWithSelector(ITestToken.AlreadyIssued.selector, bytes32("one")));
        play.issue("one", RESEARCHER, 500);
        VM.prank(ISSUER);
        play.issue("two", RESEARCHER, 7);
        equal(play.balanceOf(RESEARCHER), 507, "each id once");
        equal(play.totalSupply(), 507, "nothing beside");
    }

    function test_issue_byAnyoneElse_refused(address who) public {
        VM.assume(who != ISSUER);
        VM.prank(who);
        VM.expectRevert(abi.encodeWithSelector(ITestToken.NotIssuer.selector, who));
        play.issue("one", who, 500);
    }

    function test_testToken_servesTheMarket_fromDepositToClaimsAndRefund() public {
        VM.chainId(31337);
        token = Token(address(play));
        permit(STUDY);
        VM.prank(ISSUER);
        play.issue("one", RESEARCHER, 1000);
        deposit(escrowTerms(), 1000);
        commit(STUDY, RESULT);
        Payment[] memory payments = paymentsOf(5, 100);
        bytes32 round = propose(escrowTerms(), RESULT, payments);
        VM.warp(NOW + 3 days);
        claimAll(round, payments);
        VM.warp(END + 30 days);
        market.refund(escrowTerms(), RESEARCHER);
        equal(play.balanceOf(payee(0)), 100, "paid");
        equal(play.balanceOf(RESEARCHER), 500, "and the rest back");
    }

    function refusedOn(uint256 id) private {
        VM.chainId(id);
        VM.expectRevert(abi.encodeWithSelector(ITestToken.NotEmbedded.selector, id));
        Deploy.testToken(ISSUER);
    }
}

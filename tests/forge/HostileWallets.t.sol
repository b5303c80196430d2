// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {Signatures} from "../../contracts/libraries/Signatures.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {VM} from "./support/Vm.sol";
import {
    BurningWallet,
    DirtyWallet,
    FickleWallet,
    FloodingWallet,
    HonestWallet,
    LoopingWallet,
    ReentrantWallet,
    ShortWallet
} from "./support/Wallets.sol";

contract HostileWalletsTest is ConsentBase {
    HonestWallet private wallet;

    function setUp() public override {
        super.setUp();
        wallet = new HonestWallet();
        // A subject whose controller is an account that can be given any contract's code.
        open(OTHER, STRANGER_KEY);
    }

    function test_honestWallet_everyWayIn_works() public {
        VM.etch(STRANGER, address(wallet).code);
        HonestWallet mine = HonestWallet(STRANGER);
        GrantHeader memory header = othersHeader(1);
        bytes32 id = grantId(header);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, STRANGER));
        registry.grant(header, "");
        mine.confirm(digest(id));
        registry.grant(header, "");
        check(registry.isLive(id, PERMIT), "relayed");
        mine.confirm(digest(revocation(id)));
        registry.revoke(id, "");
        check(!registry.isLive(id, PERMIT), "revoked");
        mine.run(address(registry), abi.encodeCall(registry.grantDirect, (othersHeader(2))));
        check(registry.isLive(grantId(othersHeader(2)), PERMIT), "direct");
        mine.confirm(digest(revocationOfAll(OTHER, 0)));
        registry.revokeAll(OTHER, 0, "");
        equal(epochOf(OTHER), 1, "revoke-all");
    }

    function test_walletInABatch_rejectedAlone() public {
        VM.etch(STRANGER, address(wallet).code);
        HonestWallet(STRANGER).confirm(digest(grantId(othersHeader(1))));
        GrantHeader[] memory headers = new GrantHeader[](2);
        bytes[] memory signatures = new bytes[](2);
        headers[0] = othersHeader(1);
        headers[1] = permitHeader(1);
        signatures[1] = sign(PATIENT_KEY, grantId(headers[1]));
        registry.grantBatch(headers, signatures);
        equal(countOf(OTHER), 0, "wallets do not go in batches");
        equal(countOf(SUBJECT), 1, "the others go through");
    }

    function test_burningWallets_costAtMostTheCap() public {
        address[3] memory burners =
            [address(new BurningWallet()), address(new LoopingWallet()), address(new FloodingWallet())];
        for (uint256 i = 0; i < 3; ++i) {
            VM.etch(STRANGER, burners[i].code);
            uint256 before = gasleft();
            VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, STRANGER));
            registry.grant(othersHeader(1), "");
            check(before - gasleft() < Signatures.WALLET_GAS + 60_000, "bounded");
        }
    }

    function test_malformedAnswers_readAsNo() public {
        address[2] memory liars = [address(new ShortWallet()), address(new DirtyWallet())];
        for (uint256 i = 0; i < 2; ++i) {
            VM.etch(STRANGER, liars[i].code);
            VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, STRANGER));
            registry.grant(othersHeader(1), "");
        }
    }

    function test_reentrantWallet_changesNothing() public {
        VM.etch(STRANGER, address(new ReentrantWallet()).code);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, STRANGER));
        registry.grant(othersHeader(1), "");
        equal(epochOf(OTHER), 0, "epoch");
        equal(countOf(OTHER), 0, "count");
    }

    function test_fickleWallet_onlyTheAnswerAtRecordingCounts() public {
        VM.etch(STRANGER, address(new FickleWallet()).code);
        bytes32 id = registry.grant(othersHeader(1), "");
        FickleWallet(STRANGER).refuse();
        check(registry.isLive(id, PERMIT), "stays recorded");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, STRANGER));
        registry.grant(othersHeader(2), "");
        VM.prank(STRANGER);
        registry.revokeDirect(id);
        check(!registry.isLive(id, PERMIT), "its account can still revoke");
    }

    function test_destroyedWallet_readsAsNo() public {
        VM.etch(STRANGER, address(new FickleWallet()).code);
        registry.grant(othersHeader(1), "");
        VM.etch(STRANGER, "");
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, STRANGER));
        registry.grant(othersHeader(2), "");
    }

    function test_accountWithCodeAndKey_keyStillSigns() public {
        VM.etch(STRANGER, address(new BurningWallet()).code);
        GrantHeader memory header = othersHeader(1);
        registry.grant(header, sign(STRANGER_KEY, grantId(header)));
        check(registry.isLive(grantId(header), PERMIT), "ECDSA is tried first");
    }

    function othersHeader(uint256 salt) private pure returns (GrantHeader memory header) {
        header = permitHeader(salt);
        header.subject = OTHER;
    }
}

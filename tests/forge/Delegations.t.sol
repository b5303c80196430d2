// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {VM} from "./support/Vm.sol";

contract DelegationsTest is ConsentBase {
    function test_delegate_signedByController_isLiveAndCounted() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 5);
        check(registry.delegationId(carer) == delegationId(carer), "id is the struct hash");
        check(registry.isDelegationLive(chainOf(carer), 5), "live with its powers");
        check(!registry.isDelegationLive(chainOf(carer), 2), "without others");
        equal(countOf(SUBJECT), 1, "count");
    }

    function test_isLive_ofKindDelegation_asksForTheChain() public {
        bytes32 id = delegationId(delegated(CARER_KEY, 5));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ChainNeeded.selector, DELEGATION));
        registry.isLive(id, DELEGATION);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ChainNeeded.selector, DELEGATION));
        registry.areLive(new bytes32[](0), DELEGATION);
    }

    function test_delegateDirect_controllerSends_recorded() public {
        DelegationHeader memory carer = delegationHeader(CARER, 1);
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotController.selector, SUBJECT, STRANGER));
        registry.delegateDirect(carer);
        VM.prank(PATIENT);
        registry.delegateDirect(carer);
        check(registry.isDelegationLive(chainOf(carer), 1), "live");
    }

    function test_delegate_malformed_refused() public {
        DelegationHeader memory bad = delegationHeader(CARER, 1);
        bad.kind = PERMIT;
        refused(bad, abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, PERMIT));
        bad = delegationHeader(address(0), 1);
        refused(bad, abi.encodeWithSelector(IConsentTypes.DelegateZero.selector));
        bad = delegationHeader(CARER, 0);
        refused(bad, abi.encodeWithSelector(IConsentTypes.PowersInvalid.selector, uint16(0)));
        bad = delegationHeader(CARER, 16);
        refused(bad, abi.encodeWithSelector(IConsentTypes.PowersInvalid.selector, uint16(16)));
        bad = delegationHeader(CARER, 1);
        bad.depth = 4;
        refused(bad, abi.encodeWithSelector(IConsentTypes.DepthInvalid.selector, uint8(4), uint8(3)));
        bad = delegationHeader(CARER, 1);
        bad.parent = keccak256("parent");
        refused(bad, abi.encodeWithSelector(IConsentTypes.ParentInvalid.selector, bad.parent));
        bad = delegationHeader(CARER, 1);
        bad.epoch = 3;
        refused(bad, abi.encodeWithSelector(IConsentTypes.EpochNotCurrent.selector, uint32(3), uint32(0)));
    }

    function test_subdelegate_narrower_recordedAndUsable() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        DelegationHeader memory nurse = child(carer, NURSE, 1);
        below(nurse, chainOf(carer), CARER_KEY);
        check(registry.isDelegationLive(chainOf(nurse, carer), 1), "live");
        GrantHeader memory header = permitHeader(1);
        bytes memory signature = sign(NURSE_KEY, delegatedGrant(grantId(header), delegationId(nurse)));
        registry.grantByDelegate(header, chainOf(nurse, carer), signature);
        check(registry.isLive(grantId(header), PERMIT), "the sub-delegate's grant");
        equal(countOf(SUBJECT), 3, "count");
    }

    function test_subdelegate_wider_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 1 | 8);
        DelegationHeader[] memory chain = chainOf(carer);
        DelegationHeader memory nurse = child(carer, NURSE, 2);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(2), uint16(9)));
        this.below(nurse, chain, CARER_KEY);
        nurse = child(carer, NURSE, 1);
        nurse.depth = carer.depth;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.DepthInvalid.selector, carer.depth, carer.depth));
        this.below(nurse, chain, CARER_KEY);
        nurse = child(carer, NURSE, 1);
        nurse.notAfter = carer.notAfter + 1;
        VM.expectRevert(
            abi.encodeWithSelector(IConsentTypes.OutlivesDelegation.selector, nurse.notAfter, carer.notAfter)
        );
        this.below(nurse, chain, CARER_KEY);
        nurse = child(carer, NURSE, 1);
        nurse.kind = GUARDIANSHIP;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, GUARDIANSHIP));
        this.below(nurse, chain, CARER_KEY);
        nurse = child(carer, NURSE, 1);
        nurse.parent = 0;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ParentInvalid.selector, bytes32(0)));
        this.below(nurse, chain, CARER_KEY);
        DelegationHeader memory weak = delegated(GUARDIAN_KEY, 1);
        nurse = child(weak, NURSE, 1);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(8), uint16(1)));
        this.below(nurse, chainOf(weak), GUARDIAN_KEY);
    }

    function test_chain_brokenOrIncomplete_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        DelegationHeader memory nurse = child(carer, NURSE, 1);
        below(nurse, chainOf(carer), CARER_KEY);
        check(!registry.isDelegationLive(chainOf(nurse), 1), "parent missing");
        check(!registry.isDelegationLive(chainOf(nurse, delegated(GUARDIAN_KEY, 1)), 1), "another's parent");
        check(!registry.isDelegationLive(chainOf(carer, nurse), 1), "wrong order");
        check(!registry.isDelegationLive(new DelegationHeader[](0), 0), "empty");
        check(!registry.isDelegationLive(new DelegationHeader[](5), 0), "too long");
        nurse.powers = 15;
        check(!registry.isDelegationLive(chainOf(nurse, carer), 1), "changed header");
    }

    function test_chain_parentEnded_endsTheWholeChain() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        DelegationHeader memory nurse = child(carer, NURSE, 1);
        below(nurse, chainOf(carer), CARER_KEY);
        bytes32 id = delegationId(carer);
        registry.revoke(id, sign(PATIENT_KEY, revocation(id)));
        check(!registry.isDelegationLive(chainOf(nurse, carer), 1), "ended with its parent");
        GrantHeader memory header = permitHeader(1);
        bytes memory signature = sign(NURSE_KEY, delegatedGrant(grantId(header), delegationId(nurse)));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.DelegationNotLive.selector, id));
        registry.grantByDelegate(header, chainOf(nurse, carer), signature);
    }

    function test_chain_ofFour_isTheLongest() public {
        DelegationHeader[] memory chain = new DelegationHeader[](4);
        chain[3] = delegationHeader(CARER, 15);
        chain[3].depth = 3;
        registry.delegate(chain[3], sign(PATIENT_KEY, delegationId(chain[3])));
        DelegationHeader[] memory upper = chainOf(chain[3]);
        for (uint256 i = 3; i > 0; --i) {
            chain[i - 1] = child(chain[i], CARER, 15);
            below(chain[i - 1], upper, CARER_KEY);
            upper = new DelegationHeader[](5 - i);
            for (uint256 j = 0; j < 5 - i; ++j) {
                upper[j] = chain[i - 1 + j];
            }
        }
        check(registry.isDelegationLive(chain, 15), "four links");
        equal(chain[0].depth, 0, "no depth left");
    }

    function test_endDelegation_byItsDelegate_resigns() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 4);
        bytes32 id = delegationId(carer);
        bytes memory signature = sign(CARER_KEY, delegatedRevocation(id, id));
        registry.endDelegation(chainOf(carer), 0, signature);
        check(!registry.isDelegationLive(chainOf(carer), 4), "resigned");
        registry.endDelegation(chainOf(carer), 0, signature);
    }

    function test_endDelegation_byParentsDelegate_endsTheChild() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        DelegationHeader memory nurse = child(carer, NURSE, 1);
        below(nurse, chainOf(carer), CARER_KEY);
        bytes memory signature = sign(CARER_KEY, delegatedRevocation(delegationId(nurse), delegationId(carer)));
        registry.endDelegation(chainOf(nurse, carer), 1, signature);
        check(!registry.isDelegationLive(chainOf(nurse, carer), 1), "child ended");
        check(registry.isDelegationLive(chainOf(carer), 15), "parent stands");
    }

    function test_endDelegation_byChildOrStranger_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        bytes32 id = delegationId(carer);
        bytes memory signature = sign(STRANGER_KEY, delegatedRevocation(id, id));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, CARER));
        registry.endDelegation(chainOf(carer), 0, signature);
        DelegationHeader memory forged = child(carer, NURSE, 1);
        forged.parent = 0;
        signature = sign(NURSE_KEY, delegatedRevocation(id, delegationId(forged)));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ChainBroken.selector, 1));
        registry.endDelegation(chainOf(carer, forged), 1, signature);
    }

    function test_endDelegation_unrecordedChild_blockedOnlyFromAbove() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 15);
        DelegationHeader memory nurse = child(carer, NURSE, 1);
        bytes32 id = delegationId(nurse);
        bytes memory resignation = sign(NURSE_KEY, delegatedRevocation(id, id));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.ConsentUnknown.selector, id));
        registry.endDelegation(chainOf(nurse, carer), 0, resignation);
        registry.endDelegation(
            chainOf(nurse, carer), 1, sign(CARER_KEY, delegatedRevocation(id, delegationId(carer)))
        );
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.AlreadyRevoked.selector, id));
        this.below(nurse, chainOf(carer), CARER_KEY);
        equal(countOf(SUBJECT), 1, "not counted");
    }

    function test_endDelegation_unrecordedUnderUnrecorded_refused() public {
        DelegationHeader memory invented = delegationHeader(STRANGER, 15);
        DelegationHeader memory below_ = child(invented, STRANGER, 1);
        bytes memory signature =
            sign(STRANGER_KEY, delegatedRevocation(delegationId(below_), delegationId(invented)));
        VM.expectRevert(
            abi.encodeWithSelector(IConsentTypes.DelegationNotLive.selector, delegationId(invented))
        );
        registry.endDelegation(chainOf(below_, invented), 1, signature);
    }

    function test_delegation_outOfItsWindow_givesNoPower() public {
        DelegationHeader memory carer = delegationHeader(CARER, 1);
        carer.notBefore = NOW + 100;
        carer.notAfter = NOW + 200;
        registry.delegate(carer, sign(PATIENT_KEY, delegationId(carer)));
        check(!registry.isDelegationLive(chainOf(carer), 1), "before");
        VM.warp(NOW + 100);
        check(registry.isDelegationLive(chainOf(carer), 1), "within");
        VM.warp(NOW + 200);
        check(!registry.isDelegationLive(chainOf(carer), 1), "after");
    }

    function below(DelegationHeader memory header, DelegationHeader[] memory chain, uint256 key) public {
        bytes32 command = delegatedDelegation(delegationId(header), delegationId(chain[0]));
        registry.subdelegate(header, chain, sign(key, command));
    }

    function child(DelegationHeader memory parent, address to, uint16 powers)
        private
        pure
        returns (DelegationHeader memory header)
    {
        header = delegationHeader(to, powers);
        header.depth = parent.depth - 1;
        header.parent = delegationId(parent);
    }

    function refused(DelegationHeader memory header, bytes memory reason) private {
        bytes memory signature = sign(PATIENT_KEY, delegationId(header));
        VM.expectRevert(reason);
        registry.delegate(header, signature);
    }
}

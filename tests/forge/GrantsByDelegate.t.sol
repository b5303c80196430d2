// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegationHeader, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {Vm, VM} from "./support/Vm.sol";

contract GrantsByDelegateTest is ConsentBase {
    function test_grantByDelegate_withPower_recordedAndNamed() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 1);
        GrantHeader memory header = permitHeader(1);
        VM.recordLogs();
        bytes32 id = byDelegate(header, carer, CARER_KEY);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        check(registry.isLive(id, PERMIT), "live");
        (, bytes32 named) = abi.decode(logs[0].data, (uint256, bytes32));
        check(logs[0].topics[1] == id && named == delegationId(carer), "names the delegation");
    }

    function test_grantByDelegate_withoutPower_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 2 | 4 | 8);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(1), carer.powers));
        this.byDelegate(permitHeader(1), carer, CARER_KEY);
    }

    function test_grantByDelegate_supersedes_needsPowerToRevoke() public {
        bytes32 old = granted(1);
        GrantHeader memory header = permitHeader(2);
        header.supersedes = old;
        DelegationHeader memory carer = delegated(CARER_KEY, 1);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.PowerMissing.selector, uint16(3), uint16(1)));
        this.byDelegate(header, carer, CARER_KEY);
        DelegationHeader memory nurse = delegated(NURSE_KEY, 3);
        byDelegate(header, nurse, NURSE_KEY);
        check(!registry.isLive(old, PERMIT), "superseded");
    }

    function test_grantByDelegate_outlivingTheDelegation_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 1);
        GrantHeader memory header = permitHeader(1);
        header.notAfter = carer.notAfter + 1;
        VM.expectRevert(
            abi.encodeWithSelector(IConsentTypes.OutlivesDelegation.selector, header.notAfter, carer.notAfter)
        );
        this.byDelegate(header, carer, CARER_KEY);
    }

    function test_grantByDelegate_plainGrantSignature_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 1);
        GrantHeader memory header = permitHeader(1);
        bytes memory plain = sign(CARER_KEY, grantId(header));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, CARER));
        registry.grantByDelegate(header, chainOf(carer), plain);
    }

    function test_grantByDelegate_ofAnotherSubject_refused() public {
        DelegationHeader memory carer = delegated(CARER_KEY, 1);
        open(OTHER, STRANGER_KEY);
        GrantHeader memory header = permitHeader(1);
        header.subject = OTHER;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.DelegationNotLive.selector, delegationId(carer)));
        this.byDelegate(header, carer, CARER_KEY);
    }

    function byDelegate(GrantHeader memory header, DelegationHeader memory with, uint256 key)
        public
        returns (bytes32)
    {
        bytes memory signature = sign(key, delegatedGrant(grantId(header), delegationId(with)));
        return registry.grantByDelegate(header, chainOf(with), signature);
    }
}

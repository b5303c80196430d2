// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentState, GrantHeader, IConsentTypes} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {Vm, VM} from "./support/Vm.sol";

contract GrantsTest is ConsentBase {
    function test_grant_signedByController_isLiveAndCounted() public {
        GrantHeader memory header = permitHeader(1);
        VM.prank(RELAYER);
        bytes32 id = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        check(id == grantId(header) && id == registry.grantId(header), "id is the struct hash");
        check(registry.isLive(id, PERMIT), "live");
        check(!registry.isLive(id, DENY) && !registry.isLive(id, 0), "only of its kind");
        equal(countOf(SUBJECT), 1, "count");
    }

    function test_stateOf_recorded_opensTheSlot() public {
        GrantHeader memory header = permitHeader(1);
        header.notBefore = NOW + 100;
        bytes32 id = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        ConsentState memory state = registry.stateOf(id);
        check(state.subject == SUBJECT && state.kind == PERMIT && state.epoch == 0, "who");
        check(state.notBefore == NOW + 100 && state.notAfter == header.notAfter && state.revokedAt == 0, "when");
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        (uint256 subjectSlot, uint256[] memory slots) = registry.evidence(SUBJECT, ids);
        equal(subjectSlot, uint256(uint160(PATIENT)) | 1 << 192 | 1 << 224, "subject slot layout");
        equal(
            slots[0],
            uint256(SUBJECT) | 1 << 96 | uint256(header.notAfter) << 176 | uint256(NOW + 100) << 216,
            "consent slot layout"
        );
    }

    function test_grant_beginsInThePast_countsFromItsBlock() public {
        GrantHeader memory header = permitHeader(1);
        header.notBefore = NOW - 100 days;
        bytes32 id = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        equal(registry.stateOf(id).notBefore, NOW, "effective start");
    }

    function test_isLive_overTime_windowIsHalfOpen() public {
        GrantHeader memory header = permitHeader(1);
        header.notBefore = NOW + 10;
        header.notAfter = NOW + 20;
        bytes32 id = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        check(!registry.isLive(id, PERMIT), "not yet");
        VM.warp(NOW + 10);
        check(registry.isLive(id, PERMIT), "first second");
        VM.warp(NOW + 19);
        check(registry.isLive(id, PERMIT), "last second");
        VM.warp(NOW + 20);
        check(!registry.isLive(id, PERMIT), "ended");
    }

    function test_grant_unbounded_liveInAThousandYears() public {
        GrantHeader memory header = permitHeader(1);
        header.notAfter = FOREVER;
        bytes32 id = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        VM.warp(NOW + 365_000 days);
        check(registry.isLive(id, PERMIT), "unbounded");
    }

    function test_grantDirect_controllerSends_recorded() public {
        GrantHeader memory header = permitHeader(1);
        VM.prank(PATIENT);
        check(registry.isLive(registry.grantDirect(header), PERMIT), "live");
    }

    function test_grantDirect_strangerSends_refused() public {
        VM.prank(STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.NotController.selector, SUBJECT, STRANGER));
        registry.grantDirect(permitHeader(1));
    }

    function test_grant_signedByStranger_refused() public {
        refused(permitHeader(1), STRANGER_KEY, abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
    }

    function test_grant_twice_secondRefusedAndNothingChanges() public {
        bytes32 id = granted(1);
        refused(permitHeader(1), PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.AlreadyRecorded.selector, id));
        equal(countOf(SUBJECT), 1, "count");
    }

    function test_grant_ofUnknownSubject_refused() public {
        GrantHeader memory header = permitHeader(1);
        header.subject = OTHER;
        refused(header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, OTHER));
        header.subject = 0;
        refused(header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.SubjectUnknown.selector, uint96(0)));
    }

    function test_grant_ofEveryOtherKind_refused() public {
        GrantHeader memory header = permitHeader(1);
        for (uint256 kind = 0; kind < 256; ++kind) {
            header.kind = uint8(kind);
            if (kind == PERMIT || kind == DENY || kind == REFUSAL) continue;
            refused(header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.KindNotAllowed.selector, header.kind));
        }
    }

    function test_grant_ofAnotherEpoch_refused() public {
        GrantHeader memory header = permitHeader(1);
        header.epoch = 1;
        refused(
            header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.EpochNotCurrent.selector, uint32(1), uint32(0))
        );
    }

    function test_grant_afterSubmitBy_refused() public {
        GrantHeader memory header = permitHeader(1);
        header.submitBy = NOW;
        registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        header = permitHeader(2);
        header.submitBy = NOW - 1;
        refused(header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.SubmittedTooLate.selector, NOW - 1));
    }

    function test_grant_thatEndedOrNeverBegins_refused() public {
        GrantHeader memory header = permitHeader(1);
        header.notBefore = NOW - 10;
        header.notAfter = NOW;
        refused(header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.WindowEmpty.selector, NOW, NOW));
        header.notBefore = NOW + 10;
        header.notAfter = NOW + 10;
        refused(header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.WindowEmpty.selector, NOW + 10, NOW + 10));
        header.notAfter = 0;
        refused(header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.WindowEmpty.selector, NOW + 10, uint40(0)));
    }

    function test_grant_forAnotherChainOrContract_refused() public {
        GrantHeader memory header = permitHeader(1);
        bytes32 id = grantId(header);
        bytes memory elsewhere = signDigest(PATIENT_KEY, typed(domain("Assent Consent", address(market)), id));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.grant(header, elsewhere);
        bytes memory here = sign(PATIENT_KEY, id);
        VM.chainId(4242);
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.grant(header, here);
    }

    function test_grant_withHighS_refused() public {
        GrantHeader memory header = permitHeader(1);
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(PATIENT_KEY, digest(grantId(header)));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes memory mirrored = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.grant(header, mirrored);
    }

    function test_grant_signatureOfAnotherCommand_refused() public {
        GrantHeader memory header = permitHeader(1);
        bytes memory asRevocation = sign(PATIENT_KEY, revocation(grantId(header)));
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.grant(header, asRevocation);
    }

    function test_grant_anyFieldChanged_signatureRefused(uint256 seed) public {
        GrantHeader memory header = permitHeader(1);
        bytes memory signature = sign(PATIENT_KEY, grantId(header));
        uint256 field = seed % 5;
        if (field == 0) header.termsHash = keccak256("other");
        if (field == 1) header.notAfter += 1 + uint40(seed >> 8) % 1e6;
        if (field == 2) header.kind = DENY;
        if (field == 3) header.request = bytes32(seed | 1);
        if (field == 4) header.submitBy -= 1 + uint40(seed >> 8) % 1e6;
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        registry.grant(header, signature);
    }

    function test_supersede_revokesTheOldOneInTheSameTransaction() public {
        bytes32 old = granted(1);
        GrantHeader memory header = permitHeader(2);
        header.supersedes = old;
        bytes32 id = registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        check(registry.isLive(id, PERMIT) && !registry.isLive(old, PERMIT), "one took the other's place");
        equal(registry.stateOf(old).revokedAt, NOW, "revoked at");
        equal(countOf(SUBJECT), 2, "count");
    }

    function test_supersede_alreadyRevoked_keepsItsDate() public {
        bytes32 old = granted(1);
        registry.revoke(old, sign(PATIENT_KEY, revocation(old)));
        VM.warp(NOW + 5);
        GrantHeader memory header = permitHeader(2);
        header.supersedes = old;
        registry.grant(header, sign(PATIENT_KEY, grantId(header)));
        equal(registry.stateOf(old).revokedAt, NOW, "first date stands");
    }

    function test_supersede_unknownOtherSubjectOrDelegation_refused() public {
        GrantHeader memory header = permitHeader(2);
        header.supersedes = keccak256("nothing");
        refused(
            header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.SupersededUnknown.selector, header.supersedes)
        );
        open(OTHER, STRANGER_KEY);
        bytes32 mine = granted(1);
        GrantHeader memory theft = permitHeader(3);
        theft.subject = OTHER;
        theft.supersedes = mine;
        refused(theft, STRANGER_KEY, abi.encodeWithSelector(IConsentTypes.SupersededElsewhere.selector, mine));
        check(registry.isLive(mine, PERMIT), "untouched");
        header.supersedes = delegationId(delegated(CARER_KEY, 1));
        refused(
            header, PATIENT_KEY, abi.encodeWithSelector(IConsentTypes.SupersededElsewhere.selector, header.supersedes)
        );
    }

    function test_grantBatch_badItems_harmOnlyThemselves() public {
        open(OTHER, STRANGER_KEY);
        GrantHeader[] memory headers = new GrantHeader[](5);
        bytes[] memory signatures = new bytes[](5);
        for (uint256 i = 0; i < 5; ++i) {
            headers[i] = permitHeader(i);
        }
        headers[1].epoch = 9;
        headers[3].subject = OTHER;
        for (uint256 i = 0; i < 5; ++i) {
            signatures[i] = sign(i == 2 || i == 3 ? STRANGER_KEY : PATIENT_KEY, grantId(headers[i]));
        }
        signatures[4] = hex"00";
        VM.recordLogs();
        registry.grantBatch(headers, signatures);
        check(registry.isLive(grantId(headers[0]), PERMIT), "first");
        check(registry.isLive(grantId(headers[3]), PERMIT), "fourth, another subject's");
        equal(countOf(SUBJECT), 1, "count of the patient");
        equal(countOf(OTHER), 1, "count of the other");
        Vm.Log[] memory logs = VM.getRecordedLogs();
        rejected(logs[1], headers[1], abi.encodeWithSelector(IConsentTypes.EpochNotCurrent.selector, uint32(9), uint32(0)));
        rejected(logs[2], headers[2], abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
        rejected(logs[4], headers[4], abi.encodeWithSelector(IConsentTypes.SignatureInvalid.selector, PATIENT));
    }

    function test_grantBatch_sameItemTwice_secondRejected() public {
        GrantHeader[] memory headers = new GrantHeader[](2);
        bytes[] memory signatures = new bytes[](2);
        headers[0] = permitHeader(1);
        headers[1] = permitHeader(1);
        signatures[0] = sign(PATIENT_KEY, grantId(headers[0]));
        signatures[1] = signatures[0];
        registry.grantBatch(headers, signatures);
        equal(countOf(SUBJECT), 1, "counted once");
    }

    function test_grantBatch_lengthsDiffer_refused() public {
        VM.expectRevert(abi.encodeWithSelector(IConsentTypes.BatchLengthsDiffer.selector, 2, 1));
        registry.grantBatch(new GrantHeader[](2), new bytes[](1));
    }

    function refused(GrantHeader memory header, uint256 key, bytes memory reason) private {
        bytes memory signature = sign(key, grantId(header));
        VM.expectRevert(reason);
        registry.grant(header, signature);
    }

    function rejected(Vm.Log memory log, GrantHeader memory header, bytes memory reason) private pure {
        check(log.topics[0] == IConsentTypes.GrantRejected.selector, "event");
        check(log.topics[1] == grantId(header) && uint96(uint256(log.topics[2])) == header.subject, "whose");
        check(keccak256(abi.decode(log.data, (bytes))) == keccak256(reason), "reason");
    }
}

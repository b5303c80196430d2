// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GrantHeader} from "../../contracts/interfaces/IConsentTypes.sol";
import {ConsentBase} from "./support/ConsentBase.sol";
import {Succeeding} from "./support/Succeeding.sol";
import {VM} from "./support/Vm.sol";

/// @notice Any order of grants, denies, stops and adoptions, here and there, beside a plain model.
contract SuccessionSequencesTest is Succeeding {
    struct Item {
        GrantHeader header;
        bool isRecordedThere;
        bool isAdopted;
        /// @dev There, when it was last given to `adopt`.
        bool wasLive;
        bool isGrantedHere;
        bool isStopped;
        bool isRevokedThere;
    }

    Item[] private items;
    bool private isWhole;

    function setUp() public override {
        super.setUp();
        succeed();
    }

    function test_succession_anySequence_liveHereExactlyWhenItMayBe(uint256[24] calldata steps) public {
        for (uint256 i = 0; i < steps.length; ++i) {
            act(steps[i] % 12, steps[i] >> 8);
            compare();
        }
    }

    function act(uint256 kind, uint256 which) private {
        if (kind < 3) grantThere(which);
        else if (kind < 5) grantHere(which);
        else if (kind == 5) revokeThere(which);
        else if (kind == 6) revokeHere(which);
        else if (kind == 7) revokeAheadThere(which);
        else if (kind == 8) revokeAllThere();
        else if (kind == 9) revokeAllHere();
        else adoptSome(which);
        VM.warp(block.timestamp + which % 1 days);
    }

    function grantThere(uint256 which) private {
        useOld();
        Item storage item = fresh(which);
        registry.grant(item.header, sign(PATIENT_KEY, grantId(item.header)));
        item.isRecordedThere = true;
    }

    /// @dev One that nobody has seen, or one that may be recorded, revoked or out of date somewhere.
    function grantHere(uint256 which) private {
        useNew();
        Item storage item = items.length == 0 || which % 3 == 0 ? fresh(which) : items[which % items.length];
        bytes32 id = grantId(item.header);
        bool mayBe = isWhole && !item.isAdopted && !item.isGrantedHere && !item.isRevokedThere
            && item.header.epoch == epochOf(SUBJECT);
        bool accepted;
        try registry.grant(item.header, sign(PATIENT_KEY, id)) {
            accepted = true;
        } catch {}
        check(accepted == mayBe, "recorded here exactly when it may be");
        if (accepted) item.isGrantedHere = true;
    }

    function revokeThere(uint256 which) private {
        if (items.length == 0) return;
        useOld();
        Item storage item = items[which % items.length];
        if (!item.isRecordedThere) return;
        revoked(grantId(item.header));
        item.isRevokedThere = true;
        if (item.header.kind == PERMIT && item.isAdopted) item.isStopped = true;
    }

    function revokeHere(uint256 which) private {
        if (items.length == 0) return;
        useNew();
        Item storage item = items[which % items.length];
        bytes32 id = grantId(item.header);
        try registry.revoke(id, sign(PATIENT_KEY, revocation(id))) {
            item.isStopped = item.isStopped || (isWhole && (item.isAdopted || item.isGrantedHere));
        } catch {
            check(!isWhole || !(item.isAdopted || item.isGrantedHere), "a stop was refused");
        }
    }

    function revokeAheadThere(uint256 which) private {
        useOld();
        Item storage item = fresh(which);
        registry.revokeAhead(item.header, sign(PATIENT_KEY, revocation(grantId(item.header))));
        item.isRevokedThere = true;
    }

    function revokeAllThere() private {
        useOld();
        revokedAll(SUBJECT);
        stopPermits();
    }

    function revokeAllHere() private {
        if (!isWhole) return;
        useNew();
        revokedAll(SUBJECT);
        stopPermits();
    }

    function stopPermits() private {
        for (uint256 i = 0; i < items.length; ++i) {
            Item storage item = items[i];
            if (item.header.kind == PERMIT && (item.isAdopted || item.isGrantedHere)) item.isStopped = true;
        }
    }

    /// @dev One, or all that there are.
    function adoptSome(uint256 which) private {
        if (isWhole || items.length == 0) return;
        for (uint256 i = which % items.length; i < items.length; ++i) {
            Item storage item = items[i];
            bytes32 id = grantId(item.header);
            if (isWhole || !(item.isRecordedThere || item.isRevokedThere)) continue;
            successor.adopt(SUBJECT, listOf(id));
            item.isAdopted = item.isRecordedThere;
            item.wasLive = old.isLive(id, item.header.kind);
            (,,, isWhole) = successor.subjectOf(SUBJECT);
            if (which % 2 == 0) break;
        }
        if (!isWhole) return;
        for (uint256 i = 0; i < items.length; ++i) {
            check(items[i].isAdopted || !items[i].isRecordedThere, "whole without one of them");
        }
    }

    function fresh(uint256 which) private returns (Item storage item) {
        item = items.push();
        item.header = permitHeader(items.length);
        item.header.kind = which % 4 == 0 ? DENY : PERMIT;
        item.header.epoch = epochOf(SUBJECT);
    }

    function compare() private view {
        for (uint256 i = 0; i < items.length; ++i) {
            Item storage item = items[i];
            bool isLive = successor.isLive(grantId(item.header), item.header.kind);
            bool mayBe = isWhole && !item.isStopped && ((item.isAdopted && item.wasLive) || item.isGrantedHere);
            check(isLive == mayBe, isLive ? "live and may not be" : "a deny or permit is lost");
        }
    }
}

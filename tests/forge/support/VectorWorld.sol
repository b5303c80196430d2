// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AuditAnchor} from "../../../contracts/AuditAnchor.sol";
import {ConsentRegistry} from "../../../contracts/ConsentRegistry.sol";
import {EmergencyAccess} from "../../../contracts/EmergencyAccess.sol";
import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {MarketTerms} from "../../../contracts/interfaces/IResearchTypes.sol";
import {ParticipantRegistry} from "../../../contracts/ParticipantRegistry.sol";
import {RecordRegistry} from "../../../contracts/RecordRegistry.sol";
import {ResearchMarket} from "../../../contracts/ResearchMarket.sol";
import {Deploy} from "./Deploy.sol";
import {JsonFile} from "./JsonFile.sol";
import {VM} from "./Vm.sol";

/// @notice The deployment that a file of vectors is signed for, and the calls and views that it lists.
abstract contract VectorWorld {
    /// @dev One call or view at one second, and exactly what it gives; see vectors/README.md.
    struct Step {
        string kind;
        string says;
        uint256 time;
        address sender;
        address target;
        bytes data;
        bool succeeds;
        bytes answer;
    }

    string internal constant STEP_TYPE =
        "Step(string kind,string says,uint256 time,address sender,address target,bytes data,bool succeeds,bytes answer)";

    JsonFile internal json;

    /// @dev Make what the file says, at the addresses it says, and do what comes before every case.
    function deploy(string memory file) internal {
        json = new JsonFile(file);
        requireKnown("$.deployment", "deployer operator admissionDelay recoveryDelay marketTerms contracts token");
        VM.chainId(json.number(".chainId"));
        address deployer = json.account(".deployment.deployer");
        address operator = json.account(".deployment.operator");
        uint32 delay = uint32(json.number(".deployment.admissionDelay"));
        uint40 recoveryDelay = uint40(json.number(".deployment.recoveryDelay"));
        MarketTerms memory terms = marketTerms();
        VM.startPrank(deployer);
        ParticipantRegistry participants = Deploy.participantRegistry(operator, delay);
        ConsentRegistry registry = Deploy.consentRegistry(participants, recoveryDelay);
        RecordRegistry records = Deploy.recordRegistry(participants);
        AuditAnchor anchor = Deploy.auditAnchor(participants);
        ResearchMarket market = Deploy.researchMarket(participants, terms);
        EmergencyAccess emergency = Deploy.emergencyAccess(participants, registry);
        IKeyRegistry keys = Deploy.keyRegistry(registry);
        VM.stopPrank();
        requireAt("ParticipantRegistry", address(participants));
        requireAt("ConsentRegistry", address(registry));
        requireAt("Recovery", address(registry.RECOVERY()));
        requireAt("RecordRegistry", address(records));
        requireAt("AuditAnchor", address(anchor));
        requireAt("ResearchMarket", address(market));
        requireAt("EmergencyAccess", address(emergency));
        requireAt("KeyRegistry", address(keys));
        VM.etch(json.account(".deployment.token.address"), json.data(".deployment.token.code"));
        run(stepsOf(".setUp"), "setUp");
    }

    function stepsOf(string memory key) internal view returns (Step[] memory) {
        return abi.decode(json.list(key, STEP_TYPE), (Step[]));
    }

    function run(Step[] memory steps, string memory where) internal {
        for (uint256 i = 0; i < steps.length; ++i) {
            run(steps[i], string.concat(where, "[", VM.toString(i), "]"));
        }
    }

    function run(Step memory step, string memory where) internal {
        where = string.concat(where, ", ", step.says);
        VM.warp(step.time);
        (bool success, bytes memory answer) = send(step, step.data, where);
        require(success == step.succeeds, string.concat(where, step.succeeds ? ": refused" : ": not refused"));
        require(keccak256(answer) == keccak256(step.answer), string.concat(where, ": another answer"));
    }

    /// @dev Reverts for a kind of step that this does not know, so that nothing in a file is passed over.
    function send(Step memory step, bytes memory data, string memory where)
        internal
        returns (bool success, bytes memory answer)
    {
        require(step.target.code.length != 0, string.concat(where, ": nothing is there"));
        if (isEqual(step.kind, "view")) return step.target.staticcall(data);
        require(isEqual(step.kind, "call"), string.concat(where, ": no runner for the kind ", step.kind));
        VM.prank(step.sender);
        return step.target.call(data);
    }

    /// @dev Reverts when the object at `key` has a member that is not among these, which are parted by spaces.
    function requireKnown(string memory key, string memory names) internal view {
        string[] memory found = json.keys(key);
        string memory wanted = string.concat(" ", names, " ");
        for (uint256 i = 0; i < found.length; ++i) {
            require(isWithin(string.concat(" ", found[i], " "), wanted), string.concat(key, ": no runner for ", found[i]));
        }
    }

    function item(string memory list, uint256 i) internal pure returns (string memory) {
        return string.concat(list, "[", VM.toString(i), "]");
    }

    function isEqual(string memory a, string memory b) internal pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }

    function marketTerms() private view returns (MarketTerms memory) {
        uint256[] memory terms = json.numbers(".deployment.marketTerms");
        require(terms.length == 5, "market terms");
        return MarketTerms(uint8(terms[0]), uint32(terms[1]), uint32(terms[2]), uint32(terms[3]), uint32(terms[4]));
    }

    function requireAt(string memory name, address found) private view {
        address expected = json.account(string.concat(".deployment.contracts.", name));
        require(found == expected, string.concat(name, " is elsewhere"));
    }

    function isWithin(string memory part, string memory whole) private pure returns (bool) {
        bytes memory p = bytes(part);
        bytes memory w = bytes(whole);
        for (uint256 i = 0; i + p.length <= w.length; ++i) {
            uint256 same = 0;
            while (same < p.length && w[i + same] == p[same]) ++same;
            if (same == p.length) return true;
        }
        return false;
    }
}

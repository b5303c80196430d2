// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Role bits of members.
library Roles {
    uint16 internal constant CUSTODIAN = 1;
    uint16 internal constant PROVIDER = 2;
    uint16 internal constant RESEARCHER = 4;
    uint16 internal constant ETHICS_BOARD = 8;
    uint16 internal constant AUDITOR = 16;
    uint16 internal constant RESPONDER = 32;
    uint16 internal constant DEVICE_GATEWAY = 64;
    uint16 internal constant RELAYER = 128;
    uint16 internal constant OPERATOR = 256;
    uint16 internal constant ALL = 511;
}

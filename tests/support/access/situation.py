"""The past of the access world, in the order in which it happened."""

from __future__ import annotations

import eth_abi
from eth_utils.crypto import keccak

from backend.adapters.ledger.headers import delegation_header, grant_header
from backend.consent.emergency_terms import CountersignEmergency
from backend.consent.member_terms import PermitStudy
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
)
from backend.consent.terms import DelegatedDelegation, Delegation, Kind, OpenSubject
from backend.consent.typed_data import consent_id, struct_hash
from backend.types import Bytes32, SubjectId, UnixSeconds
from tests.support.access.columns import ALL_ROLES
from tests.support.access.documents import ALWAYS, consent, delegation, word
from tests.support.access.known import sealed
from tests.support.access.world import DAY, HOUR, RECOVERY_DELAY, AccessWorld

ALL_POWERS = 15
# What the board permits, word for word, is the proposal, so a study's rules are its id.
STUDY, SUSPENDED_STUDY, UNDECIDED_STUDY = map(sealed, ("study", "suspended study", "undecided study"))
PAID, OWED, DISPUTED = map(sealed, ("closed result", "contested result", "disputed result"))
OPEN_ROUND, NEXT = map(sealed, ("open result", "result"))
ESCROW_TERMS = ("bytes32", "bytes32", "address", "address")
FUNDS = 1_000


def happen(world: AccessWorld) -> None:
    """Bring the world to where each attempt begins."""
    _open_subjects(world)
    _first_controller_names_guardians(world)
    _propose_research(world)
    world.node.jump(5 * HOUR)  # a child's guardian must have stood for four recovery delays
    _recover_the_adult(world)
    _delegate(world)
    _record(world)
    world.node.jump(3 * DAY)  # the first payout opens and closes
    propose_payout(world, OPEN_ROUND)
    world.node.jump(DAY)  # it opens
    propose_payout(world, OWED)
    propose_payout(world, DISPUTED)
    objection = (escrow(world), DISPUTED, 1, world.account("funder"), b"")
    world.do("funder", "ResearchMarket", "objectToPayout", *objection)
    # Too late, so it is left out of its batch.
    world.do("bystander", "ResearchMarket", "claimBatch", escrow(world), PAID, [payment(world)], [[]])
    _open_emergency(world, "over", 120)
    _take_standing_away(world)
    for subject in (world.DISPUTED, world.DISPUTED_CHILD):
        propose_recovery(world, subject, "newcomer", desk=subject == world.DISPUTED_CHILD)


def go_on(world: AccessWorld) -> None:
    """Let the delays of what is scheduled and proposed pass, then open the emergency that is to be open."""
    world.node.jump(RECOVERY_DELAY + 60)
    _open_emergency(world, "open", 4 * HOUR)


# --- patients


def _open_subjects(world: AccessWorld) -> None:
    for subject, name in (
        (world.ADULT, "former_controller"),
        (world.DISPUTED, "controller"),
        (world.OTHER, "other_controller"),
    ):
        command = OpenSubject(SubjectId(subject), world.account(name), ALWAYS)
        signature = world.signer(name)(command)
        world.do(
            "custodian", "ConsentRegistry", "openSubject", subject, command.controller, ALWAYS, signature
        )
    for subject, opener in (
        (world.CHILD, "custodian"),
        (world.SECOND_CHILD, "suspended"),
        (world.DISPUTED_CHILD, "custodian"),
    ):
        document = guardianship(world, subject, "guardian", ALL_POWERS)
        signature = world.signer("guardian")(document)
        world.do(
            opener, "ConsentRegistry", "openSubjectUnderGuardian", delegation_header(document), signature
        )
        if opener == "custodian":
            document = guardianship(world, subject, "reading_guardian", 4)
            signature = world.signer("reading_guardian")(document)
            world.do(opener, "ConsentRegistry", "addGuardian", delegation_header(document), signature)


def guardianship(world: AccessWorld, subject: int, name: str, powers: int) -> Delegation:
    """Make and remember one."""
    made = delegation(subject, world.people[name], powers, kind=Kind.GUARDIANSHIP)
    world.guardianships[subject, name] = made
    return made


def _first_controller_names_guardians(world: AccessWorld) -> None:
    for subject, controller in ((world.ADULT, "former_controller"), (world.DISPUTED, "controller")):
        for name, powers in (("guardian", ALL_POWERS), ("reading_guardian", 4)):
            document = guardianship(world, subject, name, powers)
            world.do(controller, "ConsentRegistry", "delegateDirect", delegation_header(document))
        command = SetRecoveryPolicy(SubjectId(subject), policy(world, subject), 0, ALWAYS)
        hashed = struct_hash(command.policy)
        world.do(controller, "Recovery", "setRecoveryPolicy", subject, hashed, 0, ALWAYS, b"")


def policy(world: AccessWorld, subject: int) -> RecoveryPolicy:
    return RecoveryPolicy((consent_id(world.guardianships[subject, "guardian"]),), 1, word("policy"))


def propose_recovery(world: AccessWorld, subject: int, successor: str, *, desk: bool = False) -> None:
    words = (SubjectId(subject), world.account(successor), 0, ALWAYS)
    named = subject in (world.ADULT, world.DISPUTED)
    proof = (
        policy_words(world, subject) if named else ([], 0, bytes(32)),
        [delegation_header(world.guardianships[subject, "guardian"])],
        [world.signer("guardian")(ProposeRecovery(*words))],
        world.signer(successor)(AcceptRecovery(*words)),
        world.account("custodian") if desk else "0x" + "00" * 20,
        world.signer("custodian")(ConfirmRecovery(*words)) if desk else b"",
    )
    world.do("bystander", "Recovery", "proposeRecovery", words, proof)


def policy_words(world: AccessWorld, subject: int) -> tuple[list[bytes], int, bytes]:
    found = policy(world, subject)
    return (list(found.guardianships), found.threshold, found.salt)


def _recover_the_adult(world: AccessWorld) -> None:
    propose_recovery(world, world.ADULT, "controller")
    world.node.jump(RECOVERY_DELAY)
    world.do("bystander", "Recovery", "completeRecovery", world.ADULT)


def _delegate(world: AccessWorld) -> None:
    for name, powers in (
        ("grantor", 1),
        ("revoker", 2),
        ("reader", 4),
        ("delegator", 8),
        ("proxy", ALL_POWERS),
        ("former_delegate", ALL_POWERS),
    ):
        document = delegation(world.ADULT, world.people[name], powers)
        world.chains[name] = [document]
        world.do("controller", "ConsentRegistry", "delegateDirect", delegation_header(document))
    proxys = consent_id(world.chains["proxy"][0])
    child = delegation(world.ADULT, world.people["subdelegate"], 1, depth=1, parent=proxys)
    world.chains["subdelegate"] = [child, *world.chains["proxy"]]
    signature = world.signer("proxy")(DelegatedDelegation(child, proxys))
    chain = world.headers(world.chains["proxy"])
    world.do("bystander", "ConsentRegistry", "subdelegate", delegation_header(child), chain, signature)
    for name in ("guardian", "reading_guardian"):
        world.chains[name] = [world.guardianships[world.ADULT, name]]
    world.do("controller", "ConsentRegistry", "revokeDirect", world.own("former_delegate"))


def _record(world: AccessWorld) -> None:
    for label, kind in (("a permit", Kind.PERMIT), ("a deny", Kind.DENY)):
        document = consent(world.ADULT, label, kind)
        world.found[label] = consent_id(document)
        world.do("controller", "ConsentRegistry", "grantDirect", grant_header(document))
    world.do("controller", "KeyRegistry", "bindKey", world.ADULT, word("first key"), 1, ALWAYS, b"")
    world.do("custodian", "RecordRegistry", "commit", sealed("record"))
    world.do("suspended", "RecordRegistry", "commit", sealed("record of the suspended"))
    world.do("custodian", "AuditAnchor", "anchor", word("log"), 1, word("root"), [])


# --- institutions


def _take_standing_away(world: AccessWorld) -> None:
    world.do("operator", "ParticipantRegistry", "reduceRoles", world.member("roleless"), ALL_ROLES)
    world.do("operator", "ParticipantRegistry", "suspend", world.member("suspended"))
    world.do("operator", "ParticipantRegistry", "remove", world.member("removed"))


def _open_emergency(world: AccessWorld, name: str, duration: int) -> None:
    header = (world.ADULT, world.account("responder"), sealed(name), duration, ALWAYS)
    second = world.account("second_responder")
    opening = world.node.view(world.contracts["EmergencyAccess"], "EmergencyAccess", "openingId", header)
    world.found[f"{name} opening"] = opening
    signature = world.signer("second_responder")(CountersignEmergency(Bytes32(opening)))
    world.do("responder", "EmergencyAccess", "openEmergency", header, b"", second, signature)


# --- research


def escrow(world: AccessWorld, study: bytes = STUDY, funder: str = "funder") -> tuple[bytes, bytes, str, str]:
    return (study, world.member("custodian"), world.account(funder), world.account("token"))


def approvals(world: AccessWorld, named: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Return signatures by column in ascending order of accounts."""
    pairs = [(world.account(name, "ResearchMarket"), signature) for name, signature in named.items()]
    return sorted(pairs, key=lambda pair: int(pair[0], 16))


def _propose_research(world: AccessWorld) -> None:
    end = world.node.now() + 200 * DAY
    for study in (STUDY, SUSPENDED_STUDY):
        command = PermitStudy(study, study, UnixSeconds(0), UnixSeconds(end), ALWAYS)
        board = approvals(world, {name: world.signer(name)(command) for name in ("chair", "board_member")})
        world.do("bystander", "ResearchMarket", "permitStudy", study, study, 0, end, ALWAYS, board)
    world.do("chair", "ResearchMarket", "suspendStudy", SUSPENDED_STUDY, 0, world.account("chair"), b"")
    for name in ("funder", "researcher"):
        _mint(world, name)
    for study in (STUDY, UNDECIDED_STUDY):
        world.do("funder", "ResearchMarket", "fund", escrow(world, study), FUNDS)
    for result in (PAID, OWED, DISPUTED, OPEN_ROUND, NEXT):
        world.do("custodian", "ResearchMarket", "commitResult", STUDY, STUDY, result)
    propose_payout(world, PAID)


def propose_payout(world: AccessWorld, result: bytes) -> None:
    """Owe ten to one account: a tree of one leaf is that leaf, hashed twice."""
    round_ = keccak(keccak(eth_abi.encode(ESCROW_TERMS, escrow(world))) + result)
    words = ["bytes32", "uint256", "address", "uint256", "bytes32"]
    root = keccak(keccak(eth_abi.encode(words, (round_, *payment(world)))))
    world.do("custodian", "ResearchMarket", "proposePayout", escrow(world), result, root, 10)


def payment(world: AccessWorld) -> tuple[int, str, int, bytes]:
    return (0, world.account("newcomer"), 10, word("salt of the payment"))


def _mint(world: AccessWorld, name: str) -> None:
    token = world.contracts["Token"]
    for function, arguments in (
        ("mint(address,uint256)", (world.account(name), 10 * FUNDS)),
        ("approve(address,uint256)", (world.contracts["ResearchMarket"], 10 * FUNDS)),
    ):
        data = keccak(text=function)[:4] + eth_abi.encode(["address", "uint256"], arguments)
        world.node.send((world.account(name), token, data))

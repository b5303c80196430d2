"""A chain on which everything happened that the contracts know: every event that is ours at least once.

Chapters stand in the order of the clock, which jumps. Whoever needs an id takes it from ``Story.ids``.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.recovery import RecoveryProof
from backend.consent.ledger_types import Receipt
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    EndForCause,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms import (
    DelegatedDelegation,
    DelegatedGrant,
    Delegation,
    Grant,
    Kind,
    Revoke,
    RevokeAll,
)
from backend.consent.typed_data import consent_id
from backend.types import MAX_UINT40, Address, Bytes32, MemberId, SubjectId, UnixSeconds
from tests.support.ledger_world import ANVIL, BOARD, CLINIC, HOSPITAL, SENDERS, Person, World, person, settle
from tests.support.ledger_world import delegation as make_delegation
from tests.support.ledger_world import grant as make_grant
from tests.support.typed_commands import digest, struct_hash

FOREVER = MAX_UINT40
HOUR, DAY = 3600, 86_400
NOBODY = "0x" + "00" * 20
NOTHING = bytes(32)
CUSTODIAN, PROVIDER, RESEARCHER, ETHICS, AUDITOR, RESPONDER = 1, 2, 4, 8, 16, 32
WITNESS, DOCTOR, MEDIC, LAB, PASSING = (MemberId(bytes([number]) * 32) for number in range(0x31, 0x36))
DESK = Person(SENDERS[Sender.CUSTODIAN])  # the hospital's own account
FEE = 1_000_000_000
OPEN = "OpenEmergency(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy)"
OPEN_LATE = (
    "OpenEmergencyLate(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt)"
)
PERMIT = "PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)"
TRANSFER = "TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy)"


def named(text: str) -> bytes:
    return bytes(keccak(text=text))


class Story:
    """The people, the chain, and what was done so far. ``ids``: name to id."""

    def __init__(self, directory: Path, token_code: bytes) -> None:
        self._ahead = 0
        self._token_code = token_code
        self.chain = EmbeddedChain(
            directory=directory, binary=ANVIL, clock=lambda: int(time.time()) + self._ahead
        )
        self.deployment_file = directory / "deployment.json"
        self.world: World = settle(self.chain, self.deployment_file)
        self.ids: dict[str, bytes] = {}
        self.patient, self.child_guardian, self.carer, self.nurse = (person() for _ in range(4))
        self.clinic, self.board, self.witness, self.doctor, self.medic, self.researcher = (
            person() for _ in range(6)
        )

    @property
    def now(self) -> int:
        return self.chain.view().head_timestamp

    def jump(self, seconds: int) -> None:
        self._ahead += seconds
        self.chain.mine([])

    def send(self, contract: str, function: str, *values: Any, sender: Sender = Sender.RELAYER) -> Receipt:
        data = artifact(contract).functions[function].encode(values)
        to = self.world.deployment.address(contract)
        return self.world.relayer.submit(Call(to, data, 3_000_000, sender))

    def sign(self, who: Person, contract: str, kind: str, **content: Any) -> bytes:
        name = {
            "AuditAnchor": "Assent Audit",
            "EmergencyAccess": "Assent Emergency",
            "RecordRegistry": "Assent Records",
            "ResearchMarket": "Assent Research",
        }[contract]
        address = self.world.deployment.address(contract)
        made = digest(kind, content, name=name, chain_id=self.chain.chain_id, contract=address)
        return who.sign_digest(made)

    def record(self, document: Grant | Delegation, who: Person, *, via: Delegation | None = None) -> bytes:
        if via is None:
            self.world.ledger.consents.record(document, who.sign(document, self.world.domain))
        else:
            wrap = DelegatedGrant if isinstance(document, Grant) else DelegatedDelegation
            command = wrap(document, consent_id(via))  # type: ignore[arg-type]
            self.world.ledger.consents.record(document, who.sign(command, self.world.domain), via=[via])
        return consent_id(document)

    def close(self) -> None:
        self.world.relayer.close()
        self.chain.close()

    # --- chapters

    def institutions(self) -> None:
        """Members come, change their account, lose roles, are suspended, come back, and go."""
        people = [
            (CLINIC, self.clinic, CUSTODIAN | PROVIDER), (BOARD, self.board, ETHICS), (WITNESS, self.witness, AUDITOR),
            (DOCTOR, self.doctor, RESPONDER), (MEDIC, self.medic, RESPONDER), (LAB, self.researcher, RESEARCHER),
            (PASSING, person(), PROVIDER | RESEARCHER),
        ]  # fmt: skip
        for member, who, roles in people:
            self._member("admit", member, who.account, roles)
        self._member("admit", b"\x36" * 32, NOBODY, PROVIDER)
        self._member("amend", PASSING, person().account, PROVIDER | RESEARCHER)
        self._member("amend", b"\x36" * 32, person().account, PROVIDER)
        for function, *rest in (("reduceRoles", RESEARCHER), ("suspend",), ("reinstate",), ("remove",)):
            self.send("ParticipantRegistry", function, PASSING, *rest, sender=Sender.OPERATOR)

    def _member(self, function: str, member: bytes, account: str, roles: int) -> None:
        values = (member, account, roles, FOREVER, os.urandom(32), os.urandom(32))
        self.send("ParticipantRegistry", function, *values, sender=Sender.OPERATOR)

    def managers(self) -> None:
        """Whoever may admit: roles, delays, and an admission that is announced, carried out or called off."""
        relayer, registry = self.world.relayer, self.world.deployment.address("ParticipantRegistry")
        records, helper = self.world.deployment.address("RecordRegistry"), relayer.address(Sender.CUSTODIAN)
        operator = Sender.OPERATOR
        admission = artifact("ParticipantRegistry").functions["admit"]
        for function, *values in (
            ("grantRole", 1, helper, HOUR), ("grantRole", 1, helper, 60), ("labelRole", 7, "helpers"),
            ("setRoleAdmin", 7, 1), ("setRoleGuardian", 7, 2), ("setGrantDelay", 7, DAY), ("setGrantDelay", 7, 60),
            ("grantRole", 7, helper, 5), ("grantRole", 9, helper, 0), ("revokeRole", 9, helper),
            ("setTargetFunctionRole", records, [b"\x01\x02\x03\x04"], 7), ("setTargetAdminDelay", records, HOUR),
            ("setTargetClosed", helper, True), ("setTargetClosed", helper, False), ("setTargetClosed", records, True),
        ):  # fmt: skip
            # Role 7 is now managed by role 1, which waits; so its grant comes before that in effect.
            sender = operator
            if (function, values[0]) == ("grantRole", 7):
                continue
            self.send("AccessManager", function, *values, sender=sender)
        self.jump(2 * HOUR)
        for number in (1, 2):
            values = (bytes([0x40 + number]) * 32, person().account, PROVIDER, FOREVER, NOTHING, NOTHING)
            data = admission.encode(values)
            self.send("AccessManager", "schedule", registry, data, 0, sender=Sender.CUSTODIAN)
            self.jump(2 * HOUR)
            if number == 1:
                self.send("AccessManager", "execute", registry, data, sender=Sender.CUSTODIAN)
            else:
                self.send("AccessManager", "cancel", helper, registry, data, sender=Sender.CUSTODIAN)
            hashed = artifact("AccessManager").functions["hashOperation"]
            call = {
                "to": self.world.deployment.address("AccessManager"),
                "data": "0x" + hashed.encode((helper, registry, data)).hex(),
            }
            self.ids[f"operation {number}"] = bytes.fromhex(
                self.chain.rpc().call("eth_call", call, "latest")[2:]
            )
        waiting = admission.encode((b"\x43" * 32, person().account, PROVIDER, FOREVER, NOTHING, NOTHING))
        self.send("AccessManager", "schedule", registry, waiting, 0, sender=Sender.CUSTODIAN)

    def consents(self) -> None:
        """Grants of every kind, a delegate's, one refused in a batch, revocations before and after, for cause."""
        ledger, domain, patient = self.world.ledger.consents, self.world.domain, self.patient
        self.world.open_subject(1, patient)
        self.ids["subject"] = (1).to_bytes(32)
        for kind in (Kind.PERMIT, Kind.DENY, Kind.REFUSAL):
            self.ids[kind.name.lower()] = self.record(make_grant(1, kind=kind), patient)
        replacing = make_grant(1)
        object.__setattr__(replacing, "supersedes", self.ids["permit"])
        self.ids["replacing"] = self.record(replacing, patient)
        self.ids["superseded"] = self.ids["permit"]
        root = make_delegation(1, self.carer)
        self.ids["delegation"] = self.record(root, patient)
        child = make_delegation(1, self.nurse, depth=1, parent=consent_id(root))
        self.ids["child delegation"] = self.record(child, self.carer, via=root)
        for name, kind in (("by delegate", Kind.PERMIT), ("deny by delegate", Kind.DENY)):
            self.ids[name] = self.record(make_grant(1, kind=kind), self.carer, via=root)
        revoked = make_grant(1)
        self.ids["revoked by delegate"] = self.record(revoked, self.carer, via=root)
        ledger.revoke(consent_id(revoked), patient.sign(Revoke(consent_id(revoked)), domain))
        ahead = make_grant(1)
        self.ids["ahead"] = consent_id(ahead)
        ledger.revoke_ahead(ahead, patient.sign(Revoke(consent_id(ahead)), domain))
        batch = [make_grant(1), make_grant(1)]
        ledger.record_grants(batch, [patient.sign(batch[0], domain), bytes(65)])
        self.send("ConsentRegistry", "revokeBatch", [os.urandom(32)], [b""])
        ledger.end_for_cause(consent_id(root), patient.sign(EndForCause(consent_id(root)), domain))
        self.ids["unrevoked"] = consent_id(batch[0])
        other = person()
        self.world.open_subject(2, other)
        self.ids["stopped"] = self.record(make_grant(2), other)
        ledger.revoke_all(SubjectId(2), 0, other.sign(RevokeAll(SubjectId(2), 0), domain))
        guardianship = make_delegation(3, self.child_guardian, kind=Kind.GUARDIANSHIP)
        ledger.open_subject_under_guardian(guardianship, self.child_guardian.sign(guardianship, domain))
        self.ids["guardianship"] = consent_id(guardianship)

    def recovery(self) -> None:
        """Two policies, a veto, a proposal with the desk that is completed, and one that lapses."""
        subject, patient, guardian = SubjectId(4), person(), person()
        self.world.open_subject(subject, patient)
        guardianship = make_delegation(subject, guardian, kind=Kind.GUARDIANSHIP)
        self.record(guardianship, patient)
        recoveries, domain = self.world.ledger.recoveries, self.world.recovery_domain
        policies = [RecoveryPolicy((consent_id(guardianship),), 1, Bytes32(os.urandom(32))) for _ in range(2)]
        for round_, policy in enumerate(policies):
            command = SetRecoveryPolicy(subject, policy, round_, UnixSeconds(FOREVER))
            recoveries.set_policy(command, patient.sign(command, domain))

        def propose(new: Person, *, desk: bool) -> None:
            round_ = recoveries.state(subject).round
            proposal = ProposeRecovery(subject, new.account, round_, UnixSeconds(FOREVER))
            content = (subject, new.account, round_, UnixSeconds(FOREVER))
            proof = RecoveryProof(
                policies[0],
                [(guardianship, guardian.sign(proposal, domain))],
                new.sign(AcceptRecovery(*content), domain),
                DESK.account if desk else Address(NOBODY),
                DESK.sign(ConfirmRecovery(*content), domain) if desk else b"",
            )
            recoveries.propose(proposal, proof)

        propose(person(), desk=False)
        veto = VetoRecovery(subject, recoveries.state(subject).round)
        recoveries.veto(veto, patient.sign(veto, domain))
        propose(person(), desk=True)
        self.jump(3)
        recoveries.complete(subject)
        propose(person(), desk=True)
        self.ids["recovered"] = subject.to_bytes(32)

    def emergencies(self) -> None:
        """Openings in time and late, closed, countersigned, reviewed out of order; policies within one second."""
        send, sign = self.send, self.sign

        def open_(reason: str, *, late: int = 0, countersigned: bool = False) -> bytes:
            kind = OPEN_LATE if late else OPEN
            last = ("openedAt", self.now - late) if late else ("submitBy", FOREVER)
            content = {
                "subject": 1, "responder": self.doctor.account, "reason": named(reason), "duration": HOUR,
                last[0]: last[1],
            }  # fmt: skip
            opening = struct_hash(kind, content)
            other = (NOBODY, b"")
            if countersigned:
                command = sign(
                    self.medic, "EmergencyAccess", "CountersignEmergency(bytes32 opening)", opening=opening
                )
                other = (self.medic.account, command)
            function = "openEmergencyLate" if late else "openEmergency"
            send(
                "EmergencyAccess",
                function,
                tuple(content.values()),
                sign(self.doctor, "EmergencyAccess", kind, **content),
                *other,
            )
            return opening

        def policy(code: int, round_: int) -> None:
            kind = "SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round)"
            signature = sign(self.patient, "EmergencyAccess", kind, subject=1, policy=code, round=round_)
            send("EmergencyAccess", "setEmergencyPolicy", 1, code, round_, signature)

        openings = [
            open_("first"),
            open_("late", late=1200),
            open_("both", countersigned=True),
            open_("last"),
        ]
        self.ids |= {"opening": openings[0], "late opening": openings[1], "last opening": openings[3]}
        close = sign(self.doctor, "EmergencyAccess", "CloseEmergency(bytes32 opening)", opening=openings[2])
        send("EmergencyAccess", "closeEmergency", openings[2], self.doctor.account, close)
        policy(1, 0)
        policy(2, 1)
        policy(0, 2)
        kind = "ReviewEmergency(bytes32 opening,bytes32 finding)"
        for opening in (openings[1], openings[0]):
            found = sign(self.board, "EmergencyAccess", kind, opening=opening, finding=named("finding"))
            send("EmergencyAccess", "reviewEmergency", opening, self.board.account, named("finding"), found)

    def records(self) -> None:
        """Commitments that stay, are withdrawn, and pass to another custodian."""
        kept, withdrawn, passed = (Bytes32(os.urandom(32)) for _ in range(3))
        self.world.ledger.commitments.commit_records([kept, withdrawn, passed])
        self.world.ledger.commitments.withdraw(withdrawn)
        content = {
            "from": DESK.account,
            "to": self.clinic.account,
            "commitments": [passed],
            "submitBy": FOREVER,
        }
        signatures = [self.sign(who, "RecordRegistry", TRANSFER, **content) for who in (DESK, self.clinic)]
        self.send("RecordRegistry", "transferCustody", *content.values(), *signatures)
        transfer = struct_hash(TRANSFER, content)
        self.ids |= {"commitment": kept, "withdrawn": withdrawn, "passed": passed, "transfer": transfer}

    def logs(self) -> None:
        """A log anchored twice, cosigned once, and shown to be forked twice."""
        leaf = [hashlib.sha256(bytes([0, number])).digest() for number in range(3)]
        two = hashlib.sha256(b"\x01" + leaf[0] + leaf[1]).digest()
        three = hashlib.sha256(b"\x01" + two + leaf[2]).digest()
        origin = named("hospital.example/audit")
        for size, root, proof in ((2, two, []), (3, three, [leaf[2]])):
            self.send("AuditAnchor", "anchor", origin, size, root, proof, sender=Sender.CUSTODIAN)
        log = bytes(keccak(HOSPITAL + origin))
        kind = "CosignCheckpoint(bytes32 log,uint64 size,bytes32 root)"
        seen = self.sign(self.witness, "AuditAnchor", kind, log=log, size=2, root=two)
        self.send("AuditAnchor", "cosign", HOSPITAL, origin, 2, two, [leaf[2]], self.witness.account, seen)
        kind = "SignCheckpoint(bytes32 log,uint64 size,bytes32 root)"
        for _ in range(2):
            root = os.urandom(32)
            forked = (3, root, self.sign(DESK, "AuditAnchor", kind, log=log, size=3, root=root))
            self.send(
                "AuditAnchor", "reportForkOfAnchored", HOSPITAL, origin, DESK.account, forked, NOTHING, []
            )
        self.ids |= {"log": log, "origin": origin}

    def market(self) -> None:
        """Studies in every state; payouts that are claimed, rejected, upheld and closed; money back."""
        self.jump(DAY)
        studies = {name: named(name) for name in ("study", "refused", "suspended", "ended")}
        self.ids |= studies
        for name in ("study", "suspended", "ended"):
            content = {
                "study": studies[name], "rules": named("rules"), "notBefore": self.now - 60,
                "notAfter": self.now + 400 * DAY, "submitBy": FOREVER,
            }  # fmt: skip
            self._board("permitStudy", PERMIT, content)
        self._board("refuseStudy", "RefuseStudy(bytes32 study)", {"study": studies["refused"]})
        for study, round_ in ((studies["study"], 0), (studies["suspended"], 0)):
            content = {"study": study, "round": round_}
            kind = "SuspendStudy(bytes32 study,uint32 round)"
            stop = self.sign(self.board, "ResearchMarket", kind, **content)
            self.send("ResearchMarket", "suspendStudy", study, round_, self.board.account, stop)
        kind = "ResumeStudy(bytes32 study,uint32 round)"
        self._board("resumeStudy", kind, {"study": studies["study"], "round": 1})
        self._board("revokeStudy", "RevokeStudy(bytes32 study)", {"study": studies["ended"]})
        donation = person().account
        self._board("nameDonation", "NameDonation(address account)", {"account": donation})
        self.ids["donation"] = bytes(12) + bytes.fromhex(donation[2:])
        self._payouts(studies["study"], donation)

    def _board(self, function: str, kind: str, content: dict[str, Any]) -> None:
        approval = (self.board.account, self.sign(self.board, "ResearchMarket", kind, **content))
        self.send("ResearchMarket", function, *content.values(), [approval])

    def _payouts(self, study: bytes, donation: str) -> None:
        funder = Person(SENDERS[Sender.RELAYER])
        self._member("admit", b"\x51" * 32, funder.account, RESEARCHER)
        token, _ = self.world.relayer.deploy(self._token_code, gas=5_000_000, sender=Sender.RELAYER)
        market = self.world.deployment.address("ResearchMarket")
        for signature, values in (
            ("mint(address,uint256)", (funder.account, FEE)), ("approve(address,uint256)", (market, FEE)),
        ):  # fmt: skip
            words = b"".join(
                int(value, 16).to_bytes(32) if isinstance(value, str) else value.to_bytes(32)
                for value in values
            )
            self.world.relayer.submit(Call(token, keccak(text=signature)[:4] + words, 300_000))
        terms = (study, bytes(HOSPITAL), funder.account, token)
        for amount in (1000, 500):
            self.send("ResearchMarket", "fund", terms, amount)
        escrow = bytes(
            keccak(
                study
                + HOSPITAL
                + bytes(12)
                + bytes.fromhex(funder.account[2:])
                + bytes(12)
                + bytes.fromhex(token[2:])
            )
        )
        payee, results = person().account, {name: named(name) for name in ("result", "rejected", "upheld")}
        rounds = {name: bytes(keccak(escrow + result)) for name, result in results.items()}
        self.ids |= {
            "escrow": escrow,
            "payee": bytes(12) + bytes.fromhex(payee[2:]),
            "result": results["result"],
        }
        self.ids |= {f"payout {name}": round_ for name, round_ in rounds.items()}

        def payment(name: str, index: int, account: str, amount: int) -> tuple[tuple[Any, ...], bytes]:
            item = (index, account, amount, os.urandom(32))
            packed = (
                rounds[name]
                + index.to_bytes(32)
                + bytes(12)
                + bytes.fromhex(account[2:])
                + amount.to_bytes(32)
                + item[3]
            )
            return item, bytes(keccak(keccak(packed)))

        def propose(name: str, leaves: list[bytes], total: int) -> None:
            root = leaves[0] if len(leaves) == 1 else bytes(keccak(b"".join(sorted(leaves))))
            self.send(
                "ResearchMarket", "proposePayout", terms, results[name], root, total, sender=Sender.CUSTODIAN
            )

        for result in results.values():
            self.send(
                "ResearchMarket", "commitResult", study, named("rules"), result, sender=Sender.CUSTODIAN
            )
        first, second = payment("result", 3, payee, 100), payment("result", 700, donation, 50)
        propose("result", [first[1], second[1]], 200)
        again = payment("rejected", 0, payee, 70)
        propose("rejected", [again[1]], 70)
        propose("upheld", [payment("upheld", 0, payee, 10)[1]], 10)
        for name, stands in (("rejected", False), ("upheld", True)):
            self.send("ResearchMarket", "objectToPayout", terms, results[name], 1, funder.account, b"")
            content = {"round": rounds[name], "attempt": 1, "stands": stands}
            kind = "SettlePayout(bytes32 round,uint32 attempt,bool stands)"
            approval = (self.board.account, self.sign(self.board, "ResearchMarket", kind, **content))
            self.send("ResearchMarket", "settlePayout", terms, results[name], 1, stands, [approval])
        propose("rejected", [again[1]], 70)
        self.jump(4 * DAY)
        self.send("ResearchMarket", "claim", terms, results["result"], first[0], [second[1]])
        items, proofs = [first[0], second[0]], [[second[1]], [first[1]]]
        self.send("ResearchMarket", "claimBatch", terms, results["result"], items, proofs)
        self.jump(200 * DAY)
        self.send("ResearchMarket", "closePayout", terms, results["result"])
        self.send("ResearchMarket", "release", terms, sender=Sender.CUSTODIAN)
        unfunded = (named("unfunded"), *terms[1:])
        self.send("ResearchMarket", "release", unfunded, sender=Sender.CUSTODIAN)
        self.send("ResearchMarket", "refund", terms, funder.account)

    def tell(self) -> None:
        """Every chapter. Emergencies are reviewed after the openings are over, so they come before the jumps."""
        self.institutions()
        self.consents()
        self.recovery()
        self.emergencies()
        self.records()
        self.logs()
        self.managers()
        self.market()


@contextmanager
def told_story(directory: Path, token_code: bytes) -> Iterator[Story]:
    story = Story(directory, token_code)
    try:
        story.tell()
        yield story
    finally:
        story.close()

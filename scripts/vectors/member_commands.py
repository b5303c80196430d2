"""As ``commands``, for what members sign: emergency access, custody, checkpoints and studies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import eth_abi
from eth_hash.auto import keccak

from backend.consent.emergency_terms import (
    CloseEmergency,
    CountersignEmergency,
    OpenEmergency,
    OpenEmergencyLate,
    ReviewEmergency,
    SetEmergencyPolicy,
)
from backend.consent.member_terms import (
    CosignCheckpoint,
    NameDonation,
    ObjectToPayout,
    PermitStudy,
    RefuseStudy,
    ResumeStudy,
    RevokeStudy,
    SettlePayout,
    SignCheckpoint,
    SuspendStudy,
    TransferCustody,
)
from backend.consent.typed_data import Signable, struct_hash
from backend.types import Bytes32, UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.commands import AT, BEFORE, SOON, SignedCase
from scripts.vectors.deployment import DOMAINS, TOKEN, Step, account, returned, sign

NOBODY = "0x" + "00" * 20


def emergency_cases() -> Iterator[SignedCase]:
    contract = "EmergencyAccess"

    def signed(who: str, message: Signable) -> bytes:
        return sign(who, message, DOMAINS[contract])

    def step(at: int, function: str, *arguments: Any, answer: bytes = b"") -> Step:
        return Step(at, contract, function, arguments, answer=answer)

    reason, finding, responder = w.salt("reason"), w.salt("finding"), account("responder")
    now = OpenEmergency(w.SUBJECT, responder, reason, 3600, SOON)
    words = (w.SUBJECT, responder, reason, 3600, SOON)
    opening = struct_hash(now)
    answer = returned(contract, "openEmergency", opening)
    call = step(AT, "openEmergency", words, signed("responder", now), NOBODY, b"", answer=answer)
    yield SignedCase("open_emergency", contract, now, "responder", call)
    opened_at = UnixSeconds(AT - 600)
    late = OpenEmergencyLate(w.SUBJECT, responder, reason, 3600, opened_at)
    words_late = (w.SUBJECT, responder, reason, 3600, opened_at)
    call = step(
        *(AT, "openEmergencyLate", words_late, signed("responder", late), NOBODY, b""),
        answer=returned(contract, "openEmergencyLate", struct_hash(late)),
    )
    yield SignedCase("open_emergency_late", contract, late, "responder", call)
    countersign = CountersignEmergency(opening)
    signatures = (signed("responder", now), account("colleague"), signed("colleague", countersign))
    call = step(AT, "openEmergency", words, *signatures, answer=answer)
    yield SignedCase("countersign_emergency", contract, countersign, "colleague", call)
    opened = step(BEFORE, "openEmergency", words, signed("responder", now), NOBODY, b"", answer=answer)
    close = CloseEmergency(opening)
    call = step(AT, "closeEmergency", opening, responder, signed("responder", close))
    yield SignedCase("close_emergency", contract, close, "responder", call, (opened,))
    closed = step(BEFORE + 1, "closeEmergency", opening, responder, signed("responder", close))
    review = ReviewEmergency(opening, finding)
    call = step(AT, "reviewEmergency", opening, account("clinic"), finding, signed("clinic", review))
    yield SignedCase("review_emergency", contract, review, "clinic", call, (opened, closed))
    policy = SetEmergencyPolicy(w.SUBJECT, 2, 0)
    call = step(AT, "setEmergencyPolicy", w.SUBJECT, 2, 0, signed("patient", policy))
    yield SignedCase("set_emergency_policy", contract, policy, "patient", call)


def custody_cases() -> Iterator[SignedCase]:
    contract = "RecordRegistry"
    commitments = (w.salt("record one"), w.salt("record two"))
    transfer = TransferCustody(account("hospital"), account("clinic"), commitments, SOON)
    signatures = [sign(who, transfer, DOMAINS[contract]) for who in ("hospital", "clinic")]
    words = (transfer.from_, transfer.to, list(commitments), SOON, *signatures)
    answer = returned(contract, "transferCustody", struct_hash(transfer))
    call = Step(AT, contract, "transferCustody", words, answer=answer)
    kept = Step(BEFORE, contract, "commitBatch", (list(commitments),), "hospital")
    for name, signer in (("transfer_custody", "hospital"), ("transfer_custody_received", "clinic")):
        yield SignedCase(name, contract, transfer, signer, call, (kept,))


def checkpoint_cases() -> Iterator[SignedCase]:
    contract = "AuditAnchor"
    custodian, origin = w.member("hospital"), w.salt("origin")
    log = Bytes32(keccak(custodian + origin))
    one, other = w.salt("root"), w.salt("another root")
    signed = SignCheckpoint(log, 2**33 + 1, one)
    checkpoints = [
        (signed.size, root, sign("hospital", SignCheckpoint(log, signed.size, root), DOMAINS[contract]))
        for root in (one, other)
    ]
    words = (custodian, origin, account("hospital"), *checkpoints, bytes(32), [])
    call = Step(AT, contract, "reportFork", words)
    yield SignedCase("sign_checkpoint", contract, signed, "hospital", call)
    anchored = Step(
        *(BEFORE, contract, "anchor", (origin, signed.size, one, []), "hospital"),
        answer=returned(contract, "anchor", log),
    )
    cosigned = CosignCheckpoint(log, signed.size, one)
    signature = sign("auditor", cosigned, DOMAINS[contract])
    call = Step(
        AT, contract, "cosign", (custodian, origin, signed.size, one, [], account("auditor"), signature)
    )
    yield SignedCase("cosign_checkpoint", contract, cosigned, "auditor", call, (anchored,))
    call = Step(AT, contract, "reportForkOfAnchored", (*words[:3], checkpoints[1], bytes(32), []))
    forked = SignCheckpoint(log, signed.size, other)
    yield SignedCase("sign_forking_checkpoint", contract, forked, "hospital", call, (anchored,))


def study_cases() -> Iterator[SignedCase]:
    """Yield those of the ethics board, one of whose members decides."""
    contract = "ResearchMarket"
    study, rules, result = w.salt("study"), w.salt("output rules"), w.salt("result")
    board = account("board")

    def signed(message: Signable) -> bytes:
        return sign("board", message, DOMAINS[contract])

    def approved(at: int, function: str, message: Signable, *words: Any) -> Step:
        return Step(at, contract, function, (*words, [(board, signed(message))]))

    def case(name: str, message: Signable, call: Step, *before: Step) -> SignedCase:
        return SignedCase(name, contract, message, "board", call, before)

    permit = PermitStudy(study, rules, w.START, w.END, SOON)
    words = (study, rules, w.START, w.END, SOON)
    yield case("permit_study", permit, approved(AT, "permitStudy", permit, *words))
    refuse = RefuseStudy(study)
    yield case("refuse_study", refuse, approved(AT, "refuseStudy", refuse, study))
    permitted = approved(BEFORE, "permitStudy", permit, *words)
    suspend, resume, revoke = SuspendStudy(study, 0), ResumeStudy(study, 1), RevokeStudy(study)
    suspension = (study, 0, board, signed(suspend))
    yield case("suspend_study", suspend, Step(AT, contract, "suspendStudy", suspension), permitted)
    suspended = Step(BEFORE + 1, contract, "suspendStudy", suspension)
    call = approved(AT, "resumeStudy", resume, study, 1)
    yield case("resume_study", resume, call, permitted, suspended)
    yield case("revoke_study", revoke, approved(AT, "revokeStudy", revoke, study), permitted)
    donation = NameDonation(account("stranger"))
    yield case("name_donation", donation, approved(AT, "nameDonation", donation, donation.account))
    escrow = (study, w.member("hospital"), account("researcher"), TOKEN)
    escrow_id = Bytes32(keccak(eth_abi.encode(("bytes32", "bytes32", "address", "address"), escrow)))
    payout = Bytes32(keccak(escrow_id + result))
    before = (
        permitted,
        Step(
            *(BEFORE + 1, contract, "fund", (escrow, 1000), "researcher"),
            answer=returned(contract, "fund", escrow_id),
        ),
        Step(BEFORE + 2, contract, "commitResult", (study, rules, result), "hospital"),
        Step(
            *(BEFORE + 3, contract, "proposePayout", (escrow, result, w.salt("payments"), 1000), "hospital"),
            answer=returned(contract, "proposePayout", payout),
        ),
    )
    objection = ObjectToPayout(payout, 1)
    objected = (escrow, result, 1, board, signed(objection))
    yield case("object_to_payout", objection, Step(AT, contract, "objectToPayout", objected), *before)
    settlement = SettlePayout(payout, 1, stands=True)
    call = approved(AT, "settlePayout", settlement, escrow, result, 1, True)
    after = Step(BEFORE + 4, contract, "objectToPayout", objected)
    yield case("settle_payout", settlement, call, *before, after)

"""A decision and its explanation in plain English, for the patient, the officer and the auditor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.consent.decision_types import Answer, Decision, DecisionInput, Dimension, Reason
from backend.consent.explaining import ConsentExplained, Explanation, RuleExplained
from backend.consent.tables import Tables
from backend.consent.terms import Kind
from backend.types import to_hex

_SHOWN_BYTES: Final = 4  # of an id, enough for an eye to compare

SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.PERMITTED: "A consent covers all of it, nothing forbids it.",
    Reason.OWN_RECORDS: "It is the patient who asks for their own records.",
    Reason.DELEGATED_READING: "The patient's delegation lets this account read it.",
    Reason.DENIED: "The patient forbids it.",
    Reason.NO_PERMIT: "No consent that counts covers it, and the default is no.",
    Reason.OBLIGATION_UNFULFILLED: "A consent allows it with obligations that the caller cannot carry out.",
    Reason.EVIDENCE_INCOMPLETE: "The documents at hand are not all that the chain counts for this patient.",
    Reason.LEDGER_UNAVAILABLE: "The chain cannot be read now, so nothing was decided.",
    Reason.SUBJECT_UNKNOWN: "The chain does not know this patient.",
    Reason.REQUESTER_UNRESOLVED: "It is not known who asks.",
    Reason.REQUESTER_NOT_IN_STANDING: "The one who asks is no member in standing now.",
    Reason.EMERGENCY_PATH_ONLY: "Breaking the glass is decided by the emergency path only.",
    Reason.PERMITS: "It allows this.",
    Reason.DENIES: "It forbids this.",
    Reason.EXEMPTS: "It forbids, and makes an exception of this.",
    Reason.NOT_FINAL: "It is on the chain and not final yet.",
    Reason.NOT_RECORDED: "It is signed and not on the chain.",
    Reason.NOT_YET_VALID: "It has not begun.",
    Reason.EXPIRED: "It has ended.",
    Reason.REVOKED: "It was revoked.",
    Reason.REVOCATION_PENDING: "Its revocation was received and counts already.",
    Reason.EPOCH_ENDED: "The patient revoked everything given up to then.",
    Reason.USES_EXHAUSTED: "All uses it allows were made.",
    Reason.FREQUENCY_EXHAUSTED: "All uses it allows in this period were made.",
    Reason.ERASE_BY_PASSED: "The day is over by which copies had to be erased.",
    Reason.OTHER_SUBJECT: "It is about another patient.",
    Reason.SLOT_MISMATCH: "What the chain holds is not what was signed.",
    Reason.BEYOND_DELEGATION: "The delegate who signed it gave more than the delegation allows.",
    Reason.REFUSAL: "It refuses one request and says nothing about anything else.",
    Reason.POWER_MISSING: "The delegation does not give this power.",
    Reason.PARENT_ENDED: "A delegation above it has ended or is missing.",
    Reason.OTHER_GRANTEE: "It names somebody else.",
    Reason.GRANTEE_NOT_IN_STANDING: (
        "The organisation that it names is no member in standing now, or the team was left or closed."
    ),
    Reason.OTHER_PURPOSE: "It does not name this purpose.",
    Reason.OTHER_ACTION: "It does not name this action.",
    Reason.OTHER_CATEGORY: "It does not cover these kinds of data.",
    Reason.OTHER_SENSITIVITY: "It does not cover data protected in this way.",
    Reason.OTHER_DATA_PERIOD: "It does not cover data of this time.",
}
_ANSWERS: Final[Mapping[Answer, str]] = {
    Answer.PERMIT: "Permitted",
    Answer.DENY: "Denied",
    Answer.NO_CONSENT: "No consent",
    Answer.UNAVAILABLE: "Not decided",
}


def sentence(request: DecisionInput, decision: Decision, tables: Tables) -> str:
    """Return the decision in two or three sentences."""
    segment = request.segment
    data = ", ".join(tables.categories.words(segment.categories, "en")) or "data without category"
    protected = ", ".join(tables.sensitivities.words(segment.sensitivities, "en"))
    asked = (
        f"{''.join(tables.actions.words(request.action, 'en'))} for "
        f"{''.join(tables.purposes.words(request.purpose, 'en'))}: {data}"
        + (f", protected as {protected}" if protected else "")
    )
    parts = [
        f"{_ANSWERS[decision.answer]}: {asked}.",
        *(SENTENCES[reason] for reason in decision.reasons),
    ]
    if decision.consent_ids:
        parts.append(f"Settled by {', '.join(map(short, decision.consent_ids))}.")
    if decision.obligations:
        parts.append(f"Obligations: {'; '.join(tables.obligations.words(decision.obligations, 'en'))}.")
    return " ".join(parts)


def explanation_to_json(explanation: Explanation) -> list[dict[str, Any]]:
    """Return what each consent and each rule said, for programs and, in ``text``, for people."""
    return [_consent_to_json(consent) for consent in explanation.consents]


def lines(explanation: Explanation) -> Iterator[str]:
    """Yield the explanation as text, a line a consent and an indented one a rule."""
    for consent in explanation.consents:
        yield f"{short(consent.consent_id)} {kind_of(consent)}: {why(consent)}"
        for rule in consent.rules:
            yield f"    {rule_text(rule)}"


def short(name: bytes) -> str:
    return f"{to_hex(name[:_SHOWN_BYTES])}…"


def _consent_to_json(consent: ConsentExplained) -> dict[str, Any]:
    standing = consent.standing
    return {
        "consent": to_hex(consent.consent_id),
        "kind": kind_of(consent),
        "reason": None if consent.reason is None else consent.reason.value,
        "permissionCounts": None if standing is None else standing.permits,
        "restrictionCounts": None if standing is None else standing.restricts,
        "against": [dimension.value for dimension in consent.against],
        "text": why(consent),
        "rules": [
            {
                "rule": rule.position,
                "effect": "permit" if rule.permit else "deny",
                "rank": rule.rank,
                "applies": rule.applies,
                "decides": rule.decides,
                "against": [dimension.value for dimension in rule.against],
                "text": rule_text(rule),
            }
            for rule in consent.rules
        ],
    }


def kind_of(consent: ConsentExplained) -> str:
    """Return what kind of document it is: permit, deny, refusal, delegation or guardianship."""
    return Kind(consent.document.kind).name.lower()


def why(consent: ConsentExplained) -> str:
    """Return what one consent said, and in what it is not about what is asked."""
    why = "It was not looked at." if consent.reason is None else SENTENCES[consent.reason]
    return why + _differing(consent.against)


def rule_text(rule: RuleExplained) -> str:
    """Return what one rule did."""
    name = f"rule {rule.position} ({'allows' if rule.permit else 'forbids'}, rank {rule.rank:05b})"
    if rule.in_part:
        return (
            f"{name}: covers a part only and allows nothing; what it demands counts all the same, unless a "
            f"more specific rule allows all of it.{_differing(rule.against)}"
        )
    if not rule.applies:
        return f"{name}: does not apply.{_differing(rule.against)}"
    return f"{name}: applies and {'decides' if rule.decides else 'is not the one that decides'}."


def _differing(against: tuple[Dimension, ...]) -> str:
    words = ", ".join(dimension.value.replace("_", " ") for dimension in against)
    return f" Not about what is asked in: {words}." if words else ""

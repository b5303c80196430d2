"""What can be wrong with a consent, a command or a request to decide. Families are in ``backend.errors``."""

from __future__ import annotations

from backend.errors import Conflict, IntegrityError, InvalidInput, NotFound, NotPermitted


class UnderErasure(Conflict):
    """Somebody would write about a person whose data are being erased, or were."""

    code = "under_erasure"
    remedy = "This patient's data are being erased, or were: nothing more is stored for this subject id."


class UnknownCode(InvalidInput):
    """A code or a language that the published tables do not have."""

    code = "unknown_code"
    remedy = "Use a code of the published tables: GET /v1/tables."


class UnknownBit(InvalidInput):
    """A mask has a bit set that the published table gives no meaning to."""

    code = "unknown_bit"
    remedy = "Clear the bits that the published table does not name."


class InvalidTerms(InvalidInput):
    """A consent, a delegation or a command that no signature could make valid."""

    code = "invalid_terms"
    remedy = "Correct the named field, then have it signed again."


class RulesContradict(InvalidInput):
    """A rule of a permit allows what another, no less specific, forbids whole: it would never apply."""

    code = "rules_contradict"
    remedy = "Leave one of the two rules out, or narrow the one that forbids."


class SummaryMismatch(InvalidInput):
    """The summary in the signed terms is not the published text for the other terms."""

    code = "summary_mismatch"
    remedy = "Take the summary that the service offers for these terms, unchanged, and sign again."


class NoticeInvalid(InvalidInput):
    """A text that cannot be published as a notice."""

    code = "notice_invalid"
    remedy = "Publish UTF-8 text or Markdown in one of the languages of the summaries."


class NoticeUnknown(NotFound):
    """No notice with this hash is kept here."""

    code = "notice_unknown"
    remedy = "Take the hash from the signed terms, or from GET /v1/notices."


class NoticeNotPublished(InvalidInput):
    """The terms name a notice that nobody could have been shown here."""

    code = "notice_not_published"
    remedy = "Take a new draft, which names a published notice: GET /v1/notices lists them."


class NoticeInAnotherLanguage(InvalidInput):
    """The notice is not in the language of the terms."""

    code = "notice_in_another_language"
    remedy = "Name a notice in the language of the terms, or ask for the draft in the notice's language."


class NoticeDamaged(IntegrityError):
    """The index gave another text than the hash names."""

    code = "notice_damaged"
    remedy = "Tell the operator: 'assent notices add' with the original file mends it."


class SignedForSucceeded(InvalidInput):
    """A good signature for a contract that another one has succeeded."""

    code = "signed_for_succeeded_contract"
    remedy = (
        "The contract that this was signed for has a successor, which it does not count in. Sign a new draft."
    )


class SignatureInvalid(InvalidInput):
    """The bytes are not a canonical signature (65 bytes, low s, recovery id 0, 1, 27 or 28)."""

    code = "signature_invalid"
    remedy = "Sign with eth_signTypedData_v4 and send the 65 bytes as the wallet returned them."


class WiderThanRequest(InvalidInput):
    """A grant gives more than the request that it answers asked for."""

    code = "wider_than_request"
    remedy = "Narrow the named field to what was asked for."


class WiderThanParent(InvalidInput):
    """A delegate gives more than the delegation allows."""

    code = "wider_than_parent"
    remedy = "Narrow the named field to what the delegation allows."


class ConsentRequired(NotPermitted):
    """The one refusal a requester sees, whatever the reason (invariant 10)."""

    code = "consent_required"
    remedy = "Ask the patient for consent: POST /v1/consent-requests."


class CareTeamUnknown(NotFound):
    """No care team of this id, no such participant in it, or no such version; or you may not see it."""

    code = "care_team_unknown"
    remedy = "Take the team's id as its organisation gives it, and the digest as the access list has it."


class CareTeamClosed(Conflict):
    """The team was closed by its organisation: nobody is in it, and nothing can be permitted to it."""

    code = "care_team_closed"
    remedy = "Ask the organisation which team has taken its place."


class CareTeamFull(Conflict):
    code = "care_team_full"
    remedy = "Make another team: one has at most 500 participants, with those who have left it."


class ParticipantPresent(Conflict):
    """The account or client is in the team during a part of this period already."""

    code = "participant_present"
    remedy = "Remove the participant first, or give a period that begins when the other one has ended."


class CareTeamsDamaged(IntegrityError):
    """What the index holds of the care teams is not what was stored there, or an older state of it."""

    code = "care_teams_damaged"
    remedy = (
        "Nothing is decided for those who may be in a team. Restore index and key store of one moment, "
        "then start again."
    )


class RestrictionArrived(Conflict):
    """The patient restricted access after the decision was made and before it was recorded."""

    code = "restriction_arrived"
    remedy = "Ask again; the decision is made anew."


class EvidenceGone(NotFound):
    """Something that a decision of the past rested on is not kept any more, or never was."""

    code = "evidence_gone"
    remedy = "It was erased, or written before the log kept it. What the entry itself says still holds."

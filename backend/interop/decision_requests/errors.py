"""Why a question is not put to the decision. ``field`` is the path of the member in the request, such as
``context.purposeOfUse`` or ``Request.Resource.patientId``."""

from __future__ import annotations

from backend.errors import InvalidInput, NotPermitted


class DecisionClaimMissing(InvalidInput):
    """A claim that the decision needs is not there, or is empty."""

    code = "decision_claim_missing"
    remedy = "Add the named claim. Nothing was decided: this is not NO_CONSENT."


class DecisionClaimUnknown(InvalidInput):
    """A claim, its code or its code system is not known here. It is never left out of the question."""

    code = "decision_claim_unknown"
    remedy = "Use the claims and codes of docs/decision_interfaces.md. Nothing was decided."


class DecisionClaimMalformed(InvalidInput):
    """A member has another JSON type, or says more than one thing where a decision has one."""

    code = "decision_claim_malformed"
    remedy = "Correct the named member; ask one question at a time. Nothing was decided."


class DecisionActorOther(NotPermitted):
    """The actor is not the caller. Only the patient and reviewers ask what others may do."""

    code = "decision_actor_other"
    remedy = "Name yourself, or an organisation that you act for now."

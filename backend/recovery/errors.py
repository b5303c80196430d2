"""Errors of recovery."""

from __future__ import annotations

from backend.errors import Conflict, IntegrityError, InvalidInput, NotFound


class GuardianUnfit(InvalidInput):
    """One of those named is no guardian of this patient now, or is named twice."""

    code = "guardian_unfit"
    remedy = "Name guardians who have signed nothing yet and whose guardianship counts now, each person once."


class NotGuardian(NotFound):
    """The account is not among those whom the patient named for recovery, or no longer counts."""

    code = "recovery_not_guardian"
    remedy = (
        "Sign in with the account that the patient named. If it is the one, the patient named others since."
    )


class RecoveryUnknown(NotFound):
    code = "recovery_unknown"
    remedy = (
        "Nobody has begun this recovery, or it is over. A guardian opens the link of the new account first."
    )


class RecoveryNotNamed(Conflict):
    code = "recovery_not_named"
    remedy = (
        "The patient has named nobody for recovery. Go to the desk of the hospital with proof of identity."
    )


class RecoveryIsPending(Conflict):
    code = "recovery_is_pending"
    remedy = "A recovery waits already. It has to be stopped, be completed or lapse first."


class RecoveryNotPending(Conflict):
    code = "recovery_not_pending"
    remedy = "There is no recovery to stop or to complete. Look at the state again."


class RecoveryNotDue(Conflict):
    code = "recovery_not_due"
    remedy = "Wait until the time that the state names; the service completes it then by itself."


class VetoIsSpent(Conflict):
    code = "recovery_veto_spent"
    remedy = "It was stopped once before, and now the desk stands behind it. Go to the desk at once."


class DeskNotNeeded(Conflict):
    code = "recovery_desk_not_needed"
    remedy = "The guardians do this alone. The desk is needed beside them once a recovery was stopped."


class RecoveryDraftOutdated(Conflict):
    code = "recovery_draft_outdated"
    remedy = "Others sign another version, or the time to sign is over. Take a new draft and sign that."


class RecoverySelf(InvalidInput):
    """The account to recover to is the one that controls the records, or a guardian's."""

    code = "recovery_self"
    remedy = "Name the new account of the patient, which is neither the old one nor a guardian's."


class PolicyMissing(IntegrityError):
    """The chain names a policy whose opening is not here."""

    code = "recovery_policy_missing"
    remedy = "Tell the operator, who restores the index from its backup. Until then nobody can recover it."

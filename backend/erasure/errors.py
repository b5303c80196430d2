"""What can be wrong with an erasure or a hold."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound, NotPermitted, Unavailable


class ErasureUnknown(NotFound):
    """There is no such erasure, or it is not the caller's, or the receipt code is another one's."""

    code = "erasure_unknown"
    remedy = "Check the erasure's id, and the receipt code that came with it."


class ErasureNotYours(NotPermitted):
    """Somebody with less than a guardianship would erase, or cancel an erasure, for a patient."""

    code = "erasure_not_yours"
    remedy = (
        "The patient or a guardian asks for it with their wallet, or the privacy officer is asked in writing."
    )


class ErasureUnderWay(Conflict):
    code = "erasure_under_way"
    remedy = "This is being erased already: GET /v1/erasures shows the erasure."


class ErasureBegun(Conflict):
    """Destroying has begun: there is nothing left to keep."""

    code = "erasure_begun"
    remedy = (
        "An erasure can be cancelled until its grace time is over; this one is being carried out, or is done."
    )


class ErasureNotDone(Conflict):
    code = "erasure_not_done"
    remedy = (
        "The receipt is there once everything is destroyed: GET /v1/erasures/{id} tells when that is due."
    )


class ErasureWaits(Unavailable):
    """Something about the person is still being written; the erasure goes on when it has come to its end."""

    code = "erasure_waits"
    remedy = "The erasure goes on by itself when what is under way has come to its end."


class HoldUnknown(NotFound):
    code = "hold_unknown"
    remedy = "Check the id of the legal hold: GET /v1/legal-holds lists them."


class NothingToHold(Conflict):
    code = "nothing_to_hold"
    remedy = "What should be kept is being destroyed, or is erased: there is nothing left to keep."


class HoldPeriodInvalid(InvalidInput):
    code = "hold_period_invalid"
    remedy = "A legal hold ends at a time in the future."

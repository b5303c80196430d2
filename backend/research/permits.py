"""Does the ethics board's permit on the chain cover this study now?"""

from __future__ import annotations

from backend.research.errors import StudyNotPermitted
from backend.research.study import State, Study
from backend.research.types import Permit


def require_permitted(study: Study, permit: Permit | None, now: int) -> Permit:
    """Return the permit; raises StudyNotPermitted unless everything holds.

    The state in the index can only restrict: an approval there without a live permit on the chain is nothing.
    """
    proposal = study.proposal
    if (
        permit is None
        or not permit.is_live
        or study.state is not State.APPROVED
        or permit.rules != study.rules
        or not permit.not_before <= now < permit.not_after
        or not proposal.not_before <= now < proposal.not_after
    ):
        raise StudyNotPermitted
    return permit

"""What members of the ethics board sign to permit a study: PermitStudy of exactly this proposal."""

from __future__ import annotations

from typing import Final

from backend.consent.member_terms import PermitStudy
from backend.research.study import Study
from backend.types import Bytes32, UnixSeconds

SUBMIT_WITHIN_SECONDS: Final = 7 * 24 * 3600


def permit_for(study: Study, *, submit_by: UnixSeconds) -> PermitStudy:
    """Return the permit for the proposal's period. ``rules`` is the digest of the whole proposal, word for
    word, and of the conditions; ``submit_by`` comes with the signature.
    """
    proposal = study.proposal
    return PermitStudy(
        study=Bytes32(study.study_id),
        rules=study.rules,
        not_before=proposal.not_before,
        not_after=proposal.not_after,
        submit_by=submit_by,
    )

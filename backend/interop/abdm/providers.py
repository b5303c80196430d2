"""Which providers an ABDM artefact is made for: those with records open under the consent.

It is the decision of a read that tells, so an artefact names no record, and no provider by its records, that
the grantee could not read.
"""

from __future__ import annotations

from collections.abc import Sequence

from backend.consent.deciding import DecisionService, Question
from backend.consent.decision_types import Answer, Requester
from backend.consent.terms import Grant
from backend.interop.abdm.artefact import Provider
from backend.records.judging import asked_of
from backend.records.manifests import ManifestBook
from backend.types import ConsentId, MemberId, RecordId


class ProviderBook:
    """``custodian`` is always one of the providers: it holds what will be stored later."""

    def __init__(self, *, custodian: MemberId, manifests: ManifestBook, decisions: DecisionService) -> None:
        self._custodian = custodian
        self._manifests = manifests
        self._decisions = decisions

    def of(self, grant: Grant, consent: ConsentId) -> Sequence[Provider]:
        """Return the providers, the custodian first. Raises Unavailable, IntegrityError."""
        found: dict[MemberId, list[RecordId]] = {self._custodian: []}
        parts = [
            (manifest, asked_of(manifest, segment))
            for manifest in self._manifests.of_subject(grant.subject)
            for segment in manifest.segments
        ]
        # ABDM's artefact has one purpose and one mode.
        action = grant.terms.actions & -grant.terms.actions
        question = Question(grant.subject, Requester(actor=grant.terms.grantee), grant.terms.purposes, action)
        decisions = self._decisions.decide(question, [part for _, part in parts]) if parts else ()
        for (manifest, _), decision in zip(parts, decisions, strict=True):
            if decision.answer is Answer.PERMIT and consent in decision.consent_ids:
                records = found.setdefault(manifest.author, [])
                if manifest.record_id not in records:
                    records.append(manifest.record_id)
        return [Provider(member, records) for member, records in found.items()]

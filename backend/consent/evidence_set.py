"""Evidence with what a decision looks up in it, worked out once for as long as the chain says the same.

Most consents of a patient name somebody else. A decision weighs those that name its requester, or everyone,
so that its time depends on these and not on how many consents the patient ever gave.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from backend.consent.decision_types import Evidence, Requester
from backend.consent.terms import EVERYONE, Delegation
from backend.types import ConsentId, SubjectId, UnixSeconds


class EvidenceSet(tuple[Evidence, ...]):
    """The evidence as it was given, and indexes of it, each made when it is first asked for."""

    @classmethod
    def of(cls, evidence: Sequence[Evidence]) -> EvidenceSet:
        """Return the evidence as a set; one that is a set already is returned as it is."""
        return evidence if isinstance(evidence, cls) else cls(evidence)

    @cached_property
    def by_id(self) -> Mapping[ConsentId, Evidence]:
        """The evidence by id and in its order. Of two for one document the more restrictive one is kept."""
        distinct: dict[ConsentId, Evidence] = {}
        for item in self:
            name = item.prepared.consent_id
            other = distinct.get(name)
            if other is None or _restriction(item) > _restriction(other):
                distinct[name] = item
        return dict(sorted(distinct.items(), key=lambda entry: entry[0]))

    def naming(self, requester: Requester) -> list[Evidence]:
        """Return, in the order of ids, all that can say anything to the requester: what else there is names
        others."""
        places: set[int] = set()
        for name in {EVERYONE, *requester.names, requester.account}:
            places.update(self._places.get(name, ()))
        ordered = self._ordered
        return [ordered[place] for place in sorted(places)]

    def recorded(self, subject: SubjectId) -> tuple[int, int]:
        """Return how many of the documents the subject's count includes, at the final block and at the head.

        A slot with start zero was revoked before it was recorded and is not in the subject's count.
        """
        final, head = self._recorded
        return final[subject], head[subject]

    @cached_property
    def _ordered(self) -> tuple[Evidence, ...]:
        return tuple(self.by_id.values())

    @cached_property
    def _places(self) -> Mapping[bytes | str | None, list[int]]:
        """Where in the order of ids stands what names a member, or an account as delegate."""
        places: dict[bytes | str | None, list[int]] = defaultdict(list)
        for place, item in enumerate(self._ordered):
            document = item.prepared.document
            name = document.delegate if isinstance(document, Delegation) else document.terms.grantee
            places[name].append(place)
        return places

    @cached_property
    def _recorded(self) -> tuple[Counter[SubjectId], Counter[SubjectId]]:
        counts: tuple[Counter[SubjectId], Counter[SubjectId]] = (Counter(), Counter())
        for item in self._ordered:
            for count, slot in zip(counts, (item.final, item.head), strict=True):
                if slot.kind != 0 and slot.not_before != 0:
                    count[slot.subject] += 1
        return counts


def _restriction(item: Evidence) -> tuple[bool, int, int, tuple[UnixSeconds, ...]]:
    """Return what is greater the less it permits. Uses of unknown time count as made just now."""
    return item.revocation_pending, item.taken.made, -len(item.taken.at), item.taken.at

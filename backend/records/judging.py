"""What the decisions on the segments of a record come to: what may leave, and what a condition keeps back.

Pure, so that an entry of the log can be judged again: reading and replaying share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.consent.decision_types import Answer, Decision, dependents_of_record, reference_of_record
from backend.consent.decision_types import Segment as Asked
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.obligations import united, withholds

Part = Callable[[SegmentManifest], bool]
Decide = Callable[[Sequence[Asked]], Sequence[Decision]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A record with the decision on each of its segments that was asked about."""

    manifest: Manifest
    asked: tuple[str, ...]  # names of these segments; empty where they are all of it
    decisions: tuple[Decision, ...]
    permitted: tuple[tuple[SegmentManifest, Decision], ...]
    withheld: int  # segments that are permitted and stay behind for a condition

    @property
    def obligations(self) -> int:
        return united(decision for _, decision in self.permitted)


def judge(manifests: Sequence[Manifest], wanted: Part, decide: Decide) -> list[Judged]:
    """Judge the wanted segments of all these records, decided together on the same evidence."""
    parts = [[part for part in manifest.segments if wanted(part)] for manifest in manifests]
    asked = [asked_of(manifest, part) for manifest, of in zip(manifests, parts, strict=True) for part in of]
    decisions = iter(decide(asked) if asked else ())
    judged = []
    for manifest, of in zip(manifests, parts, strict=True):
        pairs = [(part, next(decisions)) for part in of]
        permitting = [pair for pair in pairs if pair[1].answer is Answer.PERMIT]
        # The same for all that goes out together: a part with a name would tell whose the others are.
        obligations = united(decision for _, decision in permitting)
        permitted = tuple(pair for pair in permitting if not _withholds(obligations, pair[0]))
        judged.append(
            Judged(
                manifest,
                () if len(of) == len(manifest.segments) else tuple(part.name for part in of),
                tuple(decision for _, decision in pairs),
                permitted,
                len(permitting) - len(permitted),
            )
        )
    return judged


def asked_of(manifest: Manifest, part: SegmentManifest) -> Asked:
    """Return what a decision about one segment of a record is asked."""
    belongs_to = map(dependents_of_record, (manifest.record_id, *manifest.related))
    return Asked(
        categories=part.categories,
        sensitivities=part.sensitivities,
        data_from=part.data_from,
        data_to=part.data_to,
        references=frozenset({reference_of_record(manifest.record_id), manifest.author, *belongs_to}),
    )


def _withholds(obligations: int, part: SegmentManifest) -> bool:
    return withholds(obligations, sensitivities=part.sensitivities, media_type=part.media_type)

"""What a grant must let through, worked out from the source bundle without asking the service.

The oracle of the story: plain mask arithmetic over the labelled segments of the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.records.fhir import validate_bundle
from backend.records.references import release
from backend.records.segments import Segment, segment


@dataclass(frozen=True, slots=True)
class Covered:
    """Masks and window of a grant, as signed. ``without`` are sensitivities a rule exempts."""

    categories: int
    sensitivities: int
    data_from: int = 0
    data_to: int = 2**40 - 1
    without: int = 0

    def covers(self, part: Segment) -> bool:
        return (
            not part.categories & ~self.categories
            and not part.sensitivities & ~self.sensitivities
            and not part.sensitivities & self.without
            and self.data_from <= part.data_from
            and part.data_to <= self.data_to
        )


def segments_of(raw: bytes) -> tuple[Segment, ...]:
    """Label and split a bundle as the service does on the way in."""
    return segment(validate_bundle(raw))


def released(parts: tuple[Segment, ...], covered: Covered) -> dict[str, bytes]:
    """Return name to bytes of what must come out: the stored bytes without references to what stays in."""
    permitted = [(number, part) for number, part in enumerate(parts) if covered.covers(part)]
    payloads = release([part.payload for _, part in permitted])
    return {f"s{number:04d}": payload for (number, _), payload in zip(permitted, payloads, strict=True)}

"""What a release can meet, and what a condition takes away."""

from __future__ import annotations

import pytest

from backend.audit.entry import Action
from backend.consent.tables import load_tables
from backend.records import obligations as o
from backend.records.segments import FHIR_MEDIA_TYPE

TABLE = load_tables().obligations


def test_bits_are_those_of_the_table() -> None:
    named = {"redact_labels": o.REDACT_LABELS, "aggregate_only": o.AGGREGATE_ONLY, "no_export": o.NO_EXPORT,
             "notify": o.NOTIFY, "de_identify": o.DE_IDENTIFY}  # fmt: skip
    assert named == {code: 1 << bit for code, bit in TABLE.bits.items()}
    assert TABLE.all_bits == o.OF_A_STUDY


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("by_person", [True, False])
def test_nothing_leaves_the_system_only_when_a_person_looks(action: Action, by_person: bool) -> None:
    met = o.fulfilled(action, by_person=by_person)
    assert bool(met & o.NO_EXPORT) is (by_person and action in ("access", "use", "query"))
    assert not met & o.AGGREGATE_ONLY
    assert met & (o.REDACT_LABELS | o.NOTIFY | o.DE_IDENTIFY) == o.REDACT_LABELS | o.NOTIFY | o.DE_IDENTIFY


@pytest.mark.parametrize(
    ("obligations", "sensitivities", "media_type", "taken"),
    [
        (0, 1, "image/png", False),
        (o.REDACT_LABELS, 0, FHIR_MEDIA_TYPE, False),
        (o.REDACT_LABELS, 1, FHIR_MEDIA_TYPE, True),
        (o.REDACT_LABELS, 1 << 31, FHIR_MEDIA_TYPE, True),  # nobody has checked it
        (o.DE_IDENTIFY, 0, FHIR_MEDIA_TYPE, False),
        (o.DE_IDENTIFY, 0, "image/png", True),
        (o.NOTIFY | o.NO_EXPORT, 1, "image/png", False),
    ],
)
def test_condition_takes_away(obligations: int, sensitivities: int, media_type: str, taken: bool) -> None:
    assert o.withholds(obligations, sensitivities=sensitivities, media_type=media_type) is taken

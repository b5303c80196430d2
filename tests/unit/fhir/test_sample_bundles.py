"""The generated bundles, and the published synthetic ones where they are at hand."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from backend.errors import InvalidInput
from backend.records.fhir import validate_bundle
from backend.records.fhir_dates import ALL_TIME
from backend.records.label_coverage import coverage
from backend.records.references import release
from backend.records.segments import segment
from scripts.generate_bundles import TODAY, encode, generate, main

TIMELESS = {"other", "demographics+contact+identifiers"}
SYNTHEA = Path(__file__).resolve().parents[4] / "shared" / "data" / "synthea"


def test_generated_bundles_are_valid_known_and_of_many_kinds() -> None:
    kinds: set[str] = set()
    minors = 0
    for bundle in generate(20, 1):
        accepted = validate_bundle(encode(bundle))
        assert coverage([accepted]).unlabelled == 0, coverage([accepted])
        kinds |= {part.kind for part in segment(accepted)}
        born = date.fromisoformat(accepted.patient.content["birthDate"])
        minors += (TODAY - born).days < 18 * 365
    assert minors == 4
    labels = {kind.partition("/")[2] for kind in kinds}
    assert labels >= {
        "", "BH+MH", "HIV", "STD", "SDV+VIO", "PSY+BH+MH", "PREGNANT",
        "ETH+ETHUD+SUD+BH", "ETH+OPIOIDUD+SUD+BH",
    }  # fmt: skip
    assert kinds >= {
        "laboratory",
        "vital_signs",
        "medications",
        "immunizations",
        "procedures",
        "allergies",
        "notes",
    }


def test_generation_depends_on_seed_and_number_only(tmp_path: Path) -> None:
    assert generate(3, 7) == generate(5, 7)[:3]
    assert generate(1, 7) != generate(1, 8)
    assert main([str(tmp_path / "out"), "--count", "2", "--seed", "7"]) == 0
    assert [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())] == [
        encode(b) for b in generate(2, 7)
    ]


def test_damaged_bundles_are_refused_by_name_or_handled_whole() -> None:
    body = encode(generate(1, 2)[0])
    chance = random.Random(11)
    for _ in range(40):
        at = chance.randrange(len(body))
        damaged = body[:at] + chance.choice((b'"', b"{", b"0", b"null", b"[]", b"\\", b"")) + body[at + 1 :]
        try:
            accepted = validate_bundle(damaged)
        except InvalidInput:
            continue
        parts = segment(accepted)
        assert sum(part.resources for part in parts) == len(accepted.resources)
        release(part.payload for part in parts[::2])


@pytest.mark.skipif(not SYNTHEA.is_dir(), reason="the sample folder with Synthea bundles is not here")
def test_synthea_bundles_are_known_and_dated() -> None:
    resources = unlabelled = undated = 0
    for path in sorted(SYNTHEA.glob("*.json"))[::3]:
        accepted = validate_bundle(path.read_bytes())
        found = coverage([accepted])
        resources += found.resources
        unlabelled += found.unlabelled
        parts = segment(accepted)
        assert sum(part.resources for part in parts) == found.resources
        clinical = [part for part in parts if part.kind not in TIMELESS]
        undated += sum(p.resources for p in clinical if (p.data_from, p.data_to) == ALL_TIME)
    assert unlabelled / resources < 0.02
    assert undated / resources < 0.02

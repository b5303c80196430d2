"""``assent labels``: what a folder holds that no table knows, and whether a map can be relied on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.cli import app
from tests.unit.fhir.bundles import SNOMED, bundle, concept, condition, observation, raw

LOCAL = "urn:oid:2.999.1"
MAP = {
    "format": "assent-label-map/1",
    "version": "2026-03",
    "reviewer": "medical records committee",
    "reviewed_on": "2026-03-01",
    "mappings": [
        {"system": LOCAL, "code": "HT", "sensitivities": [], "reason": "high blood pressure, as 59621000"}
    ],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # no settings file, no data directory
    data = tmp_path / "data"
    data.mkdir()
    local = condition()
    local["resource"]["code"] = {
        "coding": [{"system": LOCAL, "code": "HT", "display": "[b]hypertension[/b]"}]
    }
    measured = observation()
    measured["resource"]["code"] = concept("HT", LOCAL)
    (data / "one.json").write_bytes(raw(bundle(local, measured, condition(1, code="987"))))
    (data / "two.json").write_bytes(raw(local["resource"]))
    return data


def run(*arguments: str | Path) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["labels", *map(str, arguments)])
    return result.exit_code, result.output


def test_coverage_lists_unknown_codes_commonest_first(folder: Path) -> None:
    status, output = run("coverage", folder, "--json")
    found = json.loads(output)
    assert status == 0
    assert found["coverage"]["codes"] == [
        {
            "system": LOCAL,
            "code": "HT",
            "display": "[b]hypertension[/b]",
            "count": 3,
            "resource_types": ["Condition", "Observation"],
        },
        {"system": SNOMED, "code": "987", "display": "", "count": 1, "resource_types": ["Condition"]},
    ]
    assert (found["files"], found["coverage"]["resources"], found["coverage"]["unlabelled"]) == (2, 5, 4)
    status, output = run("coverage", folder)
    assert status == 0
    assert "[b]hypertension[/b]" in output


def test_coverage_with_a_map_no_longer_lists_what_it_maps(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(MAP))
    _, output = run("coverage", folder, "--map", path, "--json")
    assert [row["code"] for row in json.loads(output)["coverage"]["codes"]] == ["987"]
    beside = tmp_path / "kept" / "label-map.json"
    beside.parent.mkdir()
    beside.write_text(json.dumps(MAP))
    _, again = run("coverage", folder, "--data-directory", beside.parent, "--json")
    assert again == output


def test_coverage_names_the_files_it_could_not_read(folder: Path) -> None:
    (folder / "three.json").write_text('{"resourceType": "Observation"}')
    status, output = run("coverage", folder, "--json")
    assert status == 1
    assert [(item["file"], item["code"]) for item in json.loads(output)["refused"]] == [
        ("three.json", "fhir_invalid")
    ]


def test_check_prints_the_digests_or_the_fault(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(MAP))
    status, output = run("check", path, "--json")
    assert status == 0
    answer = json.loads(output)
    assert (answer["mappings"], answer["reviewed_on"]) == (1, "2026-03-01")
    assert len({answer["map_digest"], answer["published_digest"], answer["digest"]}) == 3
    path.write_text(json.dumps(MAP | {"reviewed_on": "yesterday"}))
    status, output = run("check", path)
    assert status == 2
    assert "label_map_invalid" in output
    assert "reviewed_on: " in output

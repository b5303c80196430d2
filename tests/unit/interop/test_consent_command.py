"""``assent consent``: a consent goes out as FHIR and comes back as the same message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.consent.terms_json import to_json
from backend.errors import InvalidInput
from backend.interop.fhir_consent.source import load_json
from scripts.vectors import world as w
from tests.unit.interop.artefacts import r4

SUBJECT = f"0x{w.SUBJECT:024x}"
CUSTODIAN = "0x" + w.HOSPITAL.hex()
NAMES = {"patients": ["Patient/52"], "members": {"Organization/clinic": "0x" + w.CLINIC.hex()}}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["consent", *arguments])


def written(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value))
    return str(path)


@pytest.mark.parametrize("form", [["--fhir", "r4"], ["--fhir", "r4", "--no-pcf"], ["--fhir", "r5"]])
def test_export_and_import_give_the_message_back(tmp_path: Path, form: list[str]) -> None:
    message = to_json(w.grant(max_uses=2))
    view = {"message": message, "received_at": "2026-01-31T12:00:00Z"}
    exported = run("export", written(tmp_path / "c.json", view), "--custodian", CUSTODIAN, *form)
    assert exported.exit_code == 0, exported.output
    assert "maxUses" in exported.stderr
    (tmp_path / "f.json").write_text(exported.stdout)
    imported = run("import", str(tmp_path / "f.json"), "--subject", SUBJECT)
    answer = json.loads(imported.stdout)
    assert answer["unchanged_export"] is True
    assert answer["messages"] == [message]


def test_import_of_another_systems_consent_prints_what_to_sign(tmp_path: Path) -> None:
    arguments = [
        "--subject",
        SUBJECT,
        "--names",
        written(tmp_path / "n.json", NAMES),
        "--zone",
        "Europe/Berlin",
    ]
    consent = written(tmp_path / "c.json", r4(period={"end": "2026-12-31"}))
    answer = json.loads(run("import", consent, *arguments).stdout)
    (message,) = answer["messages"]
    assert message["terms"]["grantee"] == "0x" + w.CLINIC.hex()
    assert message["notAfter"] == 1_798_758_000  # 2027-01-01T00:00:00+01:00
    assert message["terms"]["summary"]
    assert answer["notes"][0]["field"] == "Consent"


def test_refusal_names_the_element_and_ends_with_2(tmp_path: Path) -> None:
    names = written(tmp_path / "n.json", NAMES)
    refused = run("import", written(tmp_path / "c.json", r4(None)), "--subject", SUBJECT, "--names", names)
    assert refused.exit_code == 2
    assert "fhir_consent_incomplete: Consent.provision.type" in refused.stderr
    assert run("import", "nowhere.json", "--subject", SUBJECT).exit_code == 2
    assert run("import", names, "--subject", "0x0").exit_code == 2
    assert run("export", names, "--custodian", CUSTODIAN, "--fhir", "r6").exit_code == 2


@pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"[" * 100, b" " * 2**21, b"{"])
def test_json_that_two_readers_could_take_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        load_json(raw)

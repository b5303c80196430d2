"""What ``assent audit verify`` prints: for people a table with the result in the last line, else JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from backend.audit import verify as verifier
from backend.audit.entry import Outcome
from backend.audit.log import AuditLog
from backend.cli import app
from backend.commands.proof_report import print_report
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, CLINIC, read_event


@pytest.fixture
def bundle(world: World, log: AuditLog, tmp_path: Path) -> Path:
    log.append(read_event(ANNA, number=0))
    world.anchorer(log).run_once()
    log.append(read_event(ANNA, number=1, outcome=Outcome.DENIED))
    path = tmp_path / "accesses.json"
    path.write_text(json.dumps(world.proofs(log).access_list(ANNA)))
    return path


def verify(world: World, path: Path, *options: str) -> Result:
    return CliRunner().invoke(
        app, ["audit", "verify", str(path), "--key", world.signer.verifier_key, *options]
    )


def test_list_is_a_line_an_entry_and_the_result_in_the_last(world: World, bundle: Path) -> None:
    done = verify(world, bundle)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [name in lines[0] for name in ("when", "who", "purpose", "outcome", "consent")] == [True] * 5
    first, second = (line.split() for line in lines[2:4])
    assert first[0] == "0"
    assert {"TREAT", "permitted", "yes", "0x" + CLINIC.hex()[:8] + "…"} <= set(first)
    assert {"1", "denied", "not", "yet"} <= set(second)
    assert lines[-1] == "VERIFIED: 2 entries are in the signed log. No entry of the list is missing."


def test_list_for_programs_is_one_json_value(world: World, bundle: Path) -> None:
    done = verify(world, bundle, "--json")
    assert [entry["index"] for entry in json.loads(done.output)["entries"]] == [0, 1]


def test_bundle_that_was_changed_is_refused_with_what_to_do(world: World, bundle: Path) -> None:
    changed = json.loads(bundle.read_text())
    del changed["entries"][0]
    bundle.write_text(json.dumps(changed))
    done = verify(world, bundle)
    assert done.exit_code == 2
    assert "VERIFIED" not in done.output
    assert "proof_refused" in done.stderr


def test_file_that_is_not_there_and_chain_that_does_not_answer_are_no_refused_proof(
    world: World, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = verify(world, bundle.with_name("none.json"))
    assert (missing.exit_code, "usage" in missing.stderr) == (2, True)

    def no_answer(*_: object) -> None:
        raise ConnectionRefusedError("Connection refused")

    monkeypatch.setattr(verifier, "_rpc", no_answer)
    endpoint = ("--endpoint", "http://chain.example")
    silent = verify(world, bundle, *endpoint, "--contract", "0x" + "00" * 20, "--log-id", "0x" + "00" * 32)
    assert (silent.exit_code, "endpoint_unreachable" in silent.stderr) == (2, True)
    assert "VERIFIED" not in silent.output
    alone = verify(world, bundle, *endpoint)
    assert "--endpoint needs" in alone.stderr


def test_single_entry_does_not_claim_that_there_is_no_other(
    world: World, log: AuditLog, bundle: Path
) -> None:
    bundle.write_text(json.dumps(world.proofs(log).entry(ANNA, log.append(read_event(ANNA, number=2)).index)))
    assert verify(world, bundle).output.splitlines()[-1] == (
        "VERIFIED: 1 entry is in the signed log. It is not shown that no other exists."
    )


def test_text_of_a_bundle_cannot_steer_the_terminal() -> None:
    event: dict[str, Any] = {"type": "\x1b[2J[red]x[/]", "actor": ["client", "a\nb"], "outcome": "permitted"}
    entry = {"index": 0, "recorded_at_ms": 0, "anchored": False, "event": event}
    report = {
        "origin": "o\x1b[1m",
        "size": 1,
        "root": "00",
        "witnesses": [],
        "anchor": None,
        "complete": True,
        "entries": [entry],
    }
    written = io.StringIO()
    print_report(report, Console(file=written, width=200))
    assert "\x1b" not in written.getvalue()
    assert "?[2J[red]x[/]" in written.getvalue()
    assert "a?b" in written.getvalue()

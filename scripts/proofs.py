"""Run the proofs of the contracts: ``python -m scripts.proofs [--match CONTRACT]``.

halmos runs in its own environment: it needs other packages than the program, and is a tool, not a part of
what ships. What it proves is the committed bytecode itself. This asks more of it than its exit status does:
each ``check_`` function of ``tests/proofs`` must be proved, and none may have left out a path because a loop
was longer than the bound.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scripts.properties import proofs_of

ROOT = Path(__file__).resolve().parent.parent
PROOFS = ROOT / "tests" / "proofs"
BUILD = ROOT / ".build" / "proofs"
SHIPPED = ROOT / "backend" / "adapters" / "ledger" / "artifacts"
HALMOS = ROOT / ".venv-proofs" / "bin" / "halmos"

OUTCOMES = {1: "has a counterexample", 2: "timed out", 3: "got stuck", 4: "proves nothing: all paths revert"}


def failures(report: dict[str, Any], expected: set[str]) -> list[str]:
    """Return what is wrong with halmos's JSON report, in sentences; empty if every expected proof holds."""
    results = [result for part in report["test_results"].values() for result in part]
    names = [result["name"].split("(")[0] for result in results]
    wrong = [f"{name} was not run" for name in sorted(expected - set(names))]
    for name, result in zip(names, results, strict=True):
        if result["exitcode"] != 0:
            wrong.append(f"{name} {OUTCOMES.get(result['exitcode'], 'failed')}")
        elif result["num_bounded_loops"]:
            wrong.append(f"{name} left out paths with longer loops")
    if report["exitcode"] != 0 and not wrong:
        wrong.append("halmos failed")
    return wrong


def lay_out() -> None:
    """Write the committed bytecode in the form that halmos reads."""
    place = BUILD / "shipped"
    place.mkdir(parents=True, exist_ok=True)
    for path in SHIPPED.glob("*.json"):
        bytecode = json.loads(path.read_text(encoding="utf-8"))["bytecode"]
        (place / path.name).write_text(json.dumps({"bytecode": {"object": bytecode}}), encoding="utf-8")


def without_code(lines: Iterable[str]) -> Iterator[str]:
    """Leave out halmos's pages of the code that it has no source of: artifacts come without."""
    skipping = False
    for line in lines:
        skipping = line.startswith("WARNING  unknown deployed bytecode") or (
            skipping and line.startswith(" " * 9)
        )
        if not skipping:
            yield line


def run(match: str) -> dict[str, Any]:
    """Build with forge, prove, and return the report; raise SystemExit if there is none."""
    (forge,) = ROOT.glob("node_modules/@foundry-rs/forge-*/bin")
    lay_out()
    report = BUILD / "report.json"
    report.unlink(missing_ok=True)
    # Both solvers come with halmos and are found on the path; nothing is fetched when it runs.
    path = os.pathsep.join([str(forge), str(HALMOS.parent), os.environ["PATH"]])
    out = str((BUILD / "out").relative_to(ROOT))
    command = [str(HALMOS), "--root", str(ROOT), "--config", str(PROOFS / "halmos.toml")]
    command += ["--forge-build-out", out, "--match-contract", match, "--json-output", str(report)]
    environment = os.environ | {"FOUNDRY_PROFILE": "proofs", "PATH": path, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as halmos:
        for line in without_code(halmos.stdout or ()):
            print(line, end="", flush=True)
    if not report.exists():
        raise SystemExit("halmos gave no report")
    made: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return made


def main() -> int:
    """Parse the command line, prove, and say what is missing; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--match", default="Proof$", help="pattern of the contracts' names, all without")
    match = parser.parse_args().match
    expected = {
        name
        for path in PROOFS.glob("*.t.sol")
        if re.search(match, f"{path.name.removesuffix('.t.sol')}Proof")
        for name in proofs_of(path.read_text(encoding="utf-8"))
    }
    wrong = failures(run(match), expected)
    print("\n".join(wrong) if wrong else f"{len(expected)} proofs hold.", file=sys.stderr)
    return 1 if wrong or not expected else 0


if __name__ == "__main__":
    sys.exit(main())

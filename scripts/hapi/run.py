"""Validate what we emit as FHIR R4 with the HAPI validator, offline: ``python scripts/hapi/run.py``.

Needs Java 17 and Maven, which fetches the jars through its own settings; ``jars.sha256`` says which bytes
they are. Exports of every form have to be free of errors, and resources that break one rule each have to be
refused where they break it.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

from scripts.hapi import definitions, examples

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
JARS: Final = ROOT / ".build" / "hapi" / "jars"
PINS: Final = HERE / "jars.sha256"
OUT_OF_REACH: Final = 75  # EX_TEMPFAIL: nothing was validated
FETCH_SECONDS: Final = 900.0
VALIDATE_SECONDS: Final = 600.0


def fetch() -> None:
    """Fetch the jars when one is missing. Ends the program when any is not the pinned one."""
    if _found() != _pinned():
        shutil.rmtree(JARS, ignore_errors=True)
        JARS.mkdir(parents=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={JARS}", "-DincludeScope=runtime"]
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), *goal]
        try:
            subprocess.run(command, check=True, timeout=FETCH_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            print("Maven could not fetch the validator.")
            sys.exit(OUT_OF_REACH)
    if _found() != _pinned():
        sys.exit(f"The jars are not those of {PINS.name}; --pin writes it anew after a change of pom.xml.")


def pin() -> None:
    """Write down which jars there are now."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(_found().items())]
    PINS.write_text("".join(lines))


def validate(files: list[Path], folder: Path) -> dict[str, list[str]]:
    """Return the errors of each file that has any, by its name."""
    definitions.write(folder)
    command = ["java", "-Xmx1g", "-cp", f"{JARS}/*", str(HERE / "Validate.java"), str(folder)]
    done = subprocess.run(
        [*command, *map(str, files)], capture_output=True, text=True, timeout=VALIDATE_SECONDS, check=False
    )
    errors: dict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        name, severity, _, place, text = line.split("\t", 4)
        if severity in ("error", "fatal"):
            errors[name].append(f"{place}: {text}")
    if done.returncode != (1 if errors else 0):
        sys.exit(f"The validator failed:\n{done.stderr[-4000:]}")
    return dict(errors)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pin", action="store_true", help="write jars.sha256 from the jars fetched")
    if shutil.which("java") is None or shutil.which("mvn") is None:
        sys.exit("The HAPI validator needs Java 17 or newer and Maven.")
    if parser.parse_args().pin:
        pin()
    fetch()
    with tempfile.TemporaryDirectory(prefix="assent-hapi-") as directory:
        folder = Path(directory)
        good, bad = examples.write_good(folder / "good"), examples.write_bad(folder / "bad")
        errors = validate([*good, *bad], folder / "definitions")
    wrong = {path.name: errors[path.name] for path in good if path.name in errors}
    missed = [path.name for path, place in bad.items() if not _refused(errors.get(path.name, []), place)]
    for name, found in wrong.items():
        print(f"{name}: " + "; ".join(found))
    for name in missed:
        print(f"{name}: broken, and not refused")
    print(f"{len(good)} exports, {len(wrong)} with errors; {len(bad)} broken, {len(missed)} not refused")
    return 1 if wrong or missed else 0


def _refused(errors: list[str], place: str) -> bool:
    return len({error for error in errors if not error.startswith(place)}) == 0 < len(errors)


def _found() -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in JARS.glob("*.jar")}


def _pinned() -> dict[str, str]:
    lines = PINS.read_text().splitlines() if PINS.exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


if __name__ == "__main__":
    sys.exit(main())

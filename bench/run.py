"""Measure the goals and write them down.

python -m bench.run [--test-seconds N] [--records N] [--patients N]
  [--only streams,slots,log,labels,deciding,document,large,reading,asking,memory,chain,consents,extracting,
  anonymizing,answering]
python -m bench.run --check     only check the shape of the file
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import (
    anonymizing,
    answering,
    asking,
    chain,
    consents,
    deciding,
    document,
    extracting,
    labels,
    large,
    log,
    machine,
    memory,
    reading,
    slots,
    streams,
)
from bench.results import Result, ResultsMalformed, at_most, read, table, write
from bench.scene import scene

FILE = Path(__file__).parent / "results.json"
PARTS = (
    "deciding",
    "labels",
    "streams",
    "slots",
    "log",
    "document",
    "large",
    "reading",
    "asking",
    "memory",
    "chain",
    "consents",
    "extracting",
    "anonymizing",
    "answering",
)
_SERVED = {"document", "large", "reading", "asking", "memory"}
TEST_GOAL_MINUTES = 15


def main() -> int:
    arguments = _arguments()
    console = Console(width=140)
    if arguments.check:
        try:
            read(arguments.output)
        except ResultsMalformed as fault:
            console.print(f"{arguments.output.name}: {fault}", highlight=False)
            return 1
        return 0
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="assent-bench-") as directory:
        results = _measure(Path(directory), arguments.only.split(","), arguments, console)
    if arguments.test_seconds is not None:
        minutes = arguments.test_seconds / 60
        results.append(at_most("make test, warm", minutes, "min", TEST_GOAL_MINUTES))
    write(arguments.output, results, machine=described, commit=machine.commit())
    read(arguments.output)
    console.print(table(results))
    return 0


def _measure(
    directory: Path, parts: list[str], arguments: argparse.Namespace, console: Console
) -> list[Result]:
    results: list[Result] = []
    if "labels" in parts:
        console.print("labels ...")
        results += labels.measure()
    if "deciding" in parts:
        console.print("pure decisions ...")
        results += deciding.measure()
    if "streams" in parts:
        console.print("content cipher and blocks ...")
        results += streams.measure()
    if "slots" in parts:
        console.print("sealing to a recipient ...")
        results += slots.measure()
    if "log" in parts:
        console.print("audit log ...")
        results += log.measure(directory)
    if _SERVED & set(parts):
        results += _serve(directory, parts, arguments.records, console)
    if "chain" in parts:
        console.print("decisions and gas ...")
        results += chain.measure(directory)
    if "consents" in parts:
        console.print("import of FHIR Consents ...")
        results += consents.measure()
    if "extracting" in parts:
        console.print("a study over encrypted records ...")
        results += extracting.measure(directory, patients=arguments.patients)
    if "anonymizing" in parts:
        console.print("anonymization ...")
        results += anonymizing.measure()
    if "answering" in parts:
        console.print("protected answers and their ledger ...")
        results += answering.measure(directory)
    return results


def _serve(directory: Path, parts: list[str], records: int, console: Console) -> list[Result]:
    """What is measured on one running service."""
    results: list[Result] = []
    with scene(directory) as (service, people):
        if "document" in parts:
            console.print("1 MB document ...")
            results += document.measure(people)
        if "reading" in parts:
            console.print("authorised reads ...")
            results += reading.measure(people)
        if "large" in parts:
            console.print("a document of 2 GiB ...")
            results += large.measure(people, service.data_directory)
        if "memory" in parts:
            console.print("memory ...")
            results += memory.measure(people, service.data_directory, records=records)
        if "asking" in parts:
            console.print("decisions over HTTP ...")
            results += asking.measure(people)
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the goals of the project.")
    parser.add_argument("--check", action="store_true", help="only check the shape of the file")
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--test-seconds", type=float, help="how long 'make test' took, warm")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, with commas between")
    parser.add_argument("--records", type=int, default=memory.RECORDS)
    parser.add_argument("--patients", type=int, default=extracting.PATIENTS, help="of a study")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

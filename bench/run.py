"""Measure the goals and write them down: ``python -m bench.run``, its options by ``--help``.

``--check`` only checks the shape of the file.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench import (
    anonymizing,
    anonymizing_files,
    answering,
    asking,
    chain,
    consents,
    deciding,
    document,
    document_networks,
    enduring,
    extracting,
    granting,
    labels,
    large,
    log,
    machine,
    memory,
    networks,
    pages,
    reading,
    restarting,
    slots,
    streams,
)
from bench.results import Result, ResultsMalformed, at_most, merged, read, read_with_machine, table, write
from bench.scene import scene

FILE = Path(__file__).parent / "results.json"
Work = Callable[[Path, argparse.Namespace], list[Result]]
ServedWork = Callable[[Any, Any, argparse.Namespace], list[Result]]

# name, what is shown while it runs, the work: in this order
_ALONE: Final[Sequence[tuple[str, str, Work]]] = (
    ("labels", "labels", lambda _, __: labels.measure()),
    ("deciding", "pure decisions", lambda _, __: deciding.measure()),
    ("streams", "content cipher and blocks", lambda _, __: streams.measure()),
    ("slots", "sealing to a recipient", lambda _, __: slots.measure()),
    ("log", "audit log", lambda directory, _: log.measure(directory)),
)
_SERVED: Final[Sequence[tuple[str, str, ServedWork]]] = (  # on one running service, with its people
    ("document", "1 MB document", lambda _, people, __: document.measure(people)),
    ("reading", "authorised reads", lambda _, people, __: reading.measure(people)),
    (
        "large",
        "a document of 2 GiB",
        lambda service, people, _: large.measure(people, service.data_directory),
    ),
    ("pages", "the pages in a browser", lambda _, people, __: pages.measure(people)),
    (
        "memory",
        "memory",
        lambda service, people, given: memory.measure(people, service.data_directory, records=given.records),
    ),
    ("scrolling", "lists in a browser", lambda _, people, __: pages.measure_scrolling(people)),
    ("asking", "decisions over HTTP", lambda _, people, __: asking.measure(people)),
)
_AFTER: Final[Sequence[tuple[str, str, Work]]] = (
    ("chain", "decisions and gas", lambda directory, _: chain.measure(directory)),
    ("granting", "grants in batches", lambda directory, _: granting.measure_embedded(directory)),
    ("networks", "two custodians on a network", lambda directory, _: networks.measure(directory)),
    (
        "document_networks",
        "1 MB document on a network",
        lambda directory, _: document_networks.measure(directory),
    ),
    ("consents", "import of FHIR Consents", lambda _, __: consents.measure()),
    (
        "extracting",
        "a study over encrypted records",
        lambda directory, given: extracting.measure(directory, patients=given.patients),
    ),
    ("anonymizing", "anonymization", lambda _, __: anonymizing.measure()),
    ("anonymizing_files", "anonymization from file to file", lambda _, __: anonymizing_files.measure()),
    ("answering", "protected answers and their ledger", lambda directory, _: answering.measure(directory)),
)
_LONG: Final[Sequence[tuple[str, str, Work]]] = (  # only when named
    (
        "enduring",
        "mixed load with a fault each minute",
        lambda directory, given: enduring.measure(directory, minutes=given.minutes),
    ),
    (
        "restarting",
        "restart and reindex",
        lambda directory, given: restarting.measure(directory, consents=given.consents),
    ),
)
# A part of the name of each of their rows.
_LONG_ROWS: Final = (enduring.WORK, restarting.WORK, extracting.work(extracting.LARGE))
PARTS: Final = tuple(name for name, *_ in (*_ALONE, *_SERVED, *_AFTER))
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
    # A backup once a day is not what is measured, and it would begin a minute after each start.
    os.environ.setdefault("ASSENT_BACKUP_INTERVAL_HOURS", "0")
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="assent-bench-") as directory:
        results = _measure(Path(directory), arguments, console)
    if arguments.test_seconds is not None:
        minutes = arguments.test_seconds / 60
        results.append(at_most("make test, warm", minutes, "min", TEST_GOAL_MINUTES))
    _keep(arguments, results, described)
    console.print(table(results))
    return 0


def _keep(arguments: argparse.Namespace, results: list[Result], described: dict[str, Any]) -> None:
    """Write the file. What was not measured now stays: of a whole run, the rows of long parts alone."""
    before = list[Result]()
    if arguments.output.exists():
        before, was_described = read_with_machine(arguments.output)
        if set(PARTS) <= set(arguments.only.split(",")):
            before = [row for row in before if any(work in row.name for work in _LONG_ROWS)]
        else:
            described = was_described
    write(arguments.output, merged(before, results, commit=machine.commit()), machine=described)
    read(arguments.output)


def _measure(directory: Path, arguments: argparse.Namespace, console: Console) -> list[Result]:
    asked = arguments.only.split(",")
    results: list[Result] = []

    def wanted(parts: Sequence[tuple[str, str, Any]]) -> Iterator[Any]:
        for name, shown, work in parts:
            if name in asked:
                console.print(f"{shown} ...")
                yield work

    for alone in wanted(_ALONE):
        results += alone(directory, arguments)
    if any(name in asked for name, *_ in _SERVED):
        with scene(directory) as (service, people):
            for served in wanted(_SERVED):
                results += served(service, people, arguments)
    for after in wanted((*_AFTER, *_LONG)):
        results += after(directory, arguments)
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the goals of the project.")
    parser.add_argument("--check", action="store_true", help="only check the shape of the file")
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--test-seconds", type=float, help="how long 'make test' took, warm")
    parser.add_argument(
        "--only",
        default=",".join(PARTS),
        help=f"parts to measure, with commas between, the others' rows stay: {', '.join(PARTS)};"
        f" and those that take long: {', '.join(name for name, *_ in _LONG)}",
    )
    parser.add_argument("--records", type=int, default=memory.RECORDS)
    parser.add_argument("--patients", type=int, default=extracting.PATIENTS, help="of a study")
    parser.add_argument("--minutes", type=int, default=enduring.MINUTES, help="of mixed load")
    parser.add_argument("--consents", type=int, default=restarting.CONSENTS, help="and records of a restart")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""A verified proof bundle for people: a line an entry, and the result in the last line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backend.commands.terminal import printable

_ID = re.compile(r"(0x)?[0-9a-f]{20,}")
_SHOWN_ID_CHARACTERS = 10  # enough for an eye to compare
COLUMNS = ("entry", "when (UTC)", "what", "who", "organisation", "purpose", "outcome", "consent", "anchored")
NARROWEST_COLUMNS = 150  # so that no cell is cut off where output goes into a file


def print_report(report: Mapping[str, Any], console: Console) -> None:
    """Print what ``verify_source`` returned. ``chain`` or ``anchored``: the contract was asked."""
    if "entries" not in report:
        for line in _of_log(report) if "pseudonyms" in report else _of_split_view(report):
            console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
        return
    wide = (
        console if console.width >= NARROWEST_COLUMNS else Console(file=console.file, width=NARROWEST_COLUMNS)
    )
    table = Table(box=SIMPLE, pad_edge=False, show_edge=False)
    for name in COLUMNS:
        table.add_column(name, no_wrap=True)
    for entry in report["entries"]:
        table.add_row(*(Text(printable(cell)) for cell in _cells(entry)))
    wide.print(table)
    for line in _lines(report):
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def _cells(entry: Mapping[str, Any]) -> Iterator[str]:
    event: Mapping[str, Any] = entry.get("event") or {}
    yield str(entry["index"])
    yield datetime.fromtimestamp(entry["recorded_at_ms"] // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    yield str(event.get("type", "not opened"))
    yield " ".join(_short(part) for part in event.get("actor", ()))
    yield _short(event.get("organisation", ""))
    yield str(event.get("purpose", ""))
    yield str(event.get("outcome", ""))
    yield ", ".join(_short(consent) for consent in event.get("consents", ()))
    yield "yes" if entry["anchored"] else "not yet"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"log        {report['origin']}, {report['size']} entries, root {report['root']}"
    if report["witnesses"]:
        yield f"witnesses  {', '.join(report['witnesses'])}"
    anchor = report["anchor"]
    if anchor is None:
        yield "anchor     none named"
    else:
        yield (
            f"anchor     {anchor['size']} entries in block {anchor['block']} of chain {anchor['chain_id']}, "
            f"contract {anchor['contract']}, log {anchor['log_id']}"
        )
    yield f"chain      {report.get('chain', 'not asked: give --endpoint, --contract and --log-id to ask it')}"
    number = len(report["entries"])
    entries = "1 entry is" if number == 1 else f"{number} entries are"
    whole = (
        "No entry of the list is missing." if report["complete"] else "It is not shown that no other exists."
    )
    yield f"VERIFIED: {entries} in the signed log. {whole}"


def _of_log(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"log        {report['origin']}, {report['size']} entries, root {report['root']}"
    if report["witnesses"]:
        yield f"witnesses  {', '.join(report['witnesses'])}"
    if "anchored" in report:
        yield f"chain      holds the first {report['anchored']} of these entries"
    else:
        yield "chain      not asked: give --endpoint, --contract and --log-id to ask it"
    yield (
        f"VERIFIED: the log is whole. Each of its {report['size']} entries is in the signed root and linked"
        f" to the one before it, of {report['pseudonyms']} pseudonyms."
    )


def _of_split_view(report: Mapping[str, Any]) -> Iterator[str]:
    one, other = report["signed"]
    yield f"log        {report['origin']}"
    yield f"SPLIT VIEW: two histories were signed, of {one['size']} and of {other['size']} entries."


def _short(value: object) -> str:
    text = str(value)
    return text[:_SHOWN_ID_CHARACTERS] + "…" if _ID.fullmatch(text) else text

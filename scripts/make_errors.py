"""Write ``docs/errors.md`` from the error classes: every stable code, its status, meaning and remedy.

``--check`` writes nothing and ends with 1 when the file differs from the classes. The output depends on the
code alone: sorted, without paths and without dates.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import backend
from backend.api.problems import _FRAMEWORK_CODES, status_of
from backend.errors import (
    AssentError,
    Conflict,
    IntegrityError,
    InvalidInput,
    LedgerUnavailable,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OperatorError,
    TooLarge,
    Unavailable,
)

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "errors.md"
COMMANDS: Final = Path(backend.__file__).resolve().parent / "commands"

# A class belongs to the first family it descends from, so subfamilies stand before their families.
FAMILIES: Final[tuple[tuple[type[AssentError], str, str], ...]] = (
    (
        LedgerUnavailable,
        "The chain cannot be asked",
        "Nothing was decided. This is neither a permission nor a refusal. Try again after `Retry-After`.",
    ),
    (TooLarge, "Too large", "Nothing was stored."),
    (InvalidInput, "Wrong input", "It can never be accepted as it is. `field` names the member at fault."),
    (NotAuthenticated, "Not signed in", "The answer carries `WWW-Authenticate: Bearer`."),
    (
        NotPermitted,
        "Not permitted",
        "A decision said no. What does not exist answers a requester in the same way.",
    ),
    (NotFound, "Not found", "What you may not see looks like what is not there."),
    (Conflict, "Conflict", "It was well formed, but the state is another one. Read the state again."),
    (Unavailable, "Not available", "A part did not answer. `GET /health/ready` tells which one."),
    (
        IntegrityError,
        "Damage",
        "A store gave bytes that are not those stored. Nothing of them was released. Tell the operator.",
    ),
    (
        OperatorError,
        "For the operator",
        (
            "The program cannot start or go on. A command prints the code and the remedy, and ends with 2.\n"
            "Should one of these reach a caller of the API, its status is 500."
        ),
    ),
    (AssentError, "Others", "Defects of the service."),
)

HEAD: Final = """# Errors

<!-- Written by `python -m scripts.make_errors`. Edit the error classes, not this file. -->

Every error of the API is `application/problem+json` (RFC 9457) with these members: `type`, `title`, `status`,
`code`, `detail`, `remedy`, `request_id` and, where one member of the input is at fault, `field`.
Programs branch on `code`, which is stable. `detail` may change. `request_id` finds the line in the log.
A refusal never tells whether a record exists, or why a patient said no.

Some codes are never seen over HTTP: they end inside the service or in a command. The status shown is then the
one that their family would get.
"""


class Entry(NamedTuple):
    """One line of a table."""

    code: str
    status: int
    meaning: str
    remedy: str


def error_classes() -> list[type[AssentError]]:
    """Import every module of the backend and return all error classes, in a fixed order."""
    for module in pkgutil.walk_packages(backend.__path__, "backend."):
        importlib.import_module(module.name)
    found: set[type[AssentError]] = {AssentError, *_descendants(AssentError)}
    return sorted(found, key=lambda cls: (cls.code, cls.__module__, cls.__qualname__))


def _descendants(cls: type[AssentError]) -> Iterator[type[AssentError]]:
    for child in cls.__subclasses__():
        if child.__module__.split(".", 1)[0] == "backend":
            yield child
            yield from _descendants(child)


def family_of(cls: type[AssentError]) -> type[AssentError]:
    """Return the family a class is listed under."""
    return next(family for family, _, _ in FAMILIES if issubclass(cls, family))


def entry_of(cls: type[AssentError]) -> Entry:
    """Return the line of a class: the first paragraph of its docstring, or its name where there is none."""
    if cls is AssentError:
        return Entry(cls.code, 500, "Something failed that nobody foresaw.", cls.remedy)
    paragraph = (cls.__dict__.get("__doc__") or "").strip().split("\n\n", 1)[0]
    meaning = " ".join(paragraph.split()) or f"{_words(cls.__name__)}."
    return Entry(cls.code, int(status_of(cls.__new__(cls))), meaning, cls.remedy)


def framework_entries() -> list[Entry]:
    """Return the codes that the HTTP edge gives without an error class."""
    entries = [
        Entry(code, status, "The HTTP edge refused the request.", remedy)
        for status, (code, remedy) in sorted(_FRAMEWORK_CODES.items())
    ]
    entries.append(Entry("malformed_json", 400, "The body is not valid JSON.", "Send one JSON value."))
    entries.append(Entry("http_error", 0, "Any other refusal of the HTTP edge.", "See /docs."))
    return sorted(entries)


def command_codes() -> list[str]:
    """Return the codes that commands print without an error class: first arguments of ``fail``."""
    found = set()
    for source in sorted(COMMANDS.glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fail":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return sorted(found)


def render() -> str:
    """Return the whole document."""
    parts = [HEAD]
    classes = error_classes()
    for family, title, note in FAMILIES:
        entries = [entry_of(cls) for cls in classes if family_of(cls) is family]
        if entries:
            parts.append(f"## {title}\n\n{note}\n\n{_table(entries)}")
    parts.append(
        "## From the HTTP edge\n\nThese have no error class. "
        f"The status of `http_error` is whatever the edge answered.\n\n{_table(framework_entries())}"
    )
    codes = ", ".join(f"`{code}`" for code in command_codes())
    if codes:
        parts.append(
            "## From commands only\n\nPrinted to the standard error with what to do, and exit status 2: "
            f"{codes}.\n"
        )
    return "\n".join(parts)


def _table(entries: list[Entry]) -> str:
    lines = ["| code | status | meaning | what to do |", "|---|---|---|---|"]
    for entry in entries:
        status = str(entry.status) if entry.status else "–"
        anchor = f'<a id="{entry.code}"></a>`{entry.code}`'
        lines.append(f"| {anchor} | {status} | {_cell(entry.meaning)} | {_cell(entry.remedy)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _words(name: str) -> str:
    """'EmptyDocument' as 'Empty document'."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return spaced[:1].upper() + spaced[1:]


def main() -> int:
    rendered = render()
    if "--check" in sys.argv[1:]:
        if not DOCUMENT.exists() or DOCUMENT.read_text() != rendered:
            print("docs/errors.md differs from the error classes: run python -m scripts.make_errors")
            return 1
        return 0
    DOCUMENT.write_text(rendered)
    print(f"docs/errors.md: {len(error_classes())} classes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

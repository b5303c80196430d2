"""The documents name every error code, setting and command that there is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from backend.cli import app
from backend.errors import AssentError, NotAuthenticated, NotFound, TooLarge
from backend.identity.roles import SCOPES_OF_ROLE
from backend.settings import Settings
from scripts import make_errors

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
# The HTTP edge gives these for a path, method or body that never reached a route; the families give the same.
SHARED_WITH_THE_EDGE = {NotAuthenticated.code, NotFound.code, TooLarge.code, "malformed_json"}


@pytest.fixture(scope="module")
def classes() -> list[type[AssentError]]:
    return make_errors.error_classes()


@pytest.fixture(scope="module")
def operations() -> str:
    return (DOCS / "operations.md").read_text()


def commands(command: Any, path: str) -> Iterator[str]:
    """Names of all commands that do something, such as 'assent users add'."""
    if hasattr(command, "commands"):  # a group, of whichever click typer brings
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")
    else:
        yield path


def test_errors_document_is_what_the_classes_say() -> None:
    assert (DOCS / "errors.md").read_text() == make_errors.render(), "run python -m scripts.make_errors"


def test_errors_document_explains_every_code(classes: list[type[AssentError]]) -> None:
    anchors = set(re.findall(r'<a id="([a-z0-9_]+)">', (DOCS / "errors.md").read_text()))
    missing = {cls.code for cls in classes} - anchors
    assert not missing


def test_error_codes_two_classes_never_share_one(classes: list[type[AssentError]]) -> None:
    owners = defaultdict(list)
    for cls in classes:
        owners[cls.code].append(cls.__qualname__)
    assert {code: names for code, names in owners.items() if len(names) > 1} == {}


def test_error_codes_are_stable_names_with_a_remedy(classes: list[type[AssentError]]) -> None:
    for cls in classes:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", cls.code), cls.__qualname__
        assert cls.remedy.strip(), cls.__qualname__


def test_framework_codes_overlap_with_classes_only_where_they_mean_the_same(
    classes: list[type[AssentError]],
) -> None:
    of_edge = {entry.code for entry in make_errors.framework_entries()}
    assert of_edge & {cls.code for cls in classes} <= SHARED_WITH_THE_EDGE


def test_errors_document_holds_no_path_of_this_machine() -> None:
    assert str(ROOT) not in (DOCS / "errors.md").read_text()


def test_operations_document_lists_every_setting(operations: str) -> None:
    rows = set(re.findall(r"^\| `ASSENT_([A-Z0-9_]+)` \|", operations, re.MULTILINE))
    assert rows == {name.upper() for name in Settings.model_fields}


def test_operations_document_or_readme_names_every_command(operations: str) -> None:
    text = operations + (ROOT / "README.md").read_text()
    found = list(commands(typer.main.get_command(app), "assent"))
    assert found, "the program has commands"
    assert [name for name in found if name not in text] == []


def test_operations_document_explains_every_finding_of_fsck(operations: str) -> None:
    sources = [path.read_text() for path in (ROOT / "backend/maintenance").glob("*.py")]
    codes = {code for text in sources for code in re.findall(r"\.(?:damaged|left)\(\s*\"([a-z_]+)\"", text)}
    codes |= {code for text in sources for code in re.findall(r'return "([a-z]+(?:_[a-z]+)+)"', text)}
    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in operations} == set()


def test_integration_document_lists_the_scopes_of_every_role() -> None:
    text = (DOCS / "integrate.md").read_text()
    for role, scopes in SCOPES_OF_ROLE.items():
        listed = ", ".join(f"`{scope.value}`" for scope in sorted(scopes))
        assert f"| `{role.value}` | {listed} |" in text


@pytest.mark.parametrize(
    "document",
    [
        "../README.md",
        "backup.md",
        "disasters.md",
        "integrate.md",
        "operations.md",
        "threat-model.md",
        "tour.md",
    ],
)
def test_documents_name_only_files_that_exist(document: str) -> None:
    path = (DOCS / document).resolve()
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{document} links to {target}"
    for named in re.findall(r"`(backend/[\w/]+\.(?:py|json))", path.read_text()):
        assert (ROOT / named).exists(), f"{document} names {named}"

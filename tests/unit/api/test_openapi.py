"""The committed description of the API is the one the code gives, and whoever reads it can rely on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.make_openapi import FILE, main, text


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text())
    return found


def _operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in described["paths"].values() for operation in path.values()]


def test_committed_description_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m scripts.make_openapi"


def test_check_of_another_description_fails_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    path.write_text("{}")
    assert main(["--check", str(path)]) == 1
    assert path.read_text() == "{}"
    assert main([str(path)]) == 0
    assert main(["--check", str(path)]) == 0


def test_description_tells_nothing_about_the_machine(described: dict[str, Any]) -> None:
    assert "servers" not in described
    assert str(Path.cwd()) not in text()
    assert str(Path.home()) not in text().replace('"/', "")


def test_operation_ids_are_unique_and_each_says_what_it_does(described: dict[str, Any]) -> None:
    operations = _operations(described)
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert [operation["operationId"] for operation in operations if not operation.get("summary")] == []


def test_bodies_refuse_members_nobody_asked_for(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    open_ended = [
        name
        for name, schema in schemas.items()
        if name.endswith("Body") and schema.get("additionalProperties") is not False
    ]
    assert open_ended == []

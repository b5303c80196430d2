"""The notebook of docs/catalogue.md runs as it is written there, cell by cell, against a running service."""

from __future__ import annotations

import base64
import importlib.util
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.client import new_key, write_key
from tests.integration.api.study_world import StudyWorld, open_study_world
from tests.integration.api.world import raw

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "catalogue.md"
WORDS = "seven plain words that nobody would guess"
NEEDED = ("polars", "pandas")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[StudyWorld]:
    with open_study_world(tmp_path / "service") as opened:
        yield opened


def cells() -> list[str]:
    (section,) = re.findall(r"^## From Python\n(.*?)^## ", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    # An indented one is part of another study's.
    return [block for block in blocks if not block.startswith(" ")]


def permit_what_is_proposed(world: StudyWorld, stop: threading.Event) -> None:
    """The board, while the notebook waits."""
    while not stop.is_set():
        for study in world.board_api.get("/v1/studies"):
            if study["state"] == "proposed":
                world.permit(study["study_id"])
                return
        time.sleep(0.1)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED),
    reason="the notebook uses polars and pandas",
)
def test_notebook_of_the_document_runs_as_it_is_written(
    world: StudyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = new_key()
    write_key(key, tmp_path / "key.json", passphrase=WORDS)
    body = {"public_key": base64.b64encode(key.public.encoded).decode()}
    path = f"/v1/members/{world.researcher.member_id}/encryption-key"
    assert raw(world.operator, "PUT", path, json=body).is_success
    monkeypatch.chdir(tmp_path)  # where the notebook lies
    names: dict[str, Any] = {
        "url": world.service.url,
        "client_id": world.researcher.client_id,
        "client_secret": world.researcher.client_secret,
        "words": WORDS,
    }
    stop = threading.Event()
    board = threading.Thread(target=permit_what_is_proposed, args=(world, stop))
    board.start()
    try:
        found = cells()
        assert len(found) == 2
        for number, cell in enumerate(found):
            exec(compile(cell, f"{DOCUMENT.name} cell {number}", "exec"), names)
    finally:
        stop.set()
        board.join(timeout=60)
    import pandas  # noqa: PLC0415
    import polars  # noqa: PLC0415

    ages = names["ages"]
    assert isinstance(ages, polars.DataFrame)
    assert ages.columns == ["level", "value", "error_95"]
    assert ages["level"].to_list() == ["<18", "[18,40)", "[40,65)", "[65,90)", ">=90", "missing"]
    table = names["data"].to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == ["pseudonym", "sex", "diabetes"]
    assert len(table) == len(world.patients)
    assert names["data"].methods in capsys.readouterr().out
    assert names["study"].state == "approved"

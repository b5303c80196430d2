"""The demo takes a folder as people have it, and names one it cannot use."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.demo.bundles import FEWEST, BundlesUnusable, read_bundles
from scripts.generate_bundles import encode, generate

HOSPITALS = (
    b'{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Organization"}}]}'
)


def fill(folder: Path, number: int) -> None:
    for place, bundle in enumerate(generate(number, 3)):
        (folder / f"{place:02d}.json").write_bytes(encode(bundle))


def test_files_without_a_patient_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, FEWEST)
    (tmp_path / "hospitalInformation.json").write_bytes(HOSPITALS)
    (tmp_path / "broken.json").write_bytes(b"{")
    (tmp_path / "readme.txt").write_text("no bundle")
    assert len(read_bundles(tmp_path)) == FEWEST


@pytest.mark.parametrize("number", [0, FEWEST - 1])
def test_folder_with_too_few_is_named(tmp_path: Path, number: int) -> None:
    fill(tmp_path, number)
    with pytest.raises(BundlesUnusable, match=f"holds {number} bundles"):
        read_bundles(tmp_path)


def test_folder_that_is_none_is_named_with_the_remedy(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", "--bundles", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert "demo_bundles" in done.stderr
    assert f"at least {FEWEST}" in done.stderr

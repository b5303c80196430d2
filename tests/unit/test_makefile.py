"""What is missing on a machine is named with the command that installs it, at each try."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(place: Path, python: str, *programs: str) -> str:
    """Run the set-up's first rule where only these programs are on the PATH; return what it says."""
    tools = place / "bin"
    shutil.rmtree(tools, ignore_errors=True)
    tools.mkdir()
    for name in ("bash", "mkdir", "find", *programs):
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)
    interpreter = tools / "python"
    interpreter.write_text(f"#!{shutil.which('bash')}\n{python}\n")
    interpreter.chmod(0o755)
    done = subprocess.run(
        [str(shutil.which("make")), "-f", str(ROOT / "Makefile"), ".build/stamps", "PYTHON=python"],
        cwd=place,
        env={"PATH": str(tools), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode else "made"


@pytest.mark.skipif(shutil.which("node") is None or shutil.which("npm") is None, reason="needs Node.js")
def test_what_is_missing_is_named_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        assert "apt-get install python3.11" in make(tmp_path, "exit 1")
        assert "apt-get install python3-venv" in make(tmp_path, 'case "$2" in *ensurepip*) exit 1;; esac')
        assert "apt-get install nodejs npm" in make(tmp_path, "exit 0")
        assert not (tmp_path / ".build").exists()
    assert "apt-get install npm" in make(tmp_path, "exit 0", "node")
    assert make(tmp_path, "exit 0", "node", "npm") == "made"

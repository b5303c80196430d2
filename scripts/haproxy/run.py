"""Find HAProxy, or fetch it below ``.build`` without root: ``python -m scripts.haproxy.run``.

Prints the path of the program. For the tests of the proxy's configuration; an operator uses their own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from scripts import debian_packages

ROOT: Final = Path(__file__).resolve().parents[2]
UNPACKED: Final = ROOT / ".build" / "haproxy"


def find() -> tuple[Path, dict[str, str]] | None:
    """Return the program and the environment it needs besides our own; None where there is none."""
    installed = shutil.which("haproxy")
    if installed is not None:
        return Path(installed), {}
    program = UNPACKED / "usr" / "sbin" / "haproxy"
    if not program.exists():
        return None
    return program, {"LD_LIBRARY_PATH": debian_packages.library_path(UNPACKED)}


def fetch() -> Path:
    """Return the program, fetched when there is none. Exits with what is missing."""
    program, _ = debian_packages.fetched(find, "HAProxy", ["haproxy"], UNPACKED, elsewhere="haproxy")
    return program


if __name__ == "__main__":
    print(fetch())

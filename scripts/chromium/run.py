"""Find Chromium, or fetch it below ``.build`` without root: ``python -m scripts.chromium.run``.

Prints the path of the program. For the tests of the pages, which drive it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts import debian_packages

ROOT: Final = Path(__file__).resolve().parents[2]
UNPACKED: Final = ROOT / ".build" / "chromium"
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_PACKAGES: Final = ("chromium", "fonts-dejavu-core")
# What a fetched one needs to know of where it lies, since it was not installed.
_FONTS: Final = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><dir>/usr/share/fonts</dir><cachedir>{cache}</cachedir></fontconfig>
"""


def find() -> tuple[Path, dict[str, str]] | None:
    """Return the program and the environment it needs besides our own; None where there is none."""
    for name in _NAMES:
        installed = shutil.which(name)
        if installed is not None:
            return Path(installed), {}
    program = UNPACKED / "usr" / "lib" / "chromium" / "chromium"
    if not program.exists():
        return None
    fonts = UNPACKED / "fonts.conf"
    fonts.write_text(_FONTS.format(fonts=UNPACKED / "usr" / "share" / "fonts", cache=UNPACKED / "font-cache"))
    environment = {
        "LD_LIBRARY_PATH": debian_packages.library_path(UNPACKED),
        "FONTCONFIG_FILE": str(fonts),
    }
    return program, environment


def fetch() -> Path:
    """Return the program, fetched when there is none. Exits with what is missing."""
    program, environment = debian_packages.fetched(
        find, "Chromium", _PACKAGES, UNPACKED, elsewhere="chromium"
    )
    started = subprocess.run(
        [str(program), "--headless", "--no-sandbox", "--version"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if started.returncode != 0:
        sys.exit(f"{program} does not start: {started.stderr.strip()[-1000:]}")
    return program


if __name__ == "__main__":
    print(fetch())

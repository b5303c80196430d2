"""Find SoftHSM2, or fetch it below ``.build`` without root: ``python -m scripts.softhsm.run``.

Prints the path of the PKCS#11 module. The packages are Debian's (or Ubuntu's), fetched by apt from
the sources that the machine trusts and checked by it; nothing is installed.
"""

from __future__ import annotations

import ctypes
import shutil
import sys
from pathlib import Path
from typing import Final

from scripts import debian_packages

ROOT: Final = Path(__file__).resolve().parents[2]
UNPACKED: Final = ROOT / ".build" / "softhsm"
UTILITY: Final = "softhsm2-util"
_USUAL_PLACES: Final = (
    "/usr/lib/softhsm",
    "/usr/lib/*/softhsm",
    "/usr/lib64/pkcs11",
    "/usr/lib64/softhsm",
    "/usr/local/lib/softhsm",
    "/opt/homebrew/lib/softhsm",
)
_PACKAGES: Final = ("libsofthsm2", "softhsm2", "softhsm2-common")


def find() -> Path | None:
    """Return the PKCS#11 module of this machine, or the one unpacked below ``.build``, or None."""
    places = [found for place in _USUAL_PLACES for found in Path("/").glob(f"{place[1:]}/libsofthsm2.so")]
    return next(iter([*places, *sorted(UNPACKED.glob("usr/lib/**/libsofthsm2.so"))]), None)


def utility() -> tuple[str, dict[str, str]]:
    """Return the program that makes tokens, and the environment it needs beside SOFTHSM2_CONF."""
    libraries = debian_packages.library_path(UNPACKED)
    unpacked = UNPACKED / "usr" / "bin" / UTILITY
    program = shutil.which(UTILITY) or str(unpacked)
    return program, {"LD_LIBRARY_PATH": libraries} if libraries else {}


def preload() -> None:
    """Load the libraries that were unpacked beside the module, so that this process can open it."""
    waiting = [path for path in UNPACKED.glob("usr/lib/**/*.so.*") if path.is_file()]
    while waiting:  # one may need another
        left = []
        for path in waiting:
            try:
                ctypes.CDLL(str(path))
            except OSError:
                left.append(path)
        if len(left) == len(waiting):
            return  # the module says what it misses when it is opened
        waiting = left


def fetch() -> Path:
    """Return the module, fetched when there is none. Exits with what is missing."""
    module = debian_packages.fetched(find, "SoftHSM2", _PACKAGES, UNPACKED, elsewhere="softhsm2, softhsm")
    preload()
    try:
        ctypes.CDLL(str(module))
    except OSError as failure:
        sys.exit(f"{module} does not load: {failure}")
    return module


if __name__ == "__main__":
    print(fetch())

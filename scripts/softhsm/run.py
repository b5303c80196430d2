"""Find SoftHSM2, or fetch it below ``.build`` without root: ``python -m scripts.softhsm.run``.

Prints the path of the PKCS#11 module. The packages are Debian's (or Ubuntu's), fetched by apt from
the sources that the machine trusts and checked by it; nothing is installed.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

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
_SECONDS: Final = 600.0


def find() -> Path | None:
    """Return the PKCS#11 module of this machine, or the one unpacked below ``.build``, or None."""
    places = [found for place in _USUAL_PLACES for found in Path("/").glob(f"{place[1:]}/libsofthsm2.so")]
    return next(iter([*places, *sorted(UNPACKED.glob("usr/lib/**/libsofthsm2.so"))]), None)


def utility() -> tuple[str, dict[str, str]]:
    """Return the program that makes tokens, and the environment it needs beside SOFTHSM2_CONF."""
    libraries = {str(path.parent) for path in UNPACKED.glob("usr/lib/**/*.so*")}
    unpacked = UNPACKED / "usr" / "bin" / UTILITY
    program = shutil.which(UTILITY) or str(unpacked)
    return program, {"LD_LIBRARY_PATH": ":".join(sorted(libraries))} if libraries else {}


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
    module = find()
    if module is None:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            sys.exit("SoftHSM2 comes from Debian's packages here; elsewhere install it (softhsm2, softhsm).")
        print("Fetching SoftHSM2 (packages of the system's distribution) ...", file=sys.stderr, flush=True)
        _unpack()
        module = find()
    if module is None:
        sys.exit("The packages came without libsofthsm2.so.")
    preload()
    try:
        ctypes.CDLL(str(module))
    except OSError as failure:
        sys.exit(f"{module} does not load: {failure}")
    return module


def _unpack() -> None:
    """Fetch and unpack the packages and the libraries they miss: all or nothing."""
    work = UNPACKED.with_name("softhsm.tmp")
    shutil.rmtree(work, ignore_errors=True)
    packages = work / "packages"
    packages.mkdir(parents=True)
    # With apt's own lists first; where there are none, or older than the archive, with some just fetched.
    if not _download(packages, []):
        options = _fetch_lists(work)
        if not _download(packages, options):
            sys.exit("apt-get does not fetch the packages of SoftHSM2; 'apt-get install softhsm2' says why.")
    tree = work / "tree"
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(tree)], directory=work)
    shutil.rmtree(UNPACKED, ignore_errors=True)
    tree.rename(UNPACKED)
    shutil.rmtree(work)


def _download(directory: Path, options: list[str]) -> bool:
    names = [*_PACKAGES, *_missing_libraries(options)]
    command = ["apt-get", *options, "download", *names]
    return _run(command, directory=directory, check=False).returncode == 0


def _fetch_lists(work: Path) -> list[str]:
    """Return the options that make apt use lists of our own, just fetched."""
    for name in ("lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    options = [
        *("-o", f"Dir::State::Lists={work / 'lists'}"),
        *("-o", f"Dir::Cache={work / 'cache'}"),
        *("-o", "APT::Sandbox::User="),  # the lists lie where only we may write
        *("-o", "APT::Update::Post-Invoke::="),
        *("-o", "APT::Update::Post-Invoke-Success::="),
        *("-o", "Debug::NoLocking=1"),
    ]
    _run(["apt-get", *options, "update"], directory=work)
    return options


def _missing_libraries(options: list[str]) -> list[str]:
    """Return the libraries the packages depend on that this machine has not installed."""
    status = _run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"], directory=ROOT).stdout
    seen = {line.split()[0] for line in status.splitlines() if line.endswith(" installed")} | {*_PACKAGES}
    missing: list[str] = []
    waiting = list(_PACKAGES[:2])
    while waiting:
        command = ["apt-cache", *options, "depends", "--important", waiting.pop()]
        listing = _run(command, directory=ROOT, check=False)  # without lists the download fails as well
        for name in re.findall(r"Depends: (lib\S+)", listing.stdout):
            if name not in seen:
                seen.add(name)
                missing.append(name)
                waiting.append(name)
    return missing


def _run(command: list[str], *, directory: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(command[:2])} failed:\n{done.stderr.strip()[-2000:]}")
    return done


if __name__ == "__main__":
    print(fetch())

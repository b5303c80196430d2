"""Fetches programs from Debian's (or Ubuntu's) packages into a folder of this project, without root.

apt fetches them from the sources that the machine trusts and checks them; nothing is installed. What they
depend on and the machine has not installed comes along.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

_SECONDS: Final = 900.0
Found = TypeVar("Found")


def fetched(
    find: Callable[[], Found | None], name: str, packages: Sequence[str], folder: Path, *, elsewhere: str
) -> Found:
    """Return what ``find`` finds, after unpacking the packages as ``folder`` where it finds nothing.

    Exits with what is missing; ``elsewhere``: what to install where there are no such packages.
    """
    found = find()
    if found is None:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            sys.exit(f"{name} comes from Debian's packages here; elsewhere install it ({elsewhere}).")
        print(f"Fetching {name} (packages of the system's distribution) ...", file=sys.stderr, flush=True)
        unpack(packages, folder)
        found = find()
    if found is None:
        sys.exit(f"The packages came without {name}.")
    return found


def unpack(packages: Sequence[str], folder: Path) -> None:
    """Unpack the packages and what they miss as ``folder``: all or nothing. Exits with apt's reason."""
    work = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    fetched = work / "packages"
    fetched.mkdir(parents=True)
    # With apt's own lists first; where there are none, or older than the archive, with some just fetched.
    if not _download(packages, fetched, []) and not _download(packages, fetched, _fetch_lists(work)):
        sys.exit(f"apt-get does not fetch them; 'apt-get install {' '.join(packages)}' says why.")
    tree = work / "tree"
    for package in sorted(fetched.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(tree)], directory=work)
    shutil.rmtree(folder, ignore_errors=True)
    tree.rename(folder)
    shutil.rmtree(work)


def library_path(folder: Path) -> str:
    """Return the LD_LIBRARY_PATH under which programs of an unpacked folder find their libraries."""
    return ":".join(sorted({str(path.parent) for path in folder.glob("usr/lib/**/*.so*")}))


def _download(packages: Sequence[str], directory: Path, options: Sequence[str]) -> bool:
    plan = ["apt-get", *options, "install", "--simulate", "--no-install-recommends", "--reinstall", *packages]
    planned = _run(plan, directory=directory, check=False)
    names = re.findall(r"^Inst (\S+)", planned.stdout, flags=re.MULTILINE)
    if planned.returncode != 0 or not names:
        return False
    return _run(["apt-get", *options, "download", *names], directory=directory, check=False).returncode == 0


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

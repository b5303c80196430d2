"""Find or fetch Prometheus without root, and build its Alertmanager: ``python -m scripts.prometheus.run``.

Prints the programs. For the tests of the alert rules; an operator uses their own. Debian's Alertmanager reads
its templates from ``/usr/share`` alone, so it works installed and not unpacked: it is built, which needs Go.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple

from scripts import debian_packages
from scripts.go_build import GoProgram

ROOT: Final = Path(__file__).resolve().parents[2]
UNPACKED: Final = ROOT / ".build" / "prometheus"
BUILT: Final = ROOT / ".build" / "alertmanager"
_ALERTMANAGER: Final = GoProgram(
    name="Alertmanager",
    module=Path(__file__).resolve().parent,
    package="github.com/prometheus/alertmanager/cmd/alertmanager",
    binary=BUILT,
    go_version="1.21",
    minutes="two minutes",
)


class Programs(NamedTuple):
    prometheus: Path
    promtool: Path
    alertmanager: Path
    environment: dict[str, str]  # what the fetched ones need besides our own


def find() -> Programs | None:
    """Return the programs of this machine, or those below ``.build``, or None."""
    found = _prometheus()
    if found is None or not BUILT.is_file():
        return None
    libraries = debian_packages.library_path(UNPACKED)
    return Programs(*found, BUILT, {"LD_LIBRARY_PATH": libraries} if libraries else {})


def fetch() -> Programs:
    """Return the programs, fetched and built when there are none. Exits with what is missing."""
    debian_packages.fetched(_prometheus, "Prometheus", ["prometheus"], UNPACKED, elsewhere="prometheus")
    _ALERTMANAGER.build()
    found = find()
    if found is None:
        sys.exit("Prometheus or its Alertmanager went away meanwhile.")
    return found


def _prometheus() -> tuple[Path, Path] | None:
    """Return Prometheus and promtool, which come together."""
    prometheus, promtool = _program("prometheus"), _program("promtool")
    return None if prometheus is None or promtool is None else (prometheus, promtool)


def _program(name: str) -> Path | None:
    unpacked = UNPACKED / "usr" / "bin" / name
    if unpacked.exists():
        return unpacked
    installed = shutil.which(name)
    return None if installed is None else Path(installed)


if __name__ == "__main__":
    print(*fetch()[:3], sep="\n")

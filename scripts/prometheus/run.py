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
    prometheus, promtool = _program("prometheus"), _program("promtool")
    if prometheus is None or promtool is None or not BUILT.is_file():
        return None
    libraries = debian_packages.library_path(UNPACKED)
    return Programs(prometheus, promtool, BUILT, {"LD_LIBRARY_PATH": libraries} if libraries else {})


def fetch() -> Programs:
    """Return the programs, fetched and built when there are none. Exits with what is missing."""
    if _program("prometheus") is None or _program("promtool") is None:
        if not debian_packages.is_possible():
            sys.exit("Prometheus comes from Debian's packages here; elsewhere install it.")
        print("Fetching Prometheus (packages of the distribution) ...", file=sys.stderr, flush=True)
        debian_packages.unpack(["prometheus"], UNPACKED)
    _ALERTMANAGER.build()
    found = find()
    if found is None:
        sys.exit("The packages came without Prometheus or promtool.")
    return found


def _program(name: str) -> Path | None:
    unpacked = UNPACKED / "usr" / "bin" / name
    if unpacked.exists():
        return unpacked
    installed = shutil.which(name)
    return None if installed is None else Path(installed)


if __name__ == "__main__":
    print(*fetch()[:3], sep="\n")

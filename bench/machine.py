"""What the numbers were measured on, and what a process takes of it. Reads /proc (Linux)."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any, Final

_PROC = Path("/proc")
_KIB = 1024
_WATCHED_SECONDS: Final = 5.0


def describe() -> dict[str, Any]:
    """Return processors, memory, Python and the load before; nothing that names the machine."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _field(_PROC / "cpuinfo", "model name"),
        "memory_mib": int(_field(_PROC / "meminfo", "MemTotal").split()[0]) // _KIB,
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """Return the commit that is checked out."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 - the git of this machine
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def resident_mib(pid: int) -> float:
    """Return the resident memory of one process in MiB."""
    return int(_field(_PROC / str(pid) / "status", "VmRSS").split()[0]) / _KIB


def reset_peak(pid: int) -> None:
    """Begin ``peak_resident_mib`` anew for one process (proc(5): clear_refs)."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def peak_resident_mib(pid: int) -> float:
    """Return the largest resident memory of one process in MiB since it began, or since ``reset_peak``."""
    return int(_field(_PROC / str(pid) / "status", "VmHWM").split()[0]) / _KIB


def own_peak_mb() -> float:
    """Return the most memory that this process ever held, in MB (10^6 bytes).

    Not that of getrusage, which begins with the memory of the process that started this one.
    """
    return peak_resident_mib(os.getpid()) * _KIB**2 / 1e6


def busy_share() -> float:
    """Watch for five seconds and return what share of all processors' time was used, 0 to 1."""
    idle, whole = _processor_times()
    time.sleep(_WATCHED_SECONDS)
    idle_then, whole_then = _processor_times()
    return 1 - (idle_then - idle) / (whole_then - whole)


def children(pid: int) -> dict[int, str]:
    """Return pid and name of each process that ``pid`` started."""
    found = {}
    for task in (_PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text().split():
            found[int(child)] = (_PROC / child / "comm").read_text().strip()
    return found


def _processor_times() -> tuple[int, int]:
    """Return what was idle or waited for a disk, and all, in ticks since the machine started (proc(5))."""
    times = [int(each) for each in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return times[3] + times[4], sum(times)


def _field(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0"

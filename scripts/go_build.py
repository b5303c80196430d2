"""Programs that are built once from pinned Go sources: a folder with ``go.mod`` and ``go.sum`` names them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BUILD_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True)
class GoProgram:
    """``module``: the folder whose files pin the version; ``minutes``: how long it takes, in words."""

    name: str
    module: Path
    package: str
    binary: Path
    go_version: str
    minutes: str
    flags: tuple[str, ...] = ()

    def build(self) -> Path:
        """Return the binary, built when it is missing. Exits where there is no Go. Raises
        CalledProcessError."""
        if self.binary.is_file():
            return self.binary
        if shutil.which("go") is None:
            sys.exit(
                f"{self.name} is built from source and needs Go {self.go_version} or newer: see"
                " https://go.dev/dl"
            )
        print(f"Building {self.name} (about {self.minutes}, once) ...", file=sys.stderr, flush=True)
        self.binary.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.binary.with_name(f"{self.binary.name}.tmp")
        subprocess.run(
            ["go", "build", "-mod=mod", "-trimpath", *self.flags, "-o", str(unfinished), self.package],
            cwd=self.module,
            check=True,
            timeout=_BUILD_SECONDS,
        )
        unfinished.replace(self.binary)
        return self.binary

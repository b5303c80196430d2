"""Files that appear whole or not at all, several together."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType

from backend.research.anonymize.refusals import TableInvalid


class StagedFiles:
    """``path_for`` gives a name to write to beside the destination; ``publish`` moves all to their places.

    Leaving the block without ``publish`` removes whatever was written. Destinations that exist are refused,
    so that nothing of others is lost when a later file fails. Files are readable by their owner alone.
    """

    def __init__(self) -> None:
        self._staged: dict[Path, Path] = {}
        self._published: list[Path] = []

    def __enter__(self) -> StagedFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = list(self._staged.values())
        if kind is not None:
            left += self._published
        for path in left:
            path.unlink(missing_ok=True)

    def path_for(self, destination: Path) -> Path:
        """Return where to write what shall appear at ``destination``. Raises TableInvalid."""
        if destination.exists() or destination in self._staged:
            raise TableInvalid(f"{destination.name} exists already, or is named twice")
        try:
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=destination.parent)
        except OSError as failure:
            raise TableInvalid(f"{destination.name} cannot be written") from failure
        os.close(descriptor)
        self._staged[destination] = Path(name)
        return self._staged[destination]

    def publish(self) -> None:
        """Make all contents durable, then all names. Raises TableInvalid; then none of them stays."""
        try:
            for path in self._staged.values():
                _sync(path)
            for destination, path in list(self._staged.items()):
                path.rename(destination)
                del self._staged[destination]
                self._published.append(destination)
            for folder in {destination.parent for destination in self._published}:
                _sync(folder)
        except OSError as failure:
            raise TableInvalid("an output cannot be written") from failure


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

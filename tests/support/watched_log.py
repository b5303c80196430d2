"""A log that a witness watches, in memory: honest, forked, rolled back, or out of reach."""

from __future__ import annotations

from collections.abc import Sequence

from backend.audit.cosigning import Cosigning
from backend.audit.errors import CosignatureRefused, LogUnreachable, UnknownTile
from backend.audit.log import AuditLog
from backend.audit.publishing import LogFiles
from backend.audit.tile_paths import Tile
from tests.support.audit_world import World
from tests.support.cosigners import both
from tests.support.memory_audit import ORIGIN, read_event

WITNESS = both("clinic.example/witness")


class WatchedLog:
    """A LogSource. ``shown`` may be replaced by another log's."""

    def __init__(self) -> None:
        self.world = World()
        self.log: AuditLog = self.world.open()
        self.cosigning = Cosigning(
            store=self.world.store, origin=ORIGIN, witnesses=[key.verifier_key for key in WITNESS]
        )
        self.down = False
        self.sent: list[str] = []
        self.statements: list[str] = []

    def append(self, count: int, *, first: int = 0) -> None:
        for number in range(first, first + count):
            self.log.append(read_event(number=number))

    def close(self) -> None:
        self.log.close()

    def checkpoint(self) -> str:
        self._answer()
        return self.world.checkpointer(self.log).now().note

    def tile(self, tile: Tile) -> bytes:
        self._answer()
        try:
            return LogFiles(self.world.reader(self.log)).read(tile)
        except UnknownTile as error:
            raise LogUnreachable("404") from error

    def key_statements(self) -> Sequence[str]:
        self._answer()
        return self.statements

    def send(self, cosigned: str) -> None:
        self._answer()
        self.sent.append(cosigned)
        try:
            self.cosigning.add(cosigned)
        except CosignatureRefused as error:
            raise LogUnreachable("422") from error

    def _answer(self) -> None:
        if self.down:
            raise LogUnreachable("no answer")

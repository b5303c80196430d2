"""The catalogue's counts of past periods, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.research.catalogue.types import Drawing


@dataclass
class MemoryDrawings:
    kept: dict[int, Drawing] = field(default_factory=dict)
    crash: type[BaseException] | None = None

    def find(self, ledger: str, period: int) -> Drawing | None:
        return self.kept.get(period)

    def newest(self, ledger: str) -> Drawing | None:
        return self.kept[max(self.kept)] if self.kept else None

    def keep(self, drawing: Drawing) -> Drawing:
        if self.crash is not None:
            raise self.crash
        return self.kept.setdefault(drawing.period, drawing)

"""A slot index in memory, for unit tests; it keeps every state so that a test can put an old one back."""

from __future__ import annotations

from collections.abc import Sequence

from backend.records.ports import SlotRow
from backend.types import SubjectId


class MemorySlotIndex:
    def __init__(self) -> None:
        self.rows: dict[str, SlotRow] = {}

    def find(self, name: str) -> SlotRow | None:
        return self.rows.get(name)

    def replace(self, row: SlotRow) -> bool:
        found = self.rows.get(row.name)
        if (found.revision if found else 0) != row.revision - 1:
            return False
        self.rows[row.name] = row
        return True

    def of_subject(self, subject: SubjectId) -> Sequence[SlotRow]:
        return [row for row in self.rows.values() if row.subject == subject]

    def erase_subject(self, subject: SubjectId) -> int:
        gone = [name for name, row in self.rows.items() if row.subject == subject]
        for name in gone:
            del self.rows[name]
        return len(gone)

    def everything(self) -> Sequence[SlotRow]:
        return list(self.rows.values())

"""Every draw of noise has a charge of its own, also where what was drawn is gone from the index.

Nothing is released before the audit log has that it was drawn. A crash before that leaves a charge under
which nothing was ever seen: the next attempt takes it up and pays nothing. After it somebody may have seen
what was drawn, so where it is not kept any more, drawing again is paid again: else whoever takes answers out
of the index could have many draws for the price of one, and their mean tells what none of them may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile
from typing import Protocol

from backend.research.budget import PrivacyBudget
from backend.research.canonical import digest_of
from backend.research.types import Charge, NanoRho, StudyId
from backend.types import MemberId


class DrawLog(Protocol):
    """The audit log as the witness of draws."""

    def note(self, charge_id: bytes) -> None:
        """Durable on return."""
        ...

    def has(self, charge: Charge) -> bool:
        """Whether something was drawn under a charge."""
        ...


class PaidDraws:
    def __init__(self, *, budget: PrivacyBudget, log: DrawLog) -> None:
        self._budget = budget
        self._log = log
        self._noted: set[bytes] = set()  # by this process

    def debit(
        self,
        name: bytes,
        study: StudyId,
        researcher: MemberId,
        rho: NanoRho,
        *,
        study_limit: NanoRho,
        before: Sequence[StudyId] = (),
    ) -> Charge:
        """Return a charge for the draw ``name`` under which nothing was drawn yet. Raises as
        ``PrivacyBudget.debit``, and EntryDamaged where the log cannot tell."""
        charge_id = next(each for each in _ids(name) if not self._was_drawn(each))
        return self._budget.debit(charge_id, study, researcher, rho, study_limit=study_limit, before=before)

    def charges(self, name: bytes) -> list[bytes]:
        """The charges that were made for a draw, in their order."""
        return list(takewhile(lambda charge_id: self._budget.charge(charge_id) is not None, _ids(name)))

    def drawn(self, charge_ids: Iterable[bytes]) -> None:
        """Before what was drawn under these charges is released, also when it is released again."""
        for charge_id in charge_ids:
            if charge_id not in self._noted:
                self._log.note(charge_id)
                self._noted.add(charge_id)

    def _was_drawn(self, charge_id: bytes) -> bool:
        charge = self._budget.charge(charge_id)
        return charge is not None and self._log.has(charge)


def _ids(name: bytes) -> Iterator[bytes]:
    """Of a draw's charges: its name, and what each further one is called."""
    yield name
    yield from (digest_of(["assent-redraw-1", name.hex(), attempt]) for attempt in count(1))

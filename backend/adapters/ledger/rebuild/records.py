"""``RecordRegistry`` from its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, pack, word


class Records(Replayed):
    """``commitments``: (custodian's account, commitment) to (committed at, withdrawn at); 0 for never."""

    CONTRACT = "RecordRegistry"

    def __init__(self) -> None:
        self.commitments: dict[tuple[str, bytes], tuple[int, int]] = {}
        self.transfers: set[bytes] = set()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "RecordCommitted": self._committed,
            "RecordWithdrawn": self._withdrawn,
            "RecordTransferred": self._transferred,
            "CustodyTransferred": self._custody_transferred,
            "EIP712DomainChanged": nothing,
        }

    def storage(self) -> Iterator[Entry]:
        for (custodian, commitment), (committed, withdrawn) in self.commitments.items():
            yield Entry("_commitments", (word(custodian), commitment), pack((committed, 40), (withdrawn, 40)))
        for transfer in self.transfers:
            yield Entry("_transferred", (transfer,), 1)

    def _committed(self, given: Arguments, _: Moment) -> None:
        self.commitments[given["custodian"], given["commitment"]] = (given["committedAt"], 0)

    def _withdrawn(self, given: Arguments, _: Moment) -> None:
        key = given["custodian"], given["commitment"]
        self.commitments[key] = (self.commitments[key][0], given["withdrawnAt"])

    def _transferred(self, given: Arguments, _: Moment) -> None:
        giver = given["from"], given["commitment"]
        if not self.commitments[giver][0]:
            raise KeyError(giver)
        self.commitments[giver] = (0, 0)
        self.commitments[given["to"], given["commitment"]] = (given["committedAt"], 0)

    def _custody_transferred(self, given: Arguments, _: Moment) -> None:
        self.transfers.add(given["transfer"])

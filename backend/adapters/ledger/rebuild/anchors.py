"""``AuditAnchor`` from its events. The number and the time of an anchor are those of the event's block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, pack


@dataclass(frozen=True, slots=True)
class Head:
    """The last checkpoint of a log, whose log it is, and the hash of its origin line."""

    custodian: bytes
    origin: bytes
    root: bytes
    size: int
    block: int
    time: int


class Anchors(Replayed):
    """``cosignatures``: (log, witness) to (size, time). ``forks``: log to the time of the first report."""

    CONTRACT = "AuditAnchor"

    def __init__(self) -> None:
        self.heads: dict[bytes, Head] = {}
        self.cosignatures: dict[tuple[bytes, bytes], tuple[int, int]] = {}
        self.forks: dict[bytes, int] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "CheckpointAnchored": self._anchored,
            "CheckpointCosigned": self._cosigned,
            "ForkReported": self._fork_reported,
            "EIP712DomainChanged": nothing,
        }

    def storage(self) -> Iterator[Entry]:
        for log, head in self.heads.items():
            yield Entry("_heads", (log, 0), int.from_bytes(head.root))
            yield Entry("_heads", (log, 1), pack((head.size, 64), (head.block, 64), (head.time, 40)))
        for (log, witness), (size, time) in self.cosignatures.items():
            yield Entry("_cosignatures", (log, witness), pack((size, 64), (time, 40)))
        for log, time in self.forks.items():
            yield Entry("_forkReportedAt", (log,), time)

    def _anchored(self, given: Arguments, moment: Moment) -> None:
        self.heads[given["logId"]] = Head(
            given["custodian"], given["origin"], given["root"], given["size"], moment.block, moment.time
        )

    def _cosigned(self, given: Arguments, _: Moment) -> None:
        self.cosignatures[given["logId"], given["witness"]] = (given["size"], given["cosignedAt"])

    def _fork_reported(self, given: Arguments, _: Moment) -> None:
        self.forks.setdefault(given["logId"], given["reportedAt"])

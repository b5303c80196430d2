"""``ResearchMarket`` from its events: permits, escrows, results, payouts, payees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, pack, word
from backend.adapters.ledger.studies import StudyState
from backend.types import Bytes32, UnixSeconds

_NOT_ENTERED = 1  # OpenZeppelin's ReentrancyGuard, between two transactions
_NEVER = UnixSeconds(0)
_NOTHING = Bytes32(bytes(32))


@dataclass(slots=True)
class Escrow:
    """``available``: what no payout owes."""

    study: bytes
    custodian: bytes
    funder: str
    token: str
    available: int = 0
    released: bool = False


@dataclass(slots=True)
class Payout:
    """As ``PayoutRound``; ``opens_at`` 0: rejected. ``claimed``: indexes of the payments made."""

    escrow: bytes
    result: bytes
    root: bytes
    remaining: int
    opens_at: int
    closes_at: int
    attempt: int
    objected: bool = False
    claimed: set[int] = field(default_factory=set)


class Market(Replayed):
    """``results``: (study, custodian, result) to its time. ``payees``: account to the study that pays it."""

    CONTRACT = "ResearchMarket"

    def __init__(self) -> None:
        self.permits: dict[bytes, StudyState] = {}
        self.escrows: dict[bytes, Escrow] = {}
        self.results: dict[tuple[bytes, bytes, bytes], int] = {}
        self.payouts: dict[bytes, Payout] = {}
        self.payees: dict[str, bytes] = {}
        self.donations: set[str] = set()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "StudyPermitted": self._permitted,
            "StudyRefused": self._refused,
            "StudySuspended": lambda given, _: self._switched(given, suspended=True),
            "StudyResumed": lambda given, _: self._switched(given, suspended=False),
            "StudyRevoked": self._study_revoked,
            "DonationNamed": self._donation_named,
            "EscrowFunded": self._funded,
            "EscrowReleased": self._released,
            "EscrowRefunded": self._refunded,
            "ResultCommitted": self._result_committed,
            "PayoutProposed": self._proposed,
            "PayoutObjected": self._objected,
            "PayoutUpheld": self._upheld,
            "PayoutRejected": self._rejected,
            "PaymentClaimed": self._claimed,
            "PayoutClosed": self._closed,
            "ClaimRejected": nothing,
            "EIP712DomainChanged": nothing,
        }

    def storage(self) -> Iterator[Entry]:
        yield Entry("_status", (), _NOT_ENTERED)
        for study, permit in self.permits.items():
            yield Entry("_permits", (study, 0), int.from_bytes(permit.rules))
            packed = pack(
                (permit.not_before, 40),
                (permit.not_after, 40),
                (permit.revoked_at, 40),
                (permit.round, 32),
                (permit.suspended, 8),
            )
            yield Entry("_permits", (study, 1), packed)
        for identity, escrow in self.escrows.items():
            yield Entry("_escrows", (identity,), pack((escrow.available, 128), (escrow.released, 8)))
        for (study, custodian, result), time in self.results.items():
            yield Entry("_results", (study, custodian, result), time)
        for identity, payout in self.payouts.items():
            yield from _stored(identity, payout)
        for account, study in self.payees.items():
            yield Entry("_studyOfPayee", (word(account),), int.from_bytes(study))
        for account in self.donations:
            yield Entry("_donations", (word(account),), 1)

    # --- studies

    def _permitted(self, given: Arguments, _: Moment) -> None:
        window = given["notBefore"], given["notAfter"]
        self.permits[given["study"]] = StudyState(given["rules"], *window, _NEVER, 0, False)

    def _refused(self, given: Arguments, _: Moment) -> None:
        refused = StudyState(_NOTHING, _NEVER, _NEVER, given["refusedAt"], 0, False)
        self.permits[given["study"]] = refused

    def _switched(self, given: Arguments, *, suspended: bool) -> None:
        found = self.permits[given["study"]]
        self.permits[given["study"]] = replace(found, suspended=suspended, round=given["round"])

    def _study_revoked(self, given: Arguments, _: Moment) -> None:
        found = self.permits[given["study"]]
        self.permits[given["study"]] = replace(found, revoked_at=given["revokedAt"])

    def _donation_named(self, given: Arguments, _: Moment) -> None:
        self.donations.add(given["account"])

    # --- money

    def _funded(self, given: Arguments, _: Moment) -> None:
        escrow = self.escrows.setdefault(given["escrow"], Escrow(*given["terms"]))
        escrow.available += given["received"]

    def _released(self, given: Arguments, _: Moment) -> None:
        # A custodian may release an escrow that nobody funded; its terms are then in no event.
        empty = Escrow(_NOTHING, _NOTHING, "", "")
        self.escrows.setdefault(given["escrow"], empty).released = True

    def _refunded(self, given: Arguments, _: Moment) -> None:
        escrow = self.escrows[given["escrow"]]
        escrow.available = _less(escrow.available, given["amount"])

    def _result_committed(self, given: Arguments, moment: Moment) -> None:
        self.results[given["study"], given["custodian"], given["result"]] = moment.time

    def _proposed(self, given: Arguments, _: Moment) -> None:
        escrow = self.escrows[given["escrow"]]
        escrow.available = _less(escrow.available, given["total"])
        self.payouts[given["round"]] = Payout(
            escrow=given["escrow"],
            result=given["result"],
            root=given["root"],
            remaining=given["total"],
            opens_at=given["opensAt"],
            closes_at=given["closesAt"],
            attempt=given["attempt"],
        )

    def _objected(self, given: Arguments, moment: Moment) -> None:
        self.payouts[given["round"]].objected = True
        self._upheld(given, moment)

    def _upheld(self, given: Arguments, _: Moment) -> None:
        payout = self.payouts[given["round"]]
        payout.opens_at, payout.closes_at = given["opensAt"], given["closesAt"]

    def _rejected(self, given: Arguments, _: Moment) -> None:
        payout = self.payouts[given["round"]]
        self.escrows[payout.escrow].available += given["total"]
        rejected = replace(payout, root=_NOTHING, remaining=0, opens_at=0, closes_at=0, objected=False)
        self.payouts[given["round"]] = rejected

    def _claimed(self, given: Arguments, _: Moment) -> None:
        payout = self.payouts[given["round"]]
        payout.claimed.add(given["index"])
        payout.remaining = _less(payout.remaining, given["amount"])
        # No event of its own: the first payment binds an account to its study, donations excepted.
        if given["account"] not in self.donations:
            self.payees.setdefault(given["account"], self.escrows[payout.escrow].study)

    def _closed(self, given: Arguments, _: Moment) -> None:
        payout = self.payouts[given["round"]]
        self.escrows[payout.escrow].available += given["unclaimed"]
        payout.remaining = 0


def _less(amount: int, taken: int) -> int:
    if taken > amount:
        raise ValueError("more is taken than there is")
    return amount - taken


def _stored(identity: bytes, payout: Payout) -> Iterator[Entry]:
    yield Entry("_rounds", (identity, 0), int.from_bytes(payout.root))
    packed = pack(
        (payout.remaining, 128),
        (payout.opens_at, 40),
        (payout.closes_at, 40),
        (payout.attempt, 32),
        (payout.objected, 8),
    )
    yield Entry("_rounds", (identity, 1), packed)
    buckets: dict[int, int] = {}  # OpenZeppelin's BitMaps: 256 indexes a word
    for index in payout.claimed:
        buckets[index >> 8] = buckets.get(index >> 8, 0) | 1 << (index & 0xFF)
    for bucket, bits in buckets.items():
        yield Entry("_claimed", (identity, 0, word(bucket)), bits)

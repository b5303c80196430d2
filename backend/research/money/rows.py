"""Rows of the index about money, as the stores give them.

The index is not trusted: a row that says what is paid bears a mark of this service, and what tells where a
patient is paid is sealed under the patient's own key. Rows are written once and never changed, but for a
payee's, whose number rises: what was put aside or taken away is missed when rows are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.research.money.types import EscrowTerms, RoundId, RunId
from backend.types import Bytes32, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class FundingRow:
    """A deposit by invoice."""

    invoice: str
    terms: EscrowTerms
    amount: int
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result that was committed to. ``snapshot``: of the consents it was made under; ``participants``: how
    many patients it pays; ``published``: the exclusive upper end of the range that was published of it."""

    result: Bytes32
    study: Bytes32
    rules: Bytes32
    run: RunId
    snapshot: bytes
    participants: int
    published: int
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class ShareRow:
    """That a patient's data was in a run."""

    run: RunId
    study: Bytes32
    subject: SubjectId


@dataclass(frozen=True, slots=True)
class LeafRow:
    """A patient's payment, sealed. It counts if its hash is in the tree of its round."""

    leaf: Bytes32
    round: RoundId
    subject: SubjectId
    sealed: bytes


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A payout that was built by the act named, for one ``attempt``. ``leaves``: hashes, 32 bytes each, of
    which ``named`` are payments and the others nobody's.

    ``base`` is the result whose patients it pays. With ``number`` 0 it pays under that result itself; a
    higher one pays those who had named no payee before, under a ``result`` of its own.
    """

    round: RoundId
    attempt: int
    act: str
    terms: EscrowTerms
    base: Bytes32
    number: int
    result: Bytes32
    share: int
    total: int
    named: int
    leaves: bytes
    at: UnixSeconds

    def hashes(self) -> list[Bytes32]:
        return [Bytes32(self.leaves[at : at + 32]) for at in range(0, len(self.leaves), 32)]


@dataclass(frozen=True, slots=True)
class PayeeRow:
    """``mark``: a keyed hash of the account, by which a second use is found. ``sealed``: the choice."""

    study: Bytes32
    subject: SubjectId
    mark: bytes
    number: int
    sealed: bytes

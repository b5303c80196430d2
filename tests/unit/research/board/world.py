"""A board of three that decides by two, on stores and a chain in memory, which can fail at any write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from eth_account import Account

from backend.audit.entry import Agent, AgentKind, AuditEvent
from backend.consent.ledger_types import LedgerView, Receipt
from backend.consent.member_terms import PermitStudy, RefuseStudy, ResumeStudy, RevokeStudy, SuspendStudy
from backend.consent.typed_data import RESEARCH_NAME, Domain, digest, recover
from backend.errors import Conflict, LedgerUnavailable
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.research.board.carrying_out import DecisionActs
from backend.research.board.case_book import CaseBook
from backend.research.board.deciding import BoardDecisions
from backend.research.board.documents import StudyDocuments
from backend.research.board.ports import CaseRow, ChainStudy, DocumentRow
from backend.research.board.preparing import BoardPreparation
from backend.research.board.stops import StoppablePermits, Stops, StudyStops
from backend.research.board.suspending import StudySuspensions
from backend.research.board.types import MotionKind, Person, Seat
from backend.research.service import StudyService
from backend.research.standing_lists import StandingLists
from backend.research.study import Study
from backend.research.types import Permit, StudyId
from backend.sealed import DocumentSealer
from backend.types import Address, BlockNumber, Bytes32, MemberId, UnixSeconds
from tests.support.memory_acts import MemoryActStore
from tests.support.memory_keys import MemoryKeyStore
from tests.support.memory_stops import MemoryStopStore

DOMAIN = Domain(31337, Address("0x" + "cd" * 20), RESEARCH_NAME)
DAY = 86_400


class Died(BaseException):
    """The process ends here."""


class ContractRefused(Conflict):
    code = "contract_refused"


@dataclass
class Faults:
    """``at``: which of the writes that follow ends the process, before (even) or after (odd) it is done."""

    at: int = -1
    seen: int = 0

    def around(self, write: Callable[[], Any]) -> Any:
        self._pass()
        result = write()
        self._pass()
        return result

    def _pass(self) -> None:
        self.seen += 1
        if self.seen - 1 == self.at:
            raise Died


@dataclass
class MemoryLog:
    faults: Faults
    events: list[AuditEvent] = field(default_factory=list)
    acts: set[bytes] = field(default_factory=set)

    def append(self, event: AuditEvent, *, act: bytes | None = None, guard: Any = None) -> None:
        def write() -> None:
            if act is None or act not in self.acts:
                self.events.append(event)
            if act is not None:
                self.acts.add(act)

        self.faults.around(write)

    def types(self) -> list[str]:
        return [event.type for event in self.events]


@dataclass
class MemoryCases:
    faults: Faults
    rows: dict[StudyId, CaseRow] = field(default_factory=dict)

    def get(self, study: StudyId) -> CaseRow | None:
        return self.rows.get(study)

    def put(self, row: CaseRow) -> bool:
        def write() -> bool:
            known = self.rows.get(row.study)
            if row.version != (1 if known is None else known.version + 1):
                return False
            self.rows[row.study] = row
            return True

        return bool(self.faults.around(write))


@dataclass
class MemoryDocuments:
    faults: Faults
    rows: dict[tuple[StudyId, bytes], DocumentRow] = field(default_factory=dict)

    def put(self, row: DocumentRow) -> None:
        self.faults.around(lambda: self.rows.setdefault((row.study, row.sha256), row))

    def get(self, study: StudyId, sha256: bytes) -> DocumentRow | None:
        return self.rows.get((study, sha256))

    def present(self, study: StudyId) -> Mapping[bytes, UnixSeconds]:
        return {sha256: row.stored_at for (of, sha256), row in self.rows.items() if of == study}


@dataclass
class MemoryStudies:
    faults: Faults
    known: dict[StudyId, Study] = field(default_factory=dict)

    def insert(self, study: Study, *, at: UnixSeconds) -> bool:
        return self.known.setdefault(study.study_id, study) is study

    def get(self, study_id: StudyId) -> Study | None:
        return self.known.get(study_id)

    def replace(self, study: Study, *, at: UnixSeconds) -> bool:
        def write() -> bool:
            if self.known[study.study_id].version != study.version - 1:
                return False
            self.known[study.study_id] = study
            return True

        return bool(self.faults.around(write))

    def page(self, **_: Any) -> list[Study]:
        return list(self.known.values())


@dataclass
class Acts:
    """The store of acts, with faults around each write."""

    faults: Faults
    inner: MemoryActStore = field(default_factory=MemoryActStore)

    def insert(self, act: Any, **options: Any) -> bool:
        return bool(self.faults.around(lambda: self.inner.insert(act, **options)))

    def advance(self, act: Any, **options: Any) -> bool:
        return bool(self.faults.around(lambda: self.inner.advance(act, **options)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Chain:
    """``ResearchMarket`` as its interface describes it: counts, checks signatures, keeps rounds."""

    faults: Faults
    threshold: int
    members: set[str]
    states: dict[StudyId, ChainStudy] = field(default_factory=dict)
    height: int = 10
    away: bool = False
    reading_away: bool = False
    not_final: bool = False
    final_states: dict[StudyId, ChainStudy] | None = None  # where they are older than the head's

    def view(self) -> LedgerView:
        if self.reading_away:
            raise LedgerUnavailable
        final = self.height if self.final_states is None else self.height - 1
        nothing = Bytes32(bytes(32))
        return LedgerView(1, BlockNumber(self.height), nothing, UnixSeconds(0), BlockNumber(final), nothing)

    def state(self, study: StudyId, *, block: BlockNumber | None = None) -> ChainStudy:
        if self.reading_away:
            raise LedgerUnavailable
        is_old = self.final_states is not None and block is not None and block < self.height
        states = self.final_states if is_old and self.final_states is not None else self.states
        return states.get(
            study, ChainStudy(bytes(32), UnixSeconds(0), UnixSeconds(0), UnixSeconds(0), 0, False)
        )

    def permit(self, study: StudyId) -> Permit | None:
        found = self.state(study)
        if not found.not_after:
            return None
        live = not found.revoked_at and not found.suspended and not self.not_final
        return Permit(found.rules, found.not_before, found.not_after, live, BlockNumber(self.height))

    def permit_study(self, permit: PermitStudy, approvals: Mapping[Address, bytes]) -> Receipt:
        study = StudyId(permit.study)

        def write() -> Receipt:
            known = self.state(study)
            if known.not_after and known.rules == permit.rules:
                return self._receipt(0)
            if known.not_after or known.revoked_at:
                raise ContractRefused
            self._require(permit, approvals)
            self.states[study] = replace(
                known, rules=bytes(permit.rules), not_before=permit.not_before, not_after=permit.not_after
            )
            return self._receipt()

        return self._send(write)

    def refuse_study(self, study: StudyId, approvals: Mapping[Address, bytes]) -> Receipt:
        def write() -> Receipt:
            if self.state(study).not_after:
                raise ContractRefused
            self._require(RefuseStudy(Bytes32(study)), approvals)
            return self._change(study, revoked_at=UnixSeconds(5))

        return self._send(write)

    def resume_study(self, study: StudyId, round_: int, approvals: Mapping[Address, bytes]) -> Receipt:
        def write() -> Receipt:
            if not self.state(study).suspended:
                return self._receipt()
            if round_ != self.state(study).round:
                raise ContractRefused
            self._require(ResumeStudy(Bytes32(study), round_), approvals)
            return self._change(study, suspended=False, round=round_ + 1)

        return self._send(write)

    def revoke_study(self, study: StudyId, approvals: Mapping[Address, bytes]) -> Receipt:
        def write() -> Receipt:
            if self.state(study).revoked_at:
                return self._receipt()
            self._require(RevokeStudy(Bytes32(study)), approvals)
            return self._change(study, revoked_at=UnixSeconds(5))

        return self._send(write)

    def suspend_study(self, study: StudyId, round_: int, member: Address, signature: bytes) -> Receipt:
        def write() -> Receipt:
            if self.state(study).suspended:
                return self._receipt()
            if round_ != self.state(study).round:
                raise ContractRefused
            self._require_signed(SuspendStudy(Bytes32(study), round_), member, signature)
            return self._change(study, suspended=True, round=round_ + 1)

        return self._send(write)

    def is_valid_signature(self, account: Address, digest: bytes, signature: bytes) -> bool:
        return False

    def _send(self, write: Callable[[], Receipt]) -> Receipt:
        if self.away:
            raise LedgerUnavailable
        return self.faults.around(write)  # type: ignore[no-any-return]

    def _require(self, command: Any, approvals: Mapping[Address, bytes]) -> None:
        if len(approvals) < self.threshold:
            raise ContractRefused
        for account, signature in approvals.items():
            self._require_signed(command, account, signature)

    def _require_signed(self, command: Any, account: str, signature: bytes) -> None:
        signed = recover(digest(command, DOMAIN), signature).lower() == account.lower()
        if account.lower() not in self.members or not signed:
            raise ContractRefused

    def _change(self, study: StudyId, **changes: Any) -> Receipt:
        self.states[study] = replace(self.state(study), **changes)
        return self._receipt()

    def _receipt(self, blocks: int = 1) -> Receipt:
        self.height += blocks
        return Receipt(BlockNumber(self.height), Bytes32(b"\x77" * 32), ())


class MemoryStops(MemoryStopStore):
    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def accept(self, study: StudyId, act: str) -> Stops:
        write = partial(super().accept, study, act)
        return self._faults.around(write)  # type: ignore[no-any-return]

    def settle(self, study: StudyId, act: str) -> Stops:
        write = partial(super().settle, study, act)
        return self._faults.around(write)  # type: ignore[no-any-return]


@dataclass
class Roll:
    everybody: list[Seat]
    away: bool = False

    def seats(self) -> Sequence[Seat]:
        if self.away:
            raise LedgerUnavailable
        return self.everybody


class NothingGiven:
    """No study was answered yet."""

    def find(self, study: StudyId) -> None:
        return None

    def keep(self, study: StudyId, snapshot: bytes, answers: Any) -> Any:
        raise AssertionError("no study is answered here")


class Uses:
    def record(self, *_: Any, **__: Any) -> None:
        raise AssertionError("nothing runs here")

    def of_subject(self, _: Any) -> list[Any]:
        return []


class World:
    """``restart`` ends the process and begins another on the same stores."""

    def __init__(self, policy: Any, now: int, *, threshold: int = 2) -> None:
        self.policy = policy
        self.now = now
        self.threshold = threshold
        self.faults = Faults()
        self.accounts = [Account.from_key(bytes([number]) * 32) for number in (1, 2, 3)]
        self.seats = [
            Seat(MemberId(bytes([number]) * 32), Address(account.address), f"Member {number}")
            for number, account in enumerate(self.accounts, start=1)
        ]
        self.roll = Roll(list(self.seats))
        self.chain = Chain(self.faults, threshold, {seat.account.lower() for seat in self.seats})
        self.log = MemoryLog(self.faults)
        self.cases = MemoryCases(self.faults)
        self.papers = MemoryDocuments(self.faults)
        self.proposals = MemoryStudies(self.faults)
        self.acts = Acts(self.faults)
        self.stopped = MemoryStops(self.faults)
        self.keys = MemoryKeyStore()
        self.restart()

    def restart(self) -> None:
        clock = lambda: self.now  # noqa: E731
        sealer = DocumentSealer(self.keys)
        self.outbox = Outbox(store=self.acts, clock=clock, holder="me", pause=lambda _: None)
        driver = Driver(self.outbox)  # not started: what is handed over waits for the next start
        self.stops = StudyStops(self.stopped)
        self.permits = StoppablePermits(self.chain, self.stops)
        self.studies = StudyService(
            studies=self.proposals, permits=self.permits, uses=Uses(), policy=self.policy, clock=clock
        )
        self.book = CaseBook(store=self.cases, sealer=sealer, audit=self.log, clock=clock)  # type: ignore[arg-type]
        self.documents = StudyDocuments(store=self.papers, sealer=sealer, book=self.book, clock=clock)
        lists = StandingLists(studies=self.proposals, given=NothingGiven(), clock=clock)
        self.preparation = BoardPreparation(
            book=self.book, documents=self.documents, lists=lists, roll=self.roll, clock=clock
        )
        shared: dict[str, Any] = {
            "book": self.book,
            "studies": self.studies,
            "ledger": self.chain,
            "stops": self.stops,
            "clock": clock,
        }
        driving: dict[str, Any] = {"outbox": self.outbox, "driver": driver}
        voting: dict[str, Any] = {"roll": self.roll, "domain": DOMAIN}
        acts = DecisionActs(
            **shared,
            **driving,
            threshold=self.threshold,
            custodian="Hospital",
            name_of=lambda _: "Institute",
        )
        self.decisions = BoardDecisions(**shared, **voting, documents=self.documents, lists=lists, acts=acts)
        self.suspensions = StudySuspensions(**shared, **voting, **driving)
        acts.restore_restrictions()
        self.suspensions.restore_restrictions()
        self.outbox.recover(takeover=True)

    def person(self, number: int) -> Person:
        return Person(Agent(AgentKind.STAFF, f"{number:032x}"), Address(self.accounts[number].address))

    @property
    def secretary(self) -> Person:
        return Person(Agent(AgentKind.STAFF, "f" * 32))

    def prepare(self, study: Study) -> None:
        self.preparation.prepare(
            study,
            reviewers=[self.seats[0].member],
            decide_by=UnixSeconds(self.now + 10 * DAY),
            remarks="",
            by=self.secretary,
        )

    def signature(self, number: int, command: Any) -> bytes:
        signed = self.accounts[number].unsafe_sign_hash(digest(command, DOMAIN))
        return bytes(signed.signature)

    def sign(self, study: Study, kind: MotionKind, number: int, *, reason: str = "") -> Any:
        study = self.studies.get(study.study_id)
        ballot = self.decisions.ballot(study, kind)
        return self.decisions.sign(
            study,
            kind,
            self.signature(number, ballot.command),
            submit_by=ballot.motion.submit_by or None,
            reason=reason,
            by=self.person(number),
        )

    def suspend(self, study: Study, number: int, *, round_: int = 0) -> Study:
        study = self.studies.get(study.study_id)
        command = SuspendStudy(Bytes32(study.study_id), round_)
        return self.suspensions.suspend(
            study, round_, self.signature(number, command), reason="a complaint", by=self.person(number)
        )

    def is_live(self, study: Study) -> bool:
        permit = self.permits.permit(study.study_id)
        return permit is not None and permit.is_live

"""What goes before a decision: complete papers, able reviewers, questions answered once, conditions met."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.audit import codes
from backend.research.board.case_book import CaseBook
from backend.research.board.case_json import decode_case, encode_case
from backend.research.board.documents import MAX_DOCUMENT_BYTES, place_of
from backend.research.board.errors import (
    CaseBusy,
    ConditionUnknown,
    DecisionDateInvalid,
    DocumentDiffers,
    DocumentUnknown,
    MotionUnfit,
    NoSeat,
    ProposalIncomplete,
    QuestionAnswered,
    QuestionUnknown,
    ReasonMissing,
    ReviewerUnknown,
)
from backend.research.board.ports import CaseRow, StudyRun
from backend.research.board.types import MotionKind
from backend.research.board.usage import StudyUsage
from backend.research.errors import StudyDamaged
from backend.research.study import State, Study
from backend.research.study_terms import Condition, ProtocolDocument
from backend.research.types import NanoRho, StudyId
from backend.sealed import DocumentSealer, SealedDocumentRefused
from backend.types import Bytes32, MemberId, UnixSeconds
from tests.unit.research.board.world import DAY, World

Put = Callable[..., Study]
TEXT = b"Protocol, in plain text"
PDF = b"%PDF-1.7 protocol"


def paper(content: bytes, media_type: str = "text/plain", name: str = "Protocol") -> ProtocolDocument:
    return ProtocolDocument(name, media_type, Bytes32(hashlib.sha256(content).digest()))


def prepare(board: World, study: Study, *reviewers: MemberId, days: float = 10) -> None:
    board.preparation.prepare(
        study,
        reviewers=reviewers or [board.seats[0].member],
        decide_by=UnixSeconds(board.now + int(days * DAY)),
        remarks="urgent",
        by=board.secretary,
    )


def test_papers_are_kept_sealed_and_read_with_an_entry_each_time(board: World, put: Put) -> None:
    study = put(board, prepared=False, documents=(paper(TEXT), paper(PDF, "application/pdf", "Annex")))
    by = board.secretary.agent
    assert [item.name for item in board.documents.missing(study)] == ["Protocol", "Annex"]
    for _ in range(2):
        board.documents.bring(study, TEXT, by=by)
    board.documents.bring(study, PDF, by=by)
    assert board.documents.missing(study) == ()
    assert board.log.types().count(codes.STUDY_DOCUMENT_STORED) == 2
    row = board.papers.rows[study.study_id, paper(TEXT).sha256]
    assert TEXT not in row.sealed
    found = board.documents.read(study, paper(TEXT).sha256, by=by)
    assert found == (paper(TEXT), TEXT)
    assert board.log.types()[-1] == codes.STUDY_DOCUMENT_READ


def test_paper_that_the_proposal_does_not_name_or_of_another_form_is_not_kept(board: World, put: Put) -> None:
    large = b"x" * (MAX_DOCUMENT_BYTES + 1)
    named = [
        paper(b"no pdf", "application/pdf", "a"),
        paper(b"\xff\xfe", "text/plain", "b"),
        paper(b"nul \0", "text/plain", "c"),
        paper(large, "text/plain", "d"),
        paper(b"", "text/plain", "e"),
    ]
    study = put(board, prepared=False, documents=tuple(named))
    for content in (TEXT, b"no pdf", b"\xff\xfe", b"nul \0", large, b""):
        with pytest.raises(DocumentDiffers):
            board.documents.bring(study, content, by=board.secretary.agent)
    assert not board.papers.rows
    assert not board.log.events


def test_paper_of_another_study_or_place_does_not_open(board: World, put: Put) -> None:
    study = put(board, prepared=False, documents=(paper(TEXT), paper(b"second", name="Two")))
    by = board.secretary.agent
    board.documents.bring(study, TEXT, by=by)
    with pytest.raises(DocumentUnknown):
        board.documents.read(study, paper(b"second").sha256, by=by)
    with pytest.raises(DocumentUnknown):
        board.documents.read(study, b"?" * 32, by=by)
    key = (study.study_id, paper(TEXT).sha256)
    other = DocumentSealer(board.keys).seal(b"forged", subject=None, place=place_of(*key))
    whole = board.papers.rows[key]
    board.papers.rows[key] = replace(whole, sealed=other)
    with pytest.raises(DocumentDiffers):
        board.documents.read(study, key[1], by=by)
    elsewhere = DocumentSealer(board.keys).seal(TEXT, subject=None, place="elsewhere")
    board.papers.rows[key] = replace(whole, sealed=elsewhere)
    with pytest.raises(SealedDocumentRefused):
        board.documents.read(study, key[1], by=by)
    assert codes.STUDY_DOCUMENT_READ not in board.log.types()


def test_preparation_needs_papers_able_reviewers_and_a_date_to_come(board: World, put: Put) -> None:
    study = put(board, prepared=False, documents=(paper(TEXT),))
    with pytest.raises(ProposalIncomplete):
        prepare(board, study)
    board.documents.bring(study, TEXT, by=board.secretary.agent)
    one = board.seats[0].member
    for reviewers in ((one, one), (MemberId(b"?" * 32),)):
        with pytest.raises(ReviewerUnknown):
            prepare(board, study, *reviewers)
    for days in (0, -1, 60.1):
        with pytest.raises(DecisionDateInvalid):
            prepare(board, study, days=days)
    board.preparation.recuse(study, "a relative", by=board.person(0))
    with pytest.raises(ReviewerUnknown):
        prepare(board, study, one)
    prepare(board, study, board.seats[1].member)
    prepared = board.book.get(study.study_id).preparation
    assert prepared is not None
    assert (prepared.reviewers, prepared.remarks) == ((board.seats[1].member,), "urgent")


def test_recusal_is_a_members_own_and_has_a_reason(board: World, put: Put) -> None:
    study = put(board)
    with pytest.raises(NoSeat):
        board.preparation.recuse(study, "x", by=board.secretary)
    with pytest.raises(ReasonMissing):
        board.preparation.recuse(study, "  ", by=board.person(0))
    for reason in ("a relative", "another reason"):
        case = board.preparation.recuse(study, reason, by=board.person(0))
    assert [(item.name, item.reason) for item in case.recusals] == [("Member 1", "a relative")]
    entries = [event.detail["change"] for event in board.log.events]
    assert entries.count("recused") == 1


def test_question_is_answered_once(board: World, put: Put) -> None:
    study = put(board)
    for _ in range(2):
        board.preparation.ask(study, "Why?", by=board.person(0))
    board.preparation.ask(study, "How long?", by=board.secretary)
    with pytest.raises(QuestionUnknown):
        board.preparation.answer(study, 2, "x", by=board.person(1))
    with pytest.raises(QuestionUnknown):
        board.preparation.answer(study, -1, "x", by=board.person(1))
    with pytest.raises(ReasonMissing):
        board.preparation.answer(study, 0, " ", by=board.person(1))
    for _ in range(2):
        case = board.preparation.answer(study, 1, "A year.", by=board.person(1))
    assert [question.text for question in case.open_questions] == ["Why?"]
    with pytest.raises(QuestionAnswered):
        board.preparation.answer(study, 1, "Two years.", by=board.person(1))


def test_conditions_are_met_one_by_one(board: World, put: Put) -> None:
    study = put(board)
    board.preparation.set_conditions(study, (Condition("a"), Condition("b")), by=board.secretary)
    for number in (0, 1):
        board.sign(study, MotionKind.PERMIT, number)
    permitted = board.studies.get(study.study_id)
    for wrong in (-1, 2):
        with pytest.raises(ConditionUnknown):
            board.preparation.mark_met(permitted, wrong, by=board.secretary)
    for _ in range(2):
        case = board.preparation.mark_met(permitted, 1, by=board.secretary)
    assert [item.condition for item in case.met] == [1]


def test_decided_study_is_neither_prepared_nor_asked_about(board: World, put: Put) -> None:
    study = put(board)
    refused = replace(study, state=State.REFUSED)
    with pytest.raises(MotionUnfit):
        prepare(board, refused)
    with pytest.raises(MotionUnfit):
        board.preparation.ask(refused, "Why?", by=board.secretary)


def test_file_with_everything_in_it_is_read_back(board: World, put: Put) -> None:
    study = put(board)
    board.preparation.set_conditions(study, (Condition("a", UnixSeconds(board.now + 9)),), by=board.secretary)
    board.preparation.ask(study, "Why?", by=board.person(0))
    board.preparation.answer(study, 0, "Because.", by=board.person(1))
    board.preparation.recuse(study, "a relative", by=board.person(2))
    board.sign(study, MotionKind.REFUSE, 0, reason="maybe")
    board.sign(study, MotionKind.PERMIT, 0)
    board.sign(study, MotionKind.PERMIT, 1)
    board.preparation.mark_met(board.studies.get(study.study_id), 0, by=board.secretary)
    case = board.book.get(study.study_id)
    assert all((case.preparation, case.met, case.recusals, case.questions, case.motions, case.decisions))
    encoded = encode_case(case)
    assert decode_case(encoded, study=case.study, version=case.version) == case
    for study_id, version in ((StudyId(b"?" * 32), case.version), (case.study, case.version + 1)):
        with pytest.raises(StudyDamaged):
            decode_case(encoded, study=study_id, version=version)
    for broken in (b"{}", b"[", encoded.replace(b'"schema":1', b'"schema":2')):
        with pytest.raises(StudyDamaged):
            decode_case(broken, study=case.study, version=case.version)


def test_change_that_others_keep_overtaking_is_given_up_and_one_that_lost_once_is_made(
    board: World, put: Put
) -> None:
    study = put(board, prepared=False)

    class Contended:
        """Every put finds another version there, so many times."""

        def __init__(self, times: int) -> None:
            self.times = times

        def get(self, name: StudyId) -> CaseRow | None:
            return board.cases.get(name)

        def put(self, row: CaseRow) -> bool:
            self.times -= 1
            return self.times < 0 and board.cases.put(row)

    def book(times: int) -> CaseBook:
        store, sealer = Contended(times), DocumentSealer(board.keys)
        return CaseBook(store=store, sealer=sealer, audit=board.log, clock=lambda: 1)  # type: ignore[arg-type]

    conditions = (Condition("a"),)
    with pytest.raises(CaseBusy):
        book(100).change(study.study_id, lambda case: replace(case, conditions=conditions))
    changed = book(1).change(study.study_id, lambda case: replace(case, conditions=conditions))
    assert (changed.version, board.book.get(study.study_id).conditions) == (1, conditions)


def test_usage_counts_tables_once_and_tells_what_is_spent(board: World, put: Put) -> None:
    study = put(board)
    runs: list[StudyRun] = []

    class Runs:
        def record(self, run: StudyRun) -> None:
            runs.append(run)

        def of_study(self, name: StudyId) -> list[StudyRun]:
            return [run for run in runs if run.study == name]

    spent = NanoRho(0)
    before = put(board, title="The version before", prepared=False)
    usage = StudyUsage(
        runs=Runs(),
        spent=lambda versions: NanoRho(spent * len(versions)),
        versions_before=lambda _: [before],
        policy=board.policy,
    )
    assert (usage.of(study).epsilon_spent, usage.of(study).releases) == ("0", 0)
    for number, table in enumerate((b"t", b"t", b"", b"u")):
        usage.record(StudyRun(study.study_id, bytes([number]), bytes([number]), table, UnixSeconds(1)))
    usage.record(StudyRun(StudyId(b"?" * 32), b"r", b"r", b"v", UnixSeconds(1)))
    spent = NanoRho(24_356_000)
    found = usage.of(study)
    assert (len(found.runs), found.releases) == (4, 2)
    assert found.epsilon_spent.startswith("1.0")
    assert float(found.epsilon_in_all) > float(found.epsilon_spent)
    assert found.epsilon_limit.startswith("2.0") or found.epsilon_limit.startswith("1.99")

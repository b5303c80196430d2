"""The letter says what was decided, by whom and how to check it; the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pypdf
import pytest

from backend.consent.member_terms import PermitStudy, RefuseStudy
from backend.consent.typed_data import RESEARCH_NAME, Domain, digest
from backend.research.board.letter import Letter, render
from backend.research.board.types import Decision, Recusal, Signed
from backend.research.outputs import Records
from backend.research.study import Proposal, Study, propose, rules_of
from backend.research.study_terms import Basis, Condition, Price, ProtocolDocument
from backend.research.types import StudyId
from backend.types import Address, Bytes32, MemberId, UnixSeconds

AT = UnixSeconds(1_790_000_000)
DOMAIN = Domain(31337, Address("0x" + "cd" * 20), RESEARCH_NAME)
CONDITIONS = (Condition("Report to us <soon> & fully.", UnixSeconds(1_795_000_000)), Condition("No linkage."))


def signed(name: str, number: int) -> Signed:
    account = Address("0x" + f"{number:040x}")
    return Signed(MemberId(bytes([number]) * 32), account, name, bytes([number]) * 65, AT)


def decision(kind: str = "permit", **changes: Any) -> Decision:
    values: dict[str, Any] = {
        "kind": kind,
        "number": 0,
        "reason": "",
        "conditions": CONDITIONS if kind == "permit" else (),
        "signed": (signed("Dr. Amal Haddad", 1), signed("Łucja Żółć", 2)),
        "recused": (
            Recusal(MemberId(b"r" * 32), Address("0x" + "ee" * 20), "Bo Lindgren", "secret reason", AT),
        ),
        "threshold": 2,
        "at": AT,
        "block": 77,
        "transaction": Bytes32(b"\xab" * 32),
        "submit_by": UnixSeconds(1_790_700_000) if kind == "permit" else None,
        "custodian": "Lakeside Hospital",
        "researcher": "Institute of Numbers",
    }
    return Decision(**(values | changes))


@pytest.fixture
def study(proposal_with: Callable[..., Proposal]) -> Study:
    return propose(
        proposal_with(
            price=Price(Address("0x" + "ab" * 20), 5, Basis.PATIENT),
            documents=(ProtocolDocument("Protocol v2", "application/pdf", Bytes32(b"\x0f" * 32)),),
        )
    )


def text_of(content: bytes) -> str:
    """The words of all pages; ids that were broken into lines are put together again."""
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


def without_blanks(content: bytes) -> str:
    return text_of(content).replace(" ", "")


def test_permit_says_study_conditions_members_recusals_and_where_it_is(study: Study) -> None:
    content = render(Letter(study, decision(), None, DOMAIN))
    assert content.startswith(b"%PDF-")
    text = text_of(content)
    for words in (
        "The study is permitted.",
        "Lakeside Hospital",
        "Institute of Numbers",
        study.proposal.title,
        "2026-09-21",
        "1. Report to us <soon> & fully. (by 2026-11-18T",
        "2. No linkage.",
        "It takes 2 members",
        "Dr. Amal Haddad, 2026-09-21T",
        "Łucja Żółć",
        "without a part in it: Bo Lindgren.",
        "Protocol v2",
        "5 units of token",
        "non-commercial use only (DUO:0000046)",
        "notBefore 1789999000",
        "block 77",
        "Chain 31337",
    ):
        assert words in text, words
    assert "secret reason" not in text, "why a member recused stays with the board"


def test_letter_says_in_words_that_records_of_single_patients_leave(study: Study) -> None:
    words = "Records of single patients leave for the researcher"
    assert words not in text_of(render(Letter(study, decision(), None, DOMAIN)))
    asked = (Records("records", ("demographics", "laboratory")),)
    of_records = propose(replace(study.proposal, outputs=asked))
    text = text_of(render(Letter(of_records, decision(), None, DOMAIN)))
    assert words in text
    assert "11 patients or more. Kinds of data: demographics, laboratory." in text


def test_letter_holds_what_its_reader_needs_to_check_it(study: Study) -> None:
    decided = decision()
    packed = without_blanks(render(Letter(study, decided, None, DOMAIN)))
    rules = rules_of(study.proposal, CONDITIONS)
    command = PermitStudy(
        Bytes32(study.study_id),
        rules,
        study.proposal.not_before,
        study.proposal.not_after,
        UnixSeconds(1_790_700_000),
    )
    for value in (
        study.study_id,
        rules,
        b"\xab" * 32,
        digest(command, DOMAIN),
        decided.signed[0].signature,
        decided.signed[1].signature,
        b"\x0f" * 32,
    ):
        assert value.hex() in packed
    assert decided.signed[0].account in packed


def test_same_decision_gives_the_same_bytes(study: Study) -> None:
    letters = {render(Letter(study, decision(), None, DOMAIN)) for _ in range(3)}
    assert len(letters) == 1
    assert render(Letter(study, decision(block=78), None, DOMAIN)) not in letters


def test_refusal_gives_its_reason_and_no_conditions(study: Study) -> None:
    content = render(Letter(study, decision("refuse", reason="Too small a sample."), None, DOMAIN))
    text = text_of(content)
    assert "The study is refused." in text
    assert "Reason: Too small a sample." in text
    assert "Conditions" not in text
    assert "StudyRefused" in text
    assert digest(RefuseStudy(Bytes32(study.study_id)), DOMAIN).hex() in without_blanks(content)


def test_amendment_is_told_as_differences(study: Study) -> None:
    changed = propose(replace(study.proposal, runs=7, amends=StudyId(study.study_id), salt=b"z" * 32))
    text = text_of(render(Letter(changed, decision(conditions=()), study, DOMAIN)))
    assert "This amendment changes the study:" in text
    assert "runs: 2 became 7" in text
    assert "None." in text


def test_long_text_goes_over_pages(study: Study) -> None:
    conditions = tuple(Condition(f"Number {number}. " + "words " * 300) for number in range(20))
    content = render(Letter(study, decision(conditions=conditions), None, DOMAIN))
    assert len(pypdf.PdfReader(io.BytesIO(content)).pages) > 2
    assert "20. Number 19." in text_of(content)

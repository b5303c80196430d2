"""The board's decision as a letter: PDF, the same bytes for the same decision whenever it is asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

from backend.consent.typed_data import Domain, digest, typed_data
from backend.research.board.difference import differences, version_of
from backend.research.board.motions import command_of, motion_of
from backend.research.board.types import Decision, MotionKind, Signed
from backend.research.canonical import canonical_json
from backend.research.duo_terms import parse_term
from backend.research.exports.making import MINIMUM_PATIENTS
from backend.research.study import Study, records_of, rules_of, table_of
from backend.types import time_text, to_hex

_FONT: Final = "DejaVuSans"  # has the letters of most names; the fonts of every PDF reader have Latin-1 alone
_TITLE: Final = ParagraphStyle("title", fontName=_FONT, fontSize=16, leading=20, spaceAfter=6)
_HEAD: Final = ParagraphStyle("head", fontName=_FONT, fontSize=11, leading=15, spaceBefore=8, spaceAfter=2)
_TEXT: Final = ParagraphStyle("text", fontName=_FONT, fontSize=9, leading=12.5, alignment=TA_LEFT)
_CODE: Final = ParagraphStyle("code", parent=_TEXT, fontSize=7, leading=9, splitLongWords=1)
_DECIDED: Final = {MotionKind.PERMIT.value: "permitted", MotionKind.REFUSE.value: "refused"}


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter is made of. ``before``: the version that the study amends, where there is one."""

    study: Study
    decision: Decision
    before: Study | None
    domain: Domain


def render(letter: Letter) -> bytes:
    """Return the letter as a PDF of one or more A4 pages."""
    _register_font()
    out = BytesIO()
    # "invariant" leaves the time of printing and random ids out.
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=22 * mm,
        rightMargin=22 * mm,
        topMargin=20 * mm,
        bottomMargin=20 * mm,
        title="Decision of the ethics board",
        author=letter.decision.custodian,
        invariant=1,
    )
    document.build(list(_flow(letter)))
    return out.getvalue()


def _flow(letter: Letter) -> Iterator[Paragraph | Spacer]:
    decision, study = letter.decision, letter.study
    proposal = study.proposal
    decided = _DECIDED[decision.kind]
    yield Paragraph("Decision of the ethics board", _TITLE)
    yield from _lines(
        f"Custodian of the records: {decision.custodian}",
        f"Study: {proposal.title}",
        f"Researcher: {decision.researcher or to_hex(proposal.researcher)}",
        f"Date of the decision: {time_text(decision.at)[:10]}",
    )
    yield Paragraph(f"The study is {decided}.", _HEAD)
    if decision.reason:
        yield from _lines(f"Reason: {decision.reason}")
    if decision.kind == MotionKind.PERMIT.value:
        yield from _lines(
            f"It may run from {time_text(proposal.not_before)} until {time_text(proposal.not_after)}, "
            f"{proposal.runs} times at most, over patients whose consent is live when it runs.",
        )
        yield Paragraph("Conditions", _HEAD)
        yield from _conditions(decision)
    yield Paragraph("What was decided on", _HEAD)
    yield from _proposal(letter)
    yield Paragraph("Who decided", _HEAD)
    yield from _lines(f"It takes {decision.threshold} members of the board. Signed by:")
    for signed in decision.signed:
        yield from _lines(f"{_name(signed)}, {time_text(signed.at)}, account {signed.account}")
    recused = ", ".join(item.name or to_hex(item.member) for item in decision.recused)
    yield from _lines(f"Recused, and without a part in it: {recused or 'nobody'}.")
    yield Paragraph("Where it is recorded, and how to verify it", _HEAD)
    yield from _verification(letter)


def _conditions(decision: Decision) -> Iterator[Paragraph]:
    if not decision.conditions:
        yield from _lines("None.")
    for number, condition in enumerate(decision.conditions, start=1):
        until = "" if condition.due is None else f" (by {time_text(condition.due)})"
        yield from _lines(f"{number}. {condition.text}{until}")


def _proposal(letter: Letter) -> Iterator[Paragraph]:
    proposal = letter.study.proposal
    table, duo = table_of(proposal), proposal.duo
    kind = "answers" if table is None else f"answers and a dataset with k = {table.k}"
    yield from _lines(
        f"Purpose {proposal.purpose}: {'; '.join(f'{parse_term(t).definition.label} ({t})' for t in duo)}.",
        f"Variables: {', '.join(variable.name for variable in proposal.variables)}.",
        f"Output: {kind}; privacy loss of {proposal.epsilon / 1_000_000:g} in all, "
        f"cohorts of {proposal.minimum_cohort} patients or more.",
    )
    records = records_of(proposal)
    if records is not None:
        yield from _lines(
            "Records of single patients leave for the researcher, one patient beside another: de-identified "
            "FHIR resources under pseudonyms, dates moved, without free text. The privacy loss above does "
            "not cover them. Only of patients whose consent lets research take them out of the system, and "
            f"of {MINIMUM_PATIENTS} patients or more. Kinds of data: {', '.join(records.categories)}.",
        )
    if proposal.price is not None:
        price = proposal.price
        basis = "patient" if price.basis.value == "patient" else "study"
        yield from _lines(f"Offered: {price.amount} units of token {price.token} for each {basis}.")
    for document in proposal.documents:
        yield from _lines(f"Document: {document.name}, SHA-256:")
        yield Paragraph(to_hex(document.sha256), _CODE)
    if letter.before is not None:
        before = letter.before.proposal
        yield from _lines(f"This {version_of(before, proposal).value} changes the study:")
        yield Paragraph(to_hex(letter.before.study_id), _CODE)
        for change in differences(before, proposal):
            yield from _lines(f"{change.member}: {change.before or '-'} became {change.after or '-'}")


def _verification(letter: Letter) -> Iterator[Paragraph]:
    decision, study = letter.decision, letter.study
    permit = decision.kind == MotionKind.PERMIT.value
    event = "StudyPermitted" if permit else "StudyRefused"
    command = command_of(study, motion_of(study, decision))
    yield from _lines(
        f"Chain {letter.domain.chain_id}, contract ResearchMarket {letter.domain.verifying_contract}, "
        f"block {decision.block}. Study id, transaction" + (" and rules:" if permit else ":"),
    )
    rules = (rules_of(study.proposal, decision.conditions),) if permit else ()
    for value in (study.study_id, decision.transaction or b"", *rules):
        yield Paragraph(to_hex(value), _CODE)
    yield from _lines(
        f"1. Ask any node of the chain for the transaction: its event {event} names the study and the "
        "accounts above. The contract's permitOf tells whether a permit stands today; this letter does not.",
        "2. The study id is the SHA-256 of the proposal as the service shows it, written as canonical JSON: "
        "sorted keys, no white space, UTF-8, "
        f"{len(canonical_json(study.proposal.as_json()))} bytes.",
    )
    if permit and decision.conditions:
        yield from _lines(
            "3. The rules are the SHA-256 of the canonical JSON list of 'assent-rules-1', the study id "
            "without 0x, and the list of conditions, each with 'text' and 'due' (unix seconds or null)."
        )
    elif permit:
        yield from _lines("3. Without conditions the rules are the study id.")
    message = typed_data(command, letter.domain)["message"]
    signed_fields = ", ".join(f"{name} {value}" for name, value in message.items())
    yield from _lines(
        f"{4 if permit else 3}. The members signed {type(command).__name__} (EIP-712, domain "
        f"'{letter.domain.name}', version 1) with these values, whose digest and signatures follow:"
    )
    yield Paragraph(escape(signed_fields), _CODE)
    yield Paragraph(to_hex(digest(command, letter.domain)), _CODE)
    for signed in decision.signed:
        yield Paragraph(f"{escape(_name(signed))}: {to_hex(signed.signature)}", _CODE)


def _lines(*texts: str) -> Iterator[Paragraph]:
    for text in texts:
        yield Paragraph(escape(text).replace("\n", "<br/>"), _TEXT)


def _name(signed: Signed) -> str:
    return signed.name or to_hex(signed.member)


@cache
def _register_font() -> None:
    # Found without importing the package it comes with, which takes its time.
    found = importlib.util.find_spec("matplotlib")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("matplotlib, whose font the letters use")
    fonts = Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont(_FONT, str(fonts / "DejaVuSans.ttf")))

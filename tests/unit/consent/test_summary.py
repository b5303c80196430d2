"""The summary is the published text for the other terms, and no other text passes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from backend.consent.errors import SummaryMismatch, UnknownCode
from backend.consent.summary import check_summary, render, with_summary
from backend.consent.table_words import TablesIncomplete
from backend.consent.tables import CURRENT_VERSION, LANGUAGES, load_tables, published_versions
from backend.consent.terms import (
    UNBOUNDED,
    BreakGlass,
    Delegation,
    Document,
    Grant,
    Kind,
    ResearchTerms,
    Rule,
)
from backend.consent.terms_json import from_json
from scripts.vectors import world as w

VECTORS = Path(__file__).parents[3] / "vectors"
DATA = Path(__file__).parents[3] / "backend" / "consent" / "data"
CASES = [
    (version, case)
    for version in published_versions()
    for case in json.loads(
        (VECTORS / f"summaries{'' if version == CURRENT_VERSION else f'_v{version}'}.json").read_text()
    )["cases"]
]
TYPES = {"Grant": Grant, "Delegation": Delegation}


@pytest.mark.parametrize(
    ("version", "case"), CASES, ids=[f"{case['name']}-v{version}" for version, case in CASES]
)
def test_published_summary_is_rendered_again(version: int, case: dict[str, Any]) -> None:
    document = from_json(TYPES[case["type"]], case["document"])
    for language, text in case["summaries"].items():
        assert render(document, language, load_tables(version)) == text
    assert set(case["summaries"]) == set(LANGUAGES)
    assert document.terms.summary == case["summaries"][document.terms.language]
    assert check_summary(document) == version


def test_one_letter_more_or_less_is_refused() -> None:
    document = with_summary(w.grant(), w.TABLES)
    text = document.terms.summary
    for other in ("", text + " ", text[:-1], text.replace("treatment", "research"), text.replace("\n", " ")):
        terms = replace(document.terms, summary=other)
        with pytest.raises(SummaryMismatch):
            check_summary(replace(document, terms=terms))


def test_summary_in_another_language_than_the_terms_is_refused() -> None:
    document = with_summary(w.grant(), w.TABLES)
    with pytest.raises(SummaryMismatch):
        check_summary(replace(document, terms=replace(document.terms, language="de")))
    with pytest.raises(UnknownCode):
        render(document, "fr", w.TABLES)


def test_summary_and_salt_do_not_change_the_summary() -> None:
    document = w.grant()
    other = replace(document, terms=replace(document.terms, salt=w.salt("x"), summary="y"))
    assert render(document, "en", w.TABLES) == render(other, "en", w.TABLES)


# What is signed and left out of the text, with the reason.
SILENT = {"salt", "summary", "language", "epoch", "submit_by", "decision"}
OTHER_VALUES: dict[str, Any] = {
    "subject": w.OTHER_SUBJECT,
    "grantee": w.HOSPITAL,
    "purposes": w.purposes("TREAT", "HRESCH"),
    "categories": w.categories("notes"),
    "sensitivities": w.sensitivities("HIV"),
    "actions": w.actions("access", "export"),
    "data_from": 1,
    "data_to": w.NOW,
    "erase_by": w.NOW,
    "max_uses": 1,
    "uses_per_period": 4,
    "period_seconds": 7200,
    "break_glass": BreakGlass.FORBID,
    "break_glass_categories": w.categories("allergies"),
    "redelegation_depth": 1,
    "rules": (Rule(permit=False, sensitivities=w.sensitivities("MH")),),
    "research": ResearchTerms(minimum_cohort=7),
    "notice": w.salt("notice"),
    "not_before": w.START + 1,
    "not_after": UNBOUNDED,
    "kind": Kind.DENY,
    "request": w.salt("request"),
    "supersedes": w.salt("old"),
    "delegate": w.CARER,
    "powers": 4,
    "depth": 2,
    "parent": w.salt("parent"),
    "relationship": "aunt",
    "evidence": w.salt("another"),
}


OFTEN = {"uses_per_period": 3, "period_seconds": 3600}
# What only shows together with another member.
BASES: dict[str, dict[str, Any]] = {
    "break_glass_categories": {"break_glass": BreakGlass.LIMIT},
    "uses_per_period": OFTEN,
    "period_seconds": OFTEN,
}


def members(document: Document) -> set[str]:
    names = {field.name for field in fields(document)} | {field.name for field in fields(document.terms)}
    return names - {"terms"} - SILENT


@pytest.mark.parametrize("name", sorted(members(w.grant())))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_of_a_permit_shows_in_its_summary(name: str, language: str) -> None:
    base = BASES.get(name, {})
    before, after = w.grant(**base), w.grant(**{**base, name: OTHER_VALUES[name]})
    assert render(before, language, w.TABLES) != render(after, language, w.TABLES)


@pytest.mark.parametrize("name", sorted(members(w.delegation())))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_of_a_delegation_shows_in_its_summary(name: str, language: str) -> None:
    other = Kind.GUARDIANSHIP if name == "kind" else OTHER_VALUES[name]
    before, after = w.delegation(powers=15), w.delegation(**{"powers": 15, name: other})
    assert render(before, language, w.TABLES) != render(after, language, w.TABLES)


RULE_VALUES: dict[str, Any] = {
    "permit": True,
    "purposes": w.purposes("TREAT"),
    "categories": w.categories("laboratory"),
    "sensitivities": w.sensitivities("MH"),
    "actions": w.actions("use"),
    "grantees": (w.DOCTOR,),
    "data_from": 1,
    "data_to": w.NOW,
    "references": (w.salt("record"),),
    "obligations": 1,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Rule)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_member_of_a_rule_shows_in_the_summary(name: str, language: str) -> None:
    before, after = Rule(permit=False), replace(Rule(permit=False), **{name: RULE_VALUES[name]})
    texts = {render(w.grant(Kind.PERMIT, rule), language, w.TABLES) for rule in (before, after)}
    assert len(texts) == 2


def test_braces_in_a_value_are_left_alone() -> None:
    text = render(w.delegation(relationship="{delegate} {text}"), "en", w.TABLES)
    assert "Relationship: {delegate} {text}." in text


@pytest.mark.parametrize("kind", [Kind.PERMIT, Kind.DENY])
@pytest.mark.parametrize("not_after", [w.END, UNBOUNDED])
@pytest.mark.parametrize("language", LANGUAGES)
def test_consent_without_a_start_says_so_in_words(kind: Kind, not_after: int, language: str) -> None:
    text = render(w.grant(kind, not_before=0, not_after=not_after), language, w.TABLES)
    assert "1970" not in text
    words = {
        "en": "Valid from the moment it is recorded until",
        "de": "Gültig vom Augenblick der Eintragung bis",
    }
    assert words[language] in text


def test_delegation_without_a_start_says_so_in_words() -> None:
    assert "1970" not in render(w.delegation(not_before=0), "en", w.TABLES)


def test_seconds_are_shown_only_where_there_are_some() -> None:
    text = render(w.grant(not_before=1_790_000_040, not_after=1_790_000_101), "en", w.TABLES)
    assert "from 2026-09-21 14:14 UTC until 2026-09-21 14:15:01 UTC" in text


def test_phrases_exist_in_every_language_with_the_same_places() -> None:
    def places(text: str) -> list[str]:
        return sorted(part.split("}")[0] for part in text.split("{")[1:])

    english, german = (w.TABLES.phrases[language] for language in LANGUAGES)
    assert set(english) == set(german)
    assert all(places(english[name]) == places(german[name]) for name in english)


@pytest.mark.parametrize("version", published_versions())
def test_every_code_of_every_table_has_its_words_in_every_language(version: int) -> None:
    tables = load_tables(version)
    for table in (
        *(tables.purposes, tables.categories, tables.sensitivities),
        *(tables.actions, tables.obligations, tables.powers),
    ):
        assert all(set(table.texts[language]) == set(table.bits) for language in LANGUAGES), table.name
    assert set(tables.duo["en"]) == set(tables.duo["de"])


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the current tables to break; the real ones are read again afterwards."""
    folder = tmp_path / f"v{CURRENT_VERSION}"
    shutil.copytree(DATA / f"v{CURRENT_VERSION}", folder)
    monkeypatch.setattr("backend.consent.tables._DATA", tmp_path)
    load_tables.cache_clear()
    yield folder
    load_tables.cache_clear()


@pytest.mark.parametrize(
    "table", ["purpose_of_use", "categories", "sensitivities", "actions", "obligations", "powers", "duo"]
)
@pytest.mark.parametrize("words", [None, "", "  "])
def test_code_without_german_words_is_an_error_and_never_shown_in_english(
    table: str, words: str | None, broken: Path
) -> None:
    path = broken / f"{table}.json"
    content = json.loads(path.read_text())
    row = content["codes"][3 if len(content["codes"]) > 3 else 0]
    row["de"] = words
    if words is None:
        del row["de"]
    path.write_text(json.dumps(content))
    with pytest.raises(TablesIncomplete) as refusal:
        load_tables()
    assert refusal.value.field == f"{table}.{row['code']}.de"


@pytest.mark.parametrize(
    ("language", "name", "text", "field"),
    [
        ("de", "withdraw", None, "summary.de.withdraw"),
        ("en", "withdraw", None, "summary.en.withdraw"),
        ("de", "withdraw", "", "summary.de.withdraw"),
        ("de", "uses", "Die Daten dürfen genutzt werden.", "summary.uses"),
        ("de", "valid", "Gültig von {from} bis {to}, ja {to}.", "summary.valid"),
        ("de", "extra", "Nur auf Deutsch.", "summary.en.extra"),
    ],
)
def test_sentence_that_is_missing_or_has_other_places_is_an_error(
    language: str, name: str, text: str | None, field: str, broken: Path
) -> None:
    path = broken / "summary.json"
    content = json.loads(path.read_text())
    content[language].pop(name, None)
    if text is not None:
        content[language][name] = text
    path.write_text(json.dumps(content))
    with pytest.raises(TablesIncomplete) as refusal:
        load_tables()
    assert refusal.value.field == field

"""Codes and masks go over into each other, and what no table names is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.consent import decision, matching, terms
from backend.consent.errors import UnknownBit, UnknownCode
from backend.consent.tables import LANGUAGES, CodeTable, load_tables, published_versions

TABLES = load_tables()
ALL = [
    *(TABLES.purposes, TABLES.categories, TABLES.sensitivities),
    *(TABLES.actions, TABLES.obligations, TABLES.powers),
]


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_table_every_code_goes_to_its_bit_and_back(table: CodeTable) -> None:
    for code, bit in table.bits.items():
        assert table.mask([code]) == 1 << bit
        assert table.codes(1 << bit) == (code,)
    assert table.codes(table.all_bits) == tuple(table.bits)
    assert table.all_bits < 2**table.width
    assert list(table.bits.values()) == sorted(set(table.bits.values()))


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_table_has_different_words_for_every_code_in_every_language(table: CodeTable) -> None:
    for language in LANGUAGES:
        words = table.words(table.all_bits, language)
        assert len(set(words)) == len(table.bits)
        assert all(text == text.strip() and text for text in words)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_unused_bit_is_refused_by_name(table: CodeTable) -> None:
    unused = next(bit for bit in range(table.width + 1) if bit not in table.bits.values())
    with pytest.raises(UnknownBit) as refusal:
        table.check(1 << unused | 1, field="terms.somewhere")
    assert refusal.value.field == "terms.somewhere"
    with pytest.raises(UnknownBit):
        table.check(-1)


def test_unknown_code_version_and_language_are_refused() -> None:
    with pytest.raises(UnknownCode) as refusal:
        TABLES.purposes.mask(["TREAT", "treat"])
    assert refusal.value.field == "purposes"
    with pytest.raises(UnknownCode):
        load_tables(99)
    with pytest.raises(UnknownCode):
        TABLES.actions.words(1, "fr")


def test_purposes_are_the_62_codes_in_the_frozen_order() -> None:
    assert len(TABLES.purposes.bits) == 62
    bits = TABLES.purposes.bits
    assert (bits["HMARKT"], bits["HRESCH"], bits["TREAT"], bits["TREATDS"]) == (0, 38, 54, 61)
    shared = Path(__file__).parents[4] / "shared/data/purpose_of_use.json"
    if not shared.exists():
        pytest.skip("the folder shared/data with the HL7 list is not there")
    assert list(bits) == [row[0] for row in json.loads(shared.read_text())]


def test_bits_written_in_code_are_those_of_the_tables() -> None:
    purposes, actions = TABLES.purposes.mask, TABLES.actions.mask
    assert purposes(["PATRQT"]) == decision.PATRQT
    assert purposes(["PATRQT", "FAMRQT", "PWATRNY", "SUPNWK"]) == decision.PATIENT_REQUESTS
    assert purposes(["BTG"]) == decision.BTG
    assert actions(["access", "use", "export"]) == decision.OWN_ACTIONS
    assert actions(["access", "use"]) == decision.DELEGATE_ACTIONS
    assert TABLES.sensitivities.mask(["UNLABELLED"]) == matching.UNLABELLED
    assert {power.name.lower(): power.value for power in terms.Power if power.name} == {
        code: 1 << bit for code, bit in TABLES.powers.bits.items()
    }
    assert dict(TABLES.kinds) == {kind.value: kind.name for kind in terms.Kind}


RELEASED = {
    1: "d4abe3a834b6fb8ddf3b7d0306bc7659d651b01e9a9305a81ef49ade4a5df889",
    2: "e1d5739902dda165059ce0623e1ad840a44fa800d6949374a97d5517e796cec8",
}


def test_released_tables_never_change() -> None:
    """A summary was signed over these words: a change of an old version would make it unverifiable."""
    assert {version: load_tables(version).digest for version in RELEASED} == RELEASED
    assert published_versions() == (*RELEASED, TABLES.version)


@pytest.mark.parametrize("version", published_versions())
def test_published_summaries_name_the_tables_they_are_made_with(version: int) -> None:
    name = "summaries.json" if version == TABLES.version else f"summaries_v{version}.json"
    published = json.loads((Path(__file__).parents[3] / "vectors" / name).read_text())
    assert published["tables"] == {"version": version, "digest": load_tables(version).digest}


def test_later_versions_only_add_codes() -> None:
    """Masks that were signed mean the same under every version."""
    for version in published_versions():
        tables = load_tables(version)
        assert tables.kinds == TABLES.kinds
        for name in ("purposes", "categories", "sensitivities", "actions", "obligations", "powers"):
            assert getattr(tables, name).bits.items() <= getattr(TABLES, name).bits.items()

"""Nothing that is about a person stands in the raw files of a running deployment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backend.demo.privacy import strings_of
from tests.integration.stores.conftest import Site
from tests.support.searching import found_in
from tests.support.town import (
    MAIL_ADDRESS,
    MESSAGE,
    PAPER_NAME,
    PAPER_NUMBER,
    PROTOCOLS,
    QUESTION,
    SCAN,
    STAFF,
    TEXT,
)

# Strings of the bundles that a deployment holds for another reason, none of them about anybody.
OTHERWISE_THERE = {
    "active": "a word of the programs' own",
    "claim": "a name of a contract's function and of a member of documents",
    "current": "a name of a member of documents",
    "female": "a level of the study's published variable",
    "finished": "a name of a member of documents",
    "laboratory": "a category of the study's question, and of the published tables",
    "text/plain": "the media type of the custodian's own notice",
    "transaction": "a name of a member of documents",
}
# What may be read by everybody: that it is found shows that the search reads what the index writes.
IN_THE_OPEN = {"Age and sex of patients", "Webhook Clinic", "What we do with it."}


def personal(site: Site) -> set[str]:
    cast = site.town.cast
    bundles = {text for patient in cast.patients for text in strings_of(json.loads(patient.bundle))}
    people = {part for patient in cast.patients for part in (patient.name, patient.record_number)}
    typed = {*STAFF, MAIL_ADDRESS, MESSAGE, PAPER_NAME, PAPER_NUMBER, SCAN.decode(), TEXT.decode()}
    typed |= {QUESTION, *(protocol.decode() for protocol in PROTOCOLS)}
    return bundles | people | typed


@pytest.fixture(scope="module")
def hits(site: Site) -> dict[str, set[str]]:
    return found_in(site.files(), personal(site) | IN_THE_OPEN)


def test_no_string_of_the_samples_stands_in_any_raw_file(site: Site, hits: dict[str, set[str]]) -> None:
    names = {path.name for path in site.files()}
    assert {"assent_hospital.db", "assent_hospital.db-wal", "keys.db", "journal", "pins.db"} <= names
    assert len(personal(site)) > 1000
    assert {
        text: files for text, files in hits.items() if text not in OTHERWISE_THERE.keys() | IN_THE_OPEN
    } == {}


def test_what_is_in_the_open_is_found(hits: dict[str, set[str]]) -> None:
    assert set(hits) >= IN_THE_OPEN


@pytest.mark.parametrize("encode", [bytes, lambda text: text.hex().encode(), lambda text: b"x" + text])
def test_search_finds_a_name_that_was_put_there(site: Site, tmp_path: Path, encode: object) -> None:
    name = site.town.cast.patients[0].name
    copy = tmp_path / "keys.db"
    shutil.copy(site.directory / "keys" / "store" / "keys.db", copy)
    assert found_in([copy], [name]) == {}
    copy.write_bytes(copy.read_bytes() + encode(name.encode()) + b"more")  # type: ignore[operator]
    assert found_in([copy], [name]) == {name: {"keys.db"}}


def test_short_word_is_found_where_it_stands_alone_and_not_within_base64(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b'AAorder9A {"state": "order"}')
    assert found_in([tmp_path / "file"], ["order"]) == {"order": {"file"}}
    (tmp_path / "file").write_bytes(b"AAorder9A")
    assert found_in([tmp_path / "file"], ["order"]) == {}

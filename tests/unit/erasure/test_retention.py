"""How long a record is kept: the longest rule counts, and nothing goes before its time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.consent.tables import load_tables
from backend.consent.terms import UNBOUNDED
from backend.erasure.retention import Begin, RetentionRulesInvalid, Rule, kept_until, read_rules, years_after
from backend.records.blocks import BlobAddress, Cid
from backend.records.manifest import Manifest, SegmentManifest
from backend.types import MemberId, RecordId, SubjectId, UnixSeconds

TABLES = load_tables()
LABORATORY, IMAGING = 1 << 0, 1 << 1
STORED = int(datetime(2020, 6, 1, tzinfo=UTC).timestamp())
SEEN = int(datetime(2012, 3, 4, tzinfo=UTC).timestamp())


def part(categories: int, data_to: int) -> SegmentManifest:
    return SegmentManifest(
        name="s0000",
        kind="1:0",
        key_epoch=0,
        categories=categories,
        sensitivities=0,
        data_from=UnixSeconds(0),
        data_to=UnixSeconds(data_to),
        media_type="text/plain",
        resources=1,
        size_bytes=1,
        sha256=bytes(32),
        wrapped_dek=bytes(40),
        address=BlobAddress(Cid(b""), (), 0),
    )


def record(*parts: SegmentManifest) -> Manifest:
    return Manifest(
        record_id=RecordId(bytes(16)),
        version=1,
        subject=SubjectId(1),
        author=MemberId(bytes(32)),
        document_type="attachment",
        created_at=UnixSeconds(STORED),
        label_tables=bytes(32),
        segments=parts,
    )


def rule(code: str, years: int, categories: int = 0, begin: Begin = Begin.DATA_END) -> Rule:
    return Rule(code, frozenset(), categories, years, begin)


def on(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def test_longest_of_the_rules_that_fit_counts() -> None:
    found = kept_until(record(part(LABORATORY, SEEN)), [rule("ten", 10), rule("thirty", 30, LABORATORY)])
    assert found == (on(2042, 3, 4), "thirty")


def test_part_that_lasts_longest_keeps_the_record() -> None:
    document = record(part(LABORATORY, SEEN), part(IMAGING, on(2019, 1, 1)))
    assert kept_until(document, [rule("ten", 10)]) == (on(2029, 1, 1), "ten")


def test_part_that_no_rule_fits_keeps_the_record_for_ever() -> None:
    assert kept_until(record(part(LABORATORY, SEEN), part(IMAGING, SEEN)), [rule("l", 1, LABORATORY)]) is None
    assert kept_until(record(part(0, SEEN)), [rule("l", 1, LABORATORY)]) is None
    assert kept_until(record(part(LABORATORY, SEEN)), []) is None


@pytest.mark.parametrize("undated", [0, UNBOUNDED])
def test_data_without_dates_count_from_storing(undated: int) -> None:
    assert kept_until(record(part(LABORATORY, undated)), [rule("ten", 10)]) == (on(2030, 6, 1), "ten")


def test_rule_from_storing_does_not_look_at_the_data() -> None:
    found = kept_until(record(part(LABORATORY, SEEN)), [rule("ten", 10, begin=Begin.STORED)])
    assert found == (on(2030, 6, 1), "ten")


def test_years_end_on_the_same_day_and_after_the_29_of_february_on_the_next() -> None:
    assert years_after(on(2020, 2, 29), 1) == on(2021, 3, 1)
    assert years_after(on(2020, 2, 29), 4) == on(2024, 2, 29)
    assert years_after(on(9000, 1, 1), 1000) == UNBOUNDED


def test_file_of_rules_is_read(tmp_path: Path) -> None:
    file = tmp_path / "retention.json"
    stated = {"code": "lab-10", "categories": ["laboratory"], "years": 10, "from": "stored"}
    file.write_text(json.dumps({"rules": [stated, {"code": "all-30", "years": 30}]}))
    first, second = read_rules(file, TABLES)
    assert (first.code, first.years, first.begin) == ("lab-10", 10, Begin.STORED)
    assert first.categories == TABLES.categories.mask(["laboratory"])
    assert (second.categories, second.document_types, second.begin) == (0, frozenset(), Begin.DATA_END)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"rules": [{"code": "a"}]}',
        '{"rules": [{"code": "a", "years": 0}]}',
        '{"rules": [{"code": "a", "years": true}]}',
        '{"rules": [{"code": "A b", "years": 1}]}',
        '{"rules": [{"code": "a", "years": 1, "categories": ["unheard_of"]}]}',
        '{"rules": [{"code": "a", "years": 1, "from": "birth"}]}',
        '{"rules": [{"code": "a", "years": 1, "categorys": []}]}',
        '{"rules": [{"code": "a", "years": 1}, {"code": "a", "years": 2}]}',
    ],
)
def test_file_that_is_not_understood_whole_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "retention.json"
    file.write_text(text)
    with pytest.raises(RetentionRulesInvalid):
        read_rules(file, TABLES)

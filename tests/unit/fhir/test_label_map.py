"""A deployment's map only adds knowledge, and a file that cannot be relied on is refused at its fault."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.consent.tables import load_tables
from backend.records.fhir import validate_bundle
from backend.records.label_loading import (
    bits,
    join,
    label_tables,
    read_map,
    tables_digest,
    tables_with_map,
)
from backend.records.label_map import LabelMap, LabelMapInvalid, parse_label_map
from backend.records.label_tables import UNLABELLED
from backend.records.labels import label_bundle
from tests.unit.fhir.bundles import DEPRESSION, LOINC, SNOMED, bundle, concept, condition, observation, raw

PUBLISHED = label_tables()
CATEGORIES, SENSITIVITIES = bits()
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
LOCAL = "urn:oid:2.999.1"


def mapping(**members: Any) -> dict[str, Any]:
    base = {"system": LOCAL, "code": "PSY-1", "sensitivities": ["PSY"], "reason": "ward of psychiatry"}
    return base | members


def document(*mappings: Any, **members: Any) -> dict[str, Any]:
    base = {
        "format": "assent-label-map/1",
        "version": "2026-03",
        "reviewer": "medical records committee",
        "reviewed_on": "2026-03-01",
        "mappings": list(mappings),
    }
    return base | members


def parsed(*mappings: Any, **members: Any) -> LabelMap:
    content = json.dumps(document(*mappings, **members)).encode()
    return parse_label_map(content, categories=CATEGORIES, sensitivities=SENSITIVITIES)


def label_of(code: dict[str, Any], label_map: LabelMap | None, *, measured: bool = False) -> tuple[int, int]:
    entry = observation() if measured else condition()
    entry["resource"]["code"] = code
    tables = PUBLISHED if label_map is None else join(PUBLISHED, label_map)
    label = label_bundle(validate_bundle(raw(bundle(entry))), tables)[1]
    return label.categories, label.sensitivities


def mask(*names: str) -> int:
    return PUBLISHED.closure(sum(SENSITIVITIES[name] for name in names))


def test_local_code_becomes_known_with_its_sensitivities_and_the_broader_ones() -> None:
    code = concept("PSY-1", LOCAL)
    assert label_of(code, None)[1] == UNLABELLED
    assert label_of(code, parsed(mapping()))[1] == mask("PSY") == mask("PSY", "MH", "BH")
    assert label_of(code, parsed(mapping(sensitivities=[])))[1] == 0


def test_local_code_is_filed_under_the_category_of_the_map() -> None:
    code = concept("LAB-1", LOCAL)
    filed = parsed(mapping(code="LAB-1", category="laboratory", sensitivities=[]))
    assert label_of(code, None, measured=True) == (CATEGORIES["other"], UNLABELLED)
    assert label_of(code, filed, measured=True) == (CATEGORIES["laboratory"], 0)


@pytest.mark.parametrize("code", ["PSY-2", "psy-1", ""])
def test_code_that_is_not_in_the_map_stays_restricted(code: str) -> None:
    assert label_of(concept(code or "x", LOCAL), parsed(mapping()))[1] == UNLABELLED
    assert label_of(concept("PSY-1", "urn:oid:2.999.2"), parsed(mapping()))[1] == UNLABELLED


@pytest.mark.parametrize(
    ("system", "code"),
    [(SNOMED, DEPRESSION), (ICD, "F32.1"), (ICD, "F11.20"), (SNOMED, "86406008"), (LOINC, "20447-9")],
)
def test_map_takes_no_sensitivity_of_a_published_table_away(system: str, code: str) -> None:
    """Also where the published table knows the code by a prefix, which an exact entry must not hide."""
    before = PUBLISHED.lookup(system, code)
    assert before is not None
    assert before.sensitivities
    normal = parsed(mapping(system=system, code=code, sensitivities=[]))
    more = parsed(mapping(system=system, code=code, sensitivities=["VIP"]))
    assert label_of(concept(code, system), normal) == label_of(concept(code, system), None)
    assert label_of(concept(code, system), more)[1] == before.sensitivities | mask("VIP")
    after = join(PUBLISHED, more).lookup(system, code)
    assert after is not None
    assert after.row == f"{before.row} map/mappings/0"


@settings(max_examples=200)
@given(st.data())
def test_map_whatever_it_says_only_adds_to_what_is_known(data: st.DataObject) -> None:
    system, code = data.draw(
        st.one_of(
            st.sampled_from(sorted(PUBLISHED.codes)),
            st.tuples(st.just(ICD), st.from_regex(r"[A-T][0-9]{2}(\.[0-9])?", fullmatch=True)),
            st.tuples(
                st.sampled_from([LOCAL, *PUBLISHED.structural]), st.text("abc", min_size=1, max_size=3)
            ),
        )
    )
    names = data.draw(st.lists(st.sampled_from(sorted(set(SENSITIVITIES) - {"UNLABELLED"})), unique=True))
    stated = data.draw(st.sampled_from([None, *CATEGORIES]))
    members = mapping(system=system, code=code, sensitivities=names)
    label_map = parsed(members if stated is None else members | {"category": stated})
    before = PUBLISHED.lookup(system, code)
    filed_otherwise = before is not None and before.categories not in (0, CATEGORIES[stated] if stated else 0)
    if stated and filed_otherwise:
        with pytest.raises(LabelMapInvalid) as refusal:
            join(PUBLISHED, label_map)
        assert refusal.value.field == "mappings[0].category"
        return
    after = join(PUBLISHED, label_map).lookup(system, code)
    assert after is not None
    assert after.sensitivities == (before.sensitivities if before else 0) | mask(*names)
    assert before is None or not before.categories or after.categories == before.categories


def test_digest_of_the_tables_covers_the_map_and_goes_into_what_a_decision_names() -> None:
    one, other = parsed(mapping()), parsed(mapping(reason="another reason"))
    joined = join(PUBLISHED, one)
    both = bytes.fromhex(PUBLISHED.published) + bytes.fromhex(one.digest)
    assert PUBLISHED.digest == PUBLISHED.published == joined.published
    assert joined.digest == hashlib.sha256(both).hexdigest()
    codes = load_tables()
    named = {tables_digest(codes, tables) for tables in (PUBLISHED, joined, join(PUBLISHED, other))}
    assert len(named) == 3
    assert tables_digest(codes, PUBLISHED) == (
        hashlib.sha256(bytes.fromhex(codes.digest) + bytes.fromhex(PUBLISHED.digest)).hexdigest()
    )


BAD: list[tuple[dict[str, Any], str]] = [
    (document(format="assent-label-map/2"), "format"),
    (document(version=""), "version"),
    (document(version=3), "version"),
    (document(reviewer=" "), "reviewer"),
    (document(reviewed_on="1 March 2026"), "reviewed_on"),
    (document(reviewed_on="2026-02-30"), "reviewed_on"),
    (document(reviewed_on="20260301"), "reviewed_on"),
    (document(mappings={}), "mappings"),
    (document(approved=True), "approved"),
    ({key: value for key, value in document().items() if key != "reviewer"}, "reviewer"),
    (document(mapping(), "x"), "mappings[1]"),
    (document(mapping(), mapping()), "mappings[1].code"),
    (document(mapping(system="")), "mappings[0].system"),
    (document(mapping(code=718)), "mappings[0].code"),
    (document(mapping(code="a ")), "mappings[0].code"),
    (document(mapping(reason="")), "mappings[0].reason"),
    (document(mapping(category="labs")), "mappings[0].category"),
    (document(mapping(category=["laboratory"])), "mappings[0].category"),
    (document(mapping(sensitivities="MH")), "mappings[0].sensitivities"),
    (document(mapping(sensitivities=["MH", "mh"])), "mappings[0].sensitivities[1]"),
    (document(mapping(sensitivities=[["MH"]])), "mappings[0].sensitivities[0]"),
    (document(mapping(sensitivities=["UNLABELLED"])), "mappings[0].sensitivities[0]"),
    (document(mapping(sensitivities=["MH", "MH"])), "mappings[0].sensitivities"),
    (document(mapping(sensitivites=[])), "mappings[0].sensitivites"),
    (document({k: v for k, v in mapping().items() if k != "reason"}), "mappings[0].reason"),
    (document(mapping(display="")), "mappings[0].display"),
]


@pytest.mark.parametrize(("content", "field"), BAD, ids=[field for _, field in BAD])
def test_fault_of_a_map_is_refused_at_its_place(content: dict[str, Any], field: str) -> None:
    with pytest.raises(LabelMapInvalid) as refusal:
        parse_label_map(json.dumps(content).encode(), categories=CATEGORIES, sensitivities=SENSITIVITIES)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{\n "format": "assent-label-map/1",\n "version" 3}', "line 3, column 12"),
        (b'{"format": "a", "format": "b"}', '"format" twice'),
        (b"\xff{}", "UTF-8"),
        (b"[]", "object"),
        (b"[" * 100_000, "deeply"),
        (b" " * (16 * 1024 * 1024 + 1), "bytes"),
    ],
)
def test_file_that_is_not_the_json_expected_is_refused_by_line(content: bytes, says: str) -> None:
    with pytest.raises(LabelMapInvalid) as refusal:
        parse_label_map(content, categories=CATEGORIES, sensitivities=SENSITIVITIES)
    assert says in refusal.value.detail


def test_refusal_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    with pytest.raises(LabelMapInvalid, match="No such file"):
        read_map(path)
    path.write_text(json.dumps(document(mapping(code=""))))
    with pytest.raises(LabelMapInvalid, match=r"map\.json") as refusal:
        tables_with_map(path)
    assert refusal.value.field == "mappings[0].code"
    path.write_text(json.dumps(document(mapping())))
    assert tables_with_map(path).label_map == read_map(path)
    assert tables_with_map(None) is PUBLISHED

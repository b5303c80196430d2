"""Dates, tokens and references as FHIR R4 defines them, and what is refused rather than left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.interop.fhir_audit.dates import Interval, read_date
from backend.interop.fhir_audit.errors import SearchParameterMalformed, SearchParameterUnknown
from backend.interop.fhir_audit.filters import READERS, Filter, Token, read_reference, read_token
from backend.interop.fhir_audit.parameters import MAX_COUNT, read_search
from scripts.hapi.audit_examples import CLIENT, WALLET, full, shown

DAY = 86_400_000
NEW_YEAR = 1_767_225_600_000  # 2026-01-01T00:00:00Z
SUBJECT = "0x00000000000000000000a11a"


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", NEW_YEAR, NEW_YEAR + 365 * DAY),
        ("2024", NEW_YEAR - 731 * DAY, NEW_YEAR - 365 * DAY),  # a leap year
        ("2026-02", NEW_YEAR + 31 * DAY, NEW_YEAR + 59 * DAY),
        ("2026-01-01", NEW_YEAR, NEW_YEAR + DAY),
        ("2026-01-01T00:00Z", NEW_YEAR, NEW_YEAR + 60_000),
        ("2026-01-01T00:00:00Z", NEW_YEAR, NEW_YEAR + 1_000),
        ("2026-01-01T00:00:00.5Z", NEW_YEAR + 500, NEW_YEAR + 600),
        ("2026-01-01T00:00:00.123Z", NEW_YEAR + 123, NEW_YEAR + 124),
        ("2026-01-01T00:00:00.123456Z", NEW_YEAR + 123, NEW_YEAR + 124),
        ("2026-01-01T01:00:00+01:00", NEW_YEAR, NEW_YEAR + 1_000),
        ("2026-01-01T01:00:00 01:00", NEW_YEAR, NEW_YEAR + 1_000),  # a '+' that nobody escaped
        ("2025-12-31T23:00:00-01:00", NEW_YEAR, NEW_YEAR + 1_000),
        ("9999-12-31", 253_402_214_400_000, 253_402_214_400_000 + DAY),
        ("9999", 253_402_300_800_000 - 365 * DAY, 253_402_300_800_000),
    ],
)
def test_date_covers_what_it_names_and_prefixes_are_half_open(text: str, start: int, end: int) -> None:
    assert read_date(text, field="date") == read_date(f"eq{text}", field="date") == Interval(start, end)
    assert read_date(f"ge{text}", field="date") == Interval(start=start)
    assert read_date(f"gt{text}", field="date") == read_date(f"sa{text}", field="date") == Interval(start=end)
    assert read_date(f"lt{text}", field="date") == read_date(f"eb{text}", field="date") == Interval(end=start)
    assert read_date(f"le{text}", field="date") == Interval(end=end)


@pytest.mark.parametrize(
    "text",
    [
        *("", "26", "2026-1", "2026-13", "2026-02-30", "2026-01-01T10", "2026-01-01T10:00", "0000", "2026Z"),
        *("2026-01-01T25:00Z", "2026-01-01T10:00:00", "2026-01-01T10:00:60Z", "2026-01-01T10:00:00.Z"),
        *("2026-01-01T10:00:00+99:00", "ap2026", "ne2026", "xx2026", "now", "٢٠٢٦"),
    ],
)
def test_date_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SearchParameterMalformed) as refused:
        read_date(text, field="date")
    assert refused.value.field == "date"


@given(st.integers(0, 4_102_444_800_000), st.sampled_from(["%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]))
def test_each_instant_is_before_within_or_after_a_date(moment: int, form: str) -> None:
    text = datetime.fromtimestamp(moment / 1000, UTC).strftime(form)
    found = {prefix: moment in read_date(prefix + text, field="date") for prefix in ("lt", "eq", "gt")}
    assert found == {"lt": False, "eq": True, "gt": False}
    assert moment in read_date(f"ge{text}", field="date")
    assert moment in read_date(f"le{text}", field="date")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("a", Token(None, "a")),
        ("s|a", Token("s", "a")),
        ("|a", Token("", "a")),
        ("s|", Token("s", "")),
        (r"a\,b", Token(None, "a,b")),
        (r"s\|t|a", Token("s|t", "a")),
    ],
)
def test_token_is_read(text: str, token: Token) -> None:
    assert read_token(text, field="type") == token


@pytest.mark.parametrize("text", ["", "|", "a|b|c"])
def test_token_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SearchParameterMalformed):
        read_token(text, field="type")


def test_token_takes_system_and_code() -> None:
    assert Token(None, "a").takes("s", "a")
    assert Token("s", "a").takes("s", "a")
    assert Token("s", "").takes("s", "a")
    assert Token("", "a").takes("", "a")
    assert not Token("", "a").takes("s", "a")
    assert not Token("t", "a").takes("s", "a")
    assert not Token(None, "b").takes("s", "a")


@pytest.mark.parametrize(
    ("name", "takes", "leaves"),
    [
        ("action", "R", "C"),
        ("outcome", "0", "4"),
        ("type", "rest", "110113"),
        ("subtype", "urn:assent:audit-type|record.read", "urn:assent:audit-type|record.stored"),
        ("purpose", "TREAT", "BTG"),
        ("entity-type", "Consent", "4"),
        ("entity-role", "1", "24"),
        ("agent", CLIENT.id, WALLET.id),
        ("agent:identifier", f"urn:assent:client|{CLIENT.id}", f"urn:assent:member|{CLIENT.id}"),
        ("entity", f"Patient/{SUBJECT}", f"Consent/{SUBJECT}"),
        ("entity:identifier", f"urn:assent:subject|{SUBJECT}", f"urn:assent:record|{SUBJECT}"),
        ("source", "hospital.example/audit", "clinic.example/audit"),
        ("source:identifier", "urn:assent:audit-log|", "urn:assent:member|"),
    ],
)
def test_filter_takes_what_the_resource_shows(name: str, takes: str, leaves: str) -> None:
    resource = shown(full("record.read"))
    assert set(READERS) >= {name}
    read = read_reference if name in ("agent", "entity", "source") else read_token
    assert Filter(name, (read(takes, field=name),)).keeps(resource)
    assert not Filter(name, (read(leaves, field=name),)).keeps(resource)
    assert Filter(name, (read(leaves, field=name), read(takes, field=name))).keeps(resource)


def test_search_reads_alternatives_and_conjunctions() -> None:
    other = SUBJECT[:-1] + "b"
    search = read_search(
        [
            ("patient", f"{SUBJECT},Patient/{other}"),
            ("patient.identifier", f"urn:assent:subject|{SUBJECT}"),
            ("date", "ge2026"),
            ("date", "2026-01,2026-03"),
            ("outcome", "4,8"),
            ("_id", "entry-7,nonsense"),
            ("_count", "999999"),
            ("_sort", "date"),
            ("_format", "application/fhir json"),
            ("_cursor", "abc"),
        ]
    )
    assert search.patients == {0xA11A}
    assert search.hull() == Interval(NEW_YEAR, NEW_YEAR + 90 * DAY)
    assert [search.keeps_time(NEW_YEAR + day * DAY) for day in (-1, 0, 31, 59, 90)] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert [(each.name, len(each.tokens)) for each in search.filters] == [("outcome", 2)]
    assert search.ids == {7}
    assert (search.count, search.newest_first, search.cursor) == (MAX_COUNT, False, "abc")
    assert "_cursor" not in search.query
    assert "outcome=4%2C8" in search.query


def test_search_without_parameters_is_for_the_newest_of_everything() -> None:
    search = read_search([])
    assert (search.patients, search.filters, search.ids, search.newest_first) == (None, [], None, True)
    assert search.hull() == Interval()
    assert search.keeps_time(0)


def test_patients_that_exclude_each_other_are_nobody_and_not_everybody() -> None:
    search = read_search([("patient", SUBJECT), ("patient", SUBJECT[:-1] + "b")])
    assert search.patients == frozenset()


def test_ids_of_another_form_are_nobodys_and_not_left_out() -> None:
    assert read_search([("_id", "nonsense")]).ids == frozenset()


@pytest.mark.parametrize("prefer", ["", "handling=strict", "handling=lenient"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outcome:not", "4"),
        ("patient:missing", "true"),
        ("date:missing", "true"),
        ("_id:not", "entry-1"),
        ("subtype:text", "x"),
        ("patient", "0x1"),
        ("patient", "Practitioner/" + SUBJECT),
        ("patient", "0x" + "0" * 24),
        ("outcome", " "),
        ("agent", "urn:assent:client|c1"),
        ("_count", "-1"),
        ("_count", "1.5"),
        ("_sort", "-date,type"),
        ("_format", "application/fhir+xml"),
        ("date", ",".join(["2026"] * 51)),
    ],
)
def test_what_would_narrow_is_understood_or_refused(name: str, value: str, prefer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_search([(name, value)], prefer=prefer)
    assert refused.value.field == name


def test_unknown_parameter_is_refused_unless_lenient_is_asked_for() -> None:
    for prefer in ("", "handling=strict", "return=minimal"):
        with pytest.raises(SearchParameterUnknown):
            read_search([("favourite", "x")], prefer=prefer)
    search = read_search([("favourite", "x"), ("outcome", "4")], prefer="return=minimal; handling=lenient")
    assert (search.ignored, search.query) == (["favourite"], "outcome=4")


def test_what_shapes_the_answer_is_left_out_unless_strict_is_asked_for() -> None:
    for name in ("_total", "_elements", "_include:iterate"):
        assert read_search([(name, "x")]).ignored == [name]
        with pytest.raises(SearchParameterUnknown):
            read_search([(name, "x")], prefer="handling=strict")


@given(
    st.lists(
        st.tuples(st.sampled_from([*READERS, "date", "patient", "_id", "_sort", "x"]), st.text()), max_size=4
    )
)
def test_any_parameters_are_read_or_refused_by_name(pairs: list[tuple[str, str]]) -> None:
    try:
        used = [name for name, _ in read_search(pairs).used]
    except InvalidInput as refused:
        used = [str(refused.field)]
        pairs = [pair for pair in pairs if pair[0] == refused.field][:1]
    assert used == [name for name, _ in pairs]

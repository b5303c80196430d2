"""Bounds and strictness of reading, before anything is known to be FHIR."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.records.fhir import validate_bundle
from backend.records.fhir_errors import (
    BundleTooDeep,
    BundleTooLarge,
    BundleTooManyEntries,
    DuplicateJsonKey,
    MalformedJson,
    NotABundle,
    NotUtf8,
    NumberOutOfRange,
)
from backend.records.fhir_json import Limits, nesting_depth, read_bundle

LIMITS = Limits()
HEAD = b'{"resourceType":"Bundle","type":"collection","entry":['


def with_resource(text: bytes) -> bytes:
    return HEAD + b'{"resource":' + text + b"}]}"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", MalformedJson),
        (b"{", MalformedJson),
        (b'{"a":1,}', MalformedJson),
        (b'{"a" 1}', MalformedJson),
        (b'{"a":1}x', MalformedJson),
        (b"{'a':1}", MalformedJson),
        (b'{"a":"\x01"}', MalformedJson),
        (with_resource(b'{"a":"\\ud800"}'), MalformedJson),
        (with_resource(b'{"a":01}'), MalformedJson),
        (b"[]", NotABundle),
        (b'"text"', NotABundle),
        (b'{"entry":{}}', NotABundle),
        (b'{"entry":[1]}', NotABundle),
        (b'{"a":"\xff"}', NotUtf8),
        (b'\xef\xbb\xbf{"a":1}', NotUtf8),
        ('{"a":1}'.encode("utf-16"), NotUtf8),
        (b'{"a":1,"a":1}', DuplicateJsonKey),
        (with_resource(b'{"a":{"b":1,"b":2}}'), DuplicateJsonKey),
        (with_resource(b'{"a":1,"\\u0061":2}'), DuplicateJsonKey),
        (with_resource(b'{"a":NaN}'), NumberOutOfRange),
        (with_resource(b'{"a":-Infinity}'), NumberOutOfRange),
        (with_resource(b'{"a":1e99999999}'), NumberOutOfRange),
        (with_resource(b'{"a":' + b"9" * 5000 + b"}"), NumberOutOfRange),
    ],
)
def test_read_bundle_of_bad_json_is_refused_by_name(body: bytes, error: type[InvalidInput]) -> None:
    with pytest.raises(error):
        read_bundle(body, LIMITS)


def test_read_bundle_beyond_the_bounds_is_refused() -> None:
    with pytest.raises(BundleTooLarge):
        read_bundle(b" " * 101, Limits(max_bytes=100))
    with pytest.raises(BundleTooManyEntries):
        read_bundle(HEAD + b"{},{},{}]}", Limits(max_entries=2))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_read_bundle_nested_a_hundred_thousand_levels_is_refused_unparsed(opening: bytes) -> None:
    with pytest.raises(BundleTooDeep):
        validate_bundle(opening * 100_000)


def test_read_bundle_at_the_depth_limit_is_read_and_one_deeper_is_not() -> None:
    inner = b"[" * 10 + b"]" * 10
    assert read_bundle(b'{"a":' + inner + b"}", Limits(max_depth=11)).head["a"]
    with pytest.raises(BundleTooDeep):
        read_bundle(b'{"a":' + inner + b"}", Limits(max_depth=10))


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    assert nesting_depth(rb'{"a":"[[[[\"[[[[\\","b":"{{{"}') == 1


def test_resource_text_is_the_source_text_with_its_spaces_and_digits() -> None:
    text = '{ "resourceType" : "Basic",\n "n": 1.500, "e":1E+02, "u":"\\u00e9é" }'
    source = read_bundle(with_resource(text.encode()), LIMITS)
    assert source.entries[0].resource_text == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=6), JSON, max_size=4), st.integers(0, 3))
def test_read_bundle_reads_what_the_json_library_reads(value: dict[str, object], indent: int) -> None:
    value.pop("entry", None)
    body = json.dumps(value, indent=indent or None).encode()
    assert read_bundle(body, LIMITS).head == value


@settings(max_examples=80)
@given(st.binary(max_size=60))
def test_read_bundle_of_any_bytes_raises_nothing_but_named_errors(body: bytes) -> None:
    for candidate in (body, with_resource(body)):
        with contextlib.suppress(InvalidInput):
            read_bundle(candidate, LIMITS)

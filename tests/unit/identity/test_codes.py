"""Enrolment codes as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.identity.codes import ALPHABET, SECRET_SYMBOLS, Code
from backend.identity.errors import EnrolmentCodeMalformed

codes = st.text(ALPHABET, min_size=18, max_size=18).map(lambda text: Code(text[:5], text[5:]))


def test_code_has_five_groups_of_four_and_no_ambiguous_letter() -> None:
    text = Code.new().text
    assert [len(group) for group in text.split("-")] == [4] * 5
    assert not set("ILOU") & set(text)
    assert SECRET_SYMBOLS * 5 >= 60  # bits


def test_code_new_never_repeats() -> None:
    assert len({Code.new().text for _ in range(500)}) == 500


@settings(max_examples=100)
@given(codes)
def test_code_typed_as_people_do_reads_the_same(code: Code) -> None:
    text = code.text
    for typed in (
        text.lower(),
        text.replace("-", ""),
        text.replace("-", " "),
        f"  {text} ",
        text.replace("1", "l").replace("0", "o"),
        text.replace("1", "I").replace("0", "O"),
    ):
        assert Code.parse(typed) == code


@settings(max_examples=200)
@given(codes, st.integers(0, 19), st.sampled_from(ALPHABET))
def test_code_with_one_wrong_symbol_is_found(code: Code, position: int, symbol: str) -> None:
    symbols = code.text.replace("-", "")
    wrong = symbols[:position] + symbol + symbols[position + 1 :]
    if wrong != symbols:
        with pytest.raises(EnrolmentCodeMalformed):
            Code.parse(wrong)


@settings(max_examples=200)
@given(codes, st.integers(0, 17), st.integers(0, 17))
def test_code_with_two_symbols_exchanged_is_found(code: Code, first: int, second: int) -> None:
    symbols = list(code.text.replace("-", ""))
    symbols[first], symbols[second] = symbols[second], symbols[first]
    if "".join(symbols) != code.text.replace("-", ""):
        with pytest.raises(EnrolmentCodeMalformed):
            Code.parse("".join(symbols))


@settings(max_examples=100)
@given(st.text(max_size=100))
def test_code_of_any_text_is_refused(text: str) -> None:
    with pytest.raises(EnrolmentCodeMalformed):
        Code.parse(text)


def test_repr_shows_no_secret() -> None:
    code = Code.new()
    assert code.secret not in repr(code)

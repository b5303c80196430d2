from __future__ import annotations

import pickle

import pytest

from backend.keystore import KeyNameInvalid, Secret, check_name


def test_secret_shows_nothing_when_printed_or_formatted() -> None:
    secret = Secret.generate()
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert text.strip("[]") == "Secret(redacted)"


def test_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret.generate())


def test_secret_has_exactly_32_bytes() -> None:
    for length in (0, 16, 31, 33, 64):
        with pytest.raises(ValueError, match="32 bytes"):
            Secret(bytes(length))


def test_secret_equals_only_a_secret_of_the_same_bytes() -> None:
    assert Secret(b"a" * 32) == Secret(b"a" * 32)
    assert Secret(b"a" * 32) != Secret(b"b" * 32)
    assert Secret(b"a" * 32) != b"a" * 32


def test_secret_generated_twice_differs() -> None:
    assert Secret.generate() != Secret.generate()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("other", "x"),
        ("master", ""),
        ("master", "x" * 201),
        ("master", "a\nb"),
        ("master", "é"),
        ("master", "\0"),
    ],
)
def test_check_name_of_a_bad_name_is_refused(kind: str, name: str) -> None:
    with pytest.raises(KeyNameInvalid):
        check_name(kind, name)


def test_check_name_of_a_good_name_passes() -> None:
    check_name("erasure_share", "00ff/1/c10.s0")
    check_name("master", "x" * 200)

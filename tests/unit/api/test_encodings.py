"""Accept-Encoding: which codings a client takes."""

from __future__ import annotations

import pytest

from backend.api.encodings import accepted


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (None, False),
        ("", False),
        ("br", True),
        ("gzip, deflate, BR", True),
        ("gzip;q=1.0, br;q=0.5", True),
        ("br;q=0", False),
        ("br; q=0.000", False),
        ("br;q=0.001", True),
        ("*", True),
        ("*;q=0", False),
        ("*, br;q=0", False),
        ("*;q=0, br", True),
        ("brotli", False),
        ("gzip", False),
    ],
)
def test_coding_is_taken(header: str | None, taken: bool) -> None:
    assert accepted(header, "br") is taken

"""If-None-Match: which headers name an answer that a client has already."""

from __future__ import annotations

import pytest

from backend.api.entity_tags import names


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (None, False),
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ('"aa"', False),
    ],
)
def test_header_names_the_tag(header: str | None, named: bool) -> None:
    assert names(header, '"a"') is named

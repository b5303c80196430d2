"""A cursor works for the caller and listing it was made for, and for nobody else."""

from __future__ import annotations

import pytest

from backend.api.cursors import CursorRefused, Cursors

CURSORS = Cursors(bytes(32))


def test_read_own_cursor_returns_the_position() -> None:
    cursor = CURSORS.make("17/ab", caller="alice", listing="records")
    assert CURSORS.read(cursor, caller="alice", listing="records") == "17/ab"


@pytest.mark.parametrize(
    ("caller", "listing"),
    [("bob", "records"), ("alice", "consents"), ("alice\0records", ""), ("", "alice\0records")],
)
def test_read_cursor_of_another_caller_or_listing_is_refused(caller: str, listing: str) -> None:
    cursor = CURSORS.make("17", caller="alice", listing="records")
    with pytest.raises(CursorRefused):
        CURSORS.read(cursor, caller=caller, listing=listing)


@pytest.mark.parametrize("cursor", ["", "!", "AAAA", "../../etc/passwd", "A" * 10_000])
def test_read_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorRefused):
        CURSORS.read(cursor, caller="alice", listing="records")


def test_read_under_another_key_is_refused() -> None:
    cursor = Cursors(b"k" * 32).make("17", caller="alice", listing="records")
    with pytest.raises(CursorRefused):
        CURSORS.read(cursor, caller="alice", listing="records")

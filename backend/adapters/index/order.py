"""Orders of lists that people look at."""

from __future__ import annotations

from pymongo import ASCENDING, DESCENDING


def newest_first(time: str) -> list[tuple[str, int]]:
    """Sort by the member that holds a time; two of one second keep their places."""
    return [(time, DESCENDING), ("_id", ASCENDING)]

"""Versions and lists of care teams on a real MongoDB-wire server: as the stand-in of the unit tests does."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.care_team_rows import MongoCareTeamRows
from backend.consent.care_team_shelf import CareTeamRows
from backend.types import Bytes32, MemberId
from tests.unit.consent.test_care_teams import MemoryRows

TEAM, OTHER = MemberId(b"\x01" * 32), MemberId(b"\x02" * 32)
DIGEST = Bytes32(b"\x03" * 32)


@pytest.fixture(params=["memory", "mongo"])
def rows(request: pytest.FixtureRequest) -> CareTeamRows:
    if request.param == "memory":
        return MemoryRows()
    database: Database[dict[str, Any]] = request.getfixturevalue("mongo")
    return MongoCareTeamRows(database)


def test_version_is_found_by_team_and_digest(rows: CareTeamRows) -> None:
    rows.put_version(TEAM, DIGEST, b"sealed")
    rows.put_version(TEAM, DIGEST, b"sealed again")
    assert rows.version(TEAM, DIGEST) == b"sealed again"
    assert rows.version(OTHER, DIGEST) is None


def test_lists_are_in_the_order_of_numbers_and_dropped_by_it(rows: CareTeamRows) -> None:
    """Nine and ten: as text the order is another one."""
    for revision in range(1, 13):
        rows.put_list(revision, b"%d" % revision)
    rows.put_list(12, b"another")
    assert [revision for revision, _ in rows.lists()] == list(range(12, 0, -1))
    rows.drop_lists(below=9)
    assert rows.lists() == [(12, b"another"), (11, b"11"), (10, b"10"), (9, b"9")]

"""Rows of the release ledger and of patients' privacy marks, taken away or changed one by one: no start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from backend.bootstrap import open_world
from backend.errors import IntegrityError
from backend.research.errors import PrivacyMarksDamaged, PrivacyMarksRolledBack
from backend.research.releases.errors import ReleaseLedgerDamaged, ReleaseLedgerRolledBack
from backend.research.types import StudyId
from backend.settings import Settings
from backend.types import SubjectId
from tests.integration.api.world import Service, open_service
from tests.support.ledger_copies import Copy, copy_of, put_back

COLLECTIONS = ("research_releases", "release_members", "privacy_marks")
Mongo = Database[dict[str, Any]]


def enter(service: Service, number: int) -> None:
    """One release, and one group of patients who take part."""
    people = [SubjectId(1_000 * number + place) for place in range(8)]
    services = service.world.services
    services.runner._releases.admit(StudyId(bytes([number]) * 32), 5, dict.fromkeys(people, 0))
    services.privacy_budget.join(people)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Copy, Copy]:
    """A deployment with three rows of each; as it was with two, and as it is."""
    directory = tmp_path_factory.mktemp("ledgers") / "data"
    with open_service(directory) as service:
        database = service.world.stores.database
        enter(service, 1)
        enter(service, 2)
        older = copy_of(database, COLLECTIONS)
        enter(service, 3)
        return directory, older, copy_of(database, COLLECTIONS)


@pytest.fixture
def put(site: tuple[Path, Copy, Copy]) -> Iterator[Callable[[Copy], set[str]]]:
    """Put documents in the place of what is there; return what ``fsck`` names."""
    directory, _, now = site

    def replace(copy: Copy) -> set[str]:
        return put_back(directory, copy)

    yield replace
    assert replace(now) == set()


def refused(directory: Path, error: type[IntegrityError]) -> None:
    with pytest.raises(error) as refusal:
        open_world(Settings(data_directory=directory))
    assert "assent restore" in refusal.value.remedy


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("collection", "error"),
    [
        ("research_releases", ReleaseLedgerRolledBack),
        ("release_members", ReleaseLedgerDamaged),
        ("privacy_marks", PrivacyMarksRolledBack),
    ],
)
def test_row_that_was_deleted_is_missed_at_start_and_named(
    site: tuple[Path, Copy, Copy], put: Any, collection: str, error: type[IntegrityError], place: int
) -> None:
    directory, _, now = site
    rows = now[collection]
    assert len(rows) == 3
    assert error.code in put({collection: rows[:place] + rows[place + 1 :]})
    refused(directory, error)


@pytest.mark.parametrize(
    ("collection", "error", "change"),
    [
        ("research_releases", ReleaseLedgerDamaged, {"k": 2}),
        ("release_members", ReleaseLedgerDamaged, {"members": b""}),
        ("privacy_marks", PrivacyMarksDamaged, {"spent": 7}),
        ("privacy_marks", PrivacyMarksDamaged, {"subjects": b""}),
    ],
)
def test_row_that_was_changed_is_refused_at_start_and_named(
    site: tuple[Path, Copy, Copy], put: Any, collection: str, error: type[IntegrityError], change: Any
) -> None:
    directory, _, now = site
    first, *others = now[collection]
    assert error.code in put({collection: [{**first, **change}, *others]})
    refused(directory, error)


@pytest.mark.parametrize(
    ("collections", "error"),
    [
        (("research_releases", "release_members"), ReleaseLedgerRolledBack),
        (("privacy_marks",), PrivacyMarksRolledBack),
    ],
)
@pytest.mark.parametrize("empty", [False, True], ids=["older copy", "nothing"])
def test_collection_that_was_put_back_is_refused_at_start_and_named(
    site: tuple[Path, Copy, Copy],
    put: Any,
    collections: tuple[str, ...],
    error: type[IntegrityError],
    empty: bool,
) -> None:
    directory, older, _ = site
    assert error.code in put({name: [] if empty else older[name] for name in collections})
    refused(directory, error)


def test_ledgers_as_they_were_left_are_taken_up(site: tuple[Path, Copy, Copy], put: Any) -> None:
    directory, _, now = site
    assert put(now) == set()
    with open_service(directory) as service:
        people = [SubjectId(1_000 + place) for place in range(8)]
        assert service.world.services.privacy_budget.join(people) == dict.fromkeys(people, 0)
        assert len(service.world.services.runner._releases.verify()) == 3

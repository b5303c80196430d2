"""Every document of the index, one by one: flipped, cut, swapped, rolled back, deleted.

Then ``fsck`` names it, and whoever asks what depends on it is refused with a code, or is answered as before.
Nobody is given what was refused before, and no byte of a record that is not the record's.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from backend.adapters.index.audit_store import MongoAuditStore
from backend.audit.startup import check_history, rebuild
from backend.errors import AssentError
from backend.stores import Stores
from tests.support.quiet import AUDIT, Quiet
from tests.support.stored import STORED, Stored, reason
from tests.support.tampering import Manipulation, applied, manipulations

MOST_DOCUMENTS = 1  # of one collection, and its last one; they are written alike


def test_every_collection_of_the_index_is_looked_at(quiet: Quiet) -> None:
    assert set(quiet.documents) - set(STORED) == set()


@pytest.mark.parametrize("collection", sorted(set(STORED) - set(AUDIT)))
def test_changed_document_is_named_and_refused(quiet: Quiet, collection: str) -> None:
    stored, every = STORED[collection], quiet.documents.get(collection, {})
    rows = some_of(every)
    changes = list(manipulations(collection, rows, quiet.town.before))
    unseen = unnamed(quiet, quiet.stores, stored, rows, changes)
    differing, wrong = [], []
    for one in changes:
        with applied(quiet.stores.database, one):
            differs, found = quiet.judge(stored.asked(rows[one.key]))
        wrong += [f"{one}: {each}" for each in found]
        if differs:
            differing.append(one)
    assert wrong == []
    assert not_excused(unseen + differing, stored.excused) == []
    assert len(rows) < max(1, len(every)) or never_needed(unseen + differing, stored.excused) == set()


@pytest.mark.parametrize("collection", sorted(AUDIT))
def test_changed_part_of_the_log_is_named_and_no_start_takes_another_log(
    quiet: Quiet, collection: str
) -> None:
    stored, every = STORED[collection], quiet.documents.get(collection, {})
    rows = some_of(every)
    changes = list(manipulations(collection, rows, quiet.town.before))
    unseen = unnamed(quiet, quiet.log, stored, rows, changes)
    assert not_excused(unseen, stored.excused) == []
    assert len(rows) < max(1, len(every)) or never_needed(unseen, stored.excused) == set()
    root = root_at_start(quiet.log)
    assert root is not None
    for one in changes:
        with applied(quiet.log.database, one):
            assert root_at_start(quiet.log) in (None, root), one


def some_of(rows: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The first and last documents, and others at even distances; all of them in the long suite."""
    most = len(rows) if os.environ.get("ASSENT_TAMPER_ALL") else MOST_DOCUMENTS
    return dict(list(rows.items())[:: max(1, -(-len(rows) // most))] + list(rows.items())[-1:])


def root_at_start(stores: Stores) -> bytes | None:
    """The root of the log that a start takes up; None where it refuses."""
    store = MongoAuditStore(stores.database)
    try:
        head = store.head()
        if head is None:
            return None
        state = rebuild(store, head)
        check_history(state, store, stores.anchor)
    except AssentError:
        return None
    return state.tree.root()


def unnamed(
    quiet: Quiet, stores: Stores, stored: Stored, rows: Mapping[Any, Any], changes: list[Manipulation]
) -> list[Manipulation]:
    """Return the changes that ``fsck`` does not name. Those of one kind are made to all documents at once."""
    kinds: dict[str, list[Manipulation]] = defaultdict(list)
    for one in changes:
        kinds[re.sub(r"at \d+", "", one.how) if "flipped" in one.how else one.how].append(one)
    missed: list[Manipulation] = []
    for together in kinds.values():
        for batch in rounds(together):
            with applied(stores.database, *batch):
                said = " ".join(quiet.named(stored.checked))
            missed += [one for one in batch if not any(name in said for name in stored.named(rows[one.key]))]
    return missed


def rounds(together: list[Manipulation]) -> list[list[Manipulation]]:
    """Split changes so that each document has one at a time."""
    found: list[dict[Any, Manipulation]] = []
    for one in together:
        place = next((each for each in found if one.key not in each), None)
        if place is None:
            found.append(place := {})
        place[one.key] = one
    return [list(each.values()) for each in found]


def not_excused(found: list[Manipulation], excuses: Mapping[str, str]) -> list[str]:
    return sorted({f"{one.collection}: {one.how}" for one in found if reason(excuses, one.how) is None})


def never_needed(found: list[Manipulation], excuses: Mapping[str, str]) -> set[str]:
    """Excuses that excuse nothing any more, or never did."""
    return set(excuses) - {reason(excuses, one.how) for one in found}

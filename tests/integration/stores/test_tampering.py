"""Every document of the index, one by one: flipped, cut, swapped, rolled back, deleted.

Then ``fsck`` names it, and whoever asks what depends on it is refused with a code, or is answered as before.
Nobody is given what was refused before, and no byte of a record that is not the record's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from backend.adapters.index.audit_store import MongoAuditStore
from backend.audit.startup import check_history, rebuild
from backend.errors import AssentError
from backend.maintenance.care_teams import check_care_teams
from backend.maintenance.chain_facts import ChainFacts, read_chain
from backend.maintenance.consents import check_consents
from backend.maintenance.documents import check_documents
from backend.maintenance.erasures import Gone
from backend.maintenance.fsck import check_audit, check_everything
from backend.maintenance.records import RecordCheck
from backend.maintenance.report import Report
from backend.recent import RecentCache
from backend.stores import Stores
from tests.integration.stores.conftest import Site
from tests.support.answers import Answer, Questions
from tests.support.stored import STORED, UNPROVEN, Stored, reason
from tests.support.tampering import Contents, Manipulation, applied, contents, manipulations
from tests.support.town import hush

PARTS: Mapping[str, Callable[[Stores, ChainFacts, Report], None]] = {
    "records": lambda stores, facts, report: RecordCheck(stores, facts, Gone(), report).run(),
    "consents": lambda stores, facts, report: check_consents(stores, facts, Gone(), report),
    "care teams": lambda stores, facts, report: check_care_teams(stores, report),
    "documents": lambda stores, facts, report: check_documents(stores, report),
    "audit": lambda stores, facts, report: check_audit(stores, facts.subjects, report),
}
AUDIT = ("audit_bodies", "audit_bundles", "audit_checkpoints", "audit_log_keys", "audit_state")


@dataclass(slots=True)
class Quiet:
    """The town with nothing running beside the requests and nothing remembered, and what it answered then."""

    site: Site
    questions: Questions
    before: dict[str, Answer]
    documents: Contents
    facts: ChainFacts
    log: Stores  # with a copy of the log, as nobody writes it

    @property
    def stores(self) -> Stores:
        return self.site.town.service.world.stores

    def named(self, part: str) -> list[str]:
        """What a part of ``fsck`` says now."""
        report = Report()
        if part:
            PARTS[part](self.log if part == "audit" else self.stores, self.facts, report)
        assert all(finding.code for finding in report.damage)
        return [finding.where for finding in report.damage]

    def judge(self, asked: tuple[str, ...]) -> tuple[bool, list[str]]:
        """Whether all is answered as before or refused; and what nobody may ever be answered."""
        differs, wrong = False, []
        for name, now in self.questions.ask(*asked).items() if asked else ():
            before = self.before[name]
            if now == before:
                continue
            if not now.given:
                if now.status == 500 or not now.code:
                    wrong.append(f"{name}: {now.status} {now.code} is no stable refusal")
            elif not before.given:
                wrong.append(f"{name}: refused before, {now.status} now")
            elif now.parts is not None and not (now.parts.items() <= (before.parts or {}).items()):
                wrong.append(f"{name}: other content was released")
            else:
                differs = True
        return differs, wrong


@pytest.fixture(scope="module")
def quiet(site: Site) -> Iterator[Quiet]:
    world = site.town.service.world
    with pytest.MonkeyPatch.context() as patch:
        hush(site.town)
        patch.setattr(RecentCache, "get", lambda self, key, load: load())
        assert check_everything(world.stores).damage == []
        questions = Questions(site.town)
        questions.ask("")
        before = questions.ask("")
        assert before == questions.ask("")
        documents = contents(world.stores.database)
        copy = world.stores.database.client["copy_of_the_log"]
        for name in AUDIT:
            if name in documents:
                copy[name].insert_many(documents[name].values())
        log = replace(world.stores, database=copy)
        yield Quiet(site, questions, before, documents, read_chain(world.stores), log)
        assert questions.ask("") == before
        assert check_everything(world.stores).damage == []


def test_every_collection_of_the_index_is_looked_at(quiet: Quiet) -> None:
    assert set(quiet.documents) - set(STORED) == set()


@pytest.mark.parametrize("collection", sorted(set(STORED) - set(AUDIT) - UNPROVEN))
def test_changed_document_is_named_and_refused(quiet: Quiet, collection: str) -> None:
    stored, rows = STORED[collection], quiet.documents.get(collection, {})
    changes = list(manipulations(collection, rows, quiet.site.town.before))
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
    assert not rows or never_needed(unseen + differing, stored.excused) == set()


@pytest.mark.parametrize("collection", sorted(set(AUDIT) - UNPROVEN))
def test_changed_part_of_the_log_is_named_and_no_start_takes_another_log(
    quiet: Quiet, collection: str
) -> None:
    stored, rows = STORED[collection], quiet.documents.get(collection, {})
    changes = list(manipulations(collection, rows, quiet.site.town.before))
    unseen = unnamed(quiet, quiet.log, stored, rows, changes)
    assert not_excused(unseen, stored.excused) == []
    assert not rows or never_needed(unseen, stored.excused) == set()
    root = root_at_start(quiet.log)
    assert root is not None
    for one in changes:
        with applied(quiet.log.database, one):
            assert root_at_start(quiet.log) in (None, root), one


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

"""One custodian with everything that can be stored, for all tests of what lies in its stores."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backend.logs import JsonFormatter
from backend.maintenance.chain_facts import read_chain
from backend.maintenance.fsck import check_everything
from backend.recent import RecentCache
from tests.support.answers import Questions
from tests.support.index_commands import Said, listen
from tests.support.quiet import AUDIT, Quiet
from tests.support.tampering import contents
from tests.support.town import Town, hush, town


@dataclass(frozen=True, slots=True)
class Site:
    """A town that is served from ``directory``; ``log`` is all that was logged since it was built."""

    town: Town
    directory: Path
    log: Path
    said: Said  # to the index

    def files(self) -> list[Path]:
        """Every file of the running deployment, and what it logged."""
        return [*sorted(path for path in self.directory.rglob("*") if path.is_file()), self.log]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("town")
    log = root / "service.log"
    handler = logging.FileHandler(log)
    handler.setFormatter(JsonFormatter())
    # Not those of the test's own mail server and client, which run in this process, too.
    handler.addFilter(lambda record: record.name.partition(".")[0] not in {"mail", "httpx", "httpcore"})
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    said = listen("assent_hospital")
    try:
        with town(root / "data") as built:
            yield Site(built, root / "data", log, said)
    finally:
        logging.getLogger().setLevel(level)
        logging.getLogger().removeHandler(handler)
        handler.close()


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
        copy.client.drop_database(copy.name)  # another module may have made one
        for name in AUDIT:
            if name in documents:
                copy[name].insert_many(documents[name].values())
        log = replace(world.stores, database=copy)
        yield Quiet(site.town, questions, before, documents, read_chain(world.stores), log)
        assert questions.ask("") == before
        assert check_everything(world.stores).damage == []

"""One chain with all contracts for the whole run; sequences leave no trace on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.chain import Chain, deployed


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with deployed(tmp_path_factory.mktemp("anvil")) as found:
        yield found

"""Every external function, tried by everybody in every way: the matrix of ``tests.support.access``.

The rows are compared with the compiled ABIs, so a function without one fails, and the columns with the roles
in the contracts' sources (tests/unit/contracts/test_access_matrix.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.access.building import access_world
from tests.support.access.cells import Cell, cells, effect_of
from tests.support.access.matrix import MATRIX
from tests.support.access.node import deployed_contracts, views, zero_arguments
from tests.support.access.world import AccessWorld


@pytest.fixture(scope="module", params=[False, True], ids=["first", "successors"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessWorld]:
    """The first contracts; and those that succeed them, which let nobody do more."""
    with access_world(tmp_path_factory.mktemp("access"), succeeding=request.param) as made:
        yield made


@pytest.mark.parametrize("row", MATRIX)
def test_every_cell_is_as_declared(world: AccessWorld, row: str) -> None:
    tried = cells(world, row)
    outcomes = world.node.try_all([cell.message for cell in tried])
    wrong = []
    for cell, refusal in zip(tried, outcomes, strict=True):
        found = refusal if refusal is not None else _carry_out(world, row, cell)
        if found != cell.expected:
            wrong.append(f"{cell.column} ({cell.way}): {found or 'may'}, not {cell.expected or 'may'}")
    assert not wrong, f"{row}: {len(wrong)} of {len(tried)} cells\n" + "\n".join(wrong)


# Its answer is that it goes through; to nothing at all it is a refusal.
REFUSALS = {"checkMediated": "SubjectUnknown(0)"}


@pytest.mark.parametrize("contract", deployed_contracts())
def test_views_answer_a_stranger_and_change_nothing(world: AccessWorld, contract: str) -> None:
    address = world.contracts[contract]
    for function in views(contract):
        message = (world.account("stranger"), address, zero_arguments(contract, function))
        (refusal,) = world.node.try_all([message])
        assert refusal == REFUSALS.get(function), function
        if refusal:
            continue
        with world.node.taken_back():
            receipt = world.node.send(message)
            assert receipt["logs"] == [], function
            assert world.node.written(receipt["transactionHash"]) == {}, function


def _carry_out(world: AccessWorld, row: str, cell: Cell) -> str | None:
    """Send what goes through and see that it had an effect, or what it left out. Take it back."""
    with world.node.taken_back():
        logs = world.node.send(cell.message)["logs"]
    return effect_of(row, logs)

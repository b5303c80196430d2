"""What the ledger says was spent, against OpenDP's own odometer and Google's accountant."""

from __future__ import annotations

import json
import math
import random
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import opendp.prelude as dp
import pytest

from backend.research.dp import NANO, choice_scale, epsilon_of, sigma_of
from backend.research.errors import BudgetExceeded
from backend.research.types import NanoRho, StudyId
from backend.types import MemberId
from tests.support.components import require

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-checkers" / "bin" / "python"
LAB = MemberId(b"l" * 32)


def prices(seed: int) -> list[NanoRho]:
    drawn = random.Random(seed)
    return [NanoRho(int(10 ** drawn.uniform(3, 7.5))) for _ in range(drawn.randint(1, 30))]


def charged(world: Any, asked: list[NanoRho]) -> list[NanoRho]:
    """Those of the prices that the ledger takes."""
    taken = []
    for place, price in enumerate(asked):
        study = StudyId(bytes([place % 3]) * 32)
        try:
            world.budget.debit(place.to_bytes(32, "big"), study, LAB, price, study_limit=NanoRho(2**60))
        except BudgetExceeded:
            continue
        taken.append(price)
    return taken


@pytest.mark.parametrize("seed", range(5))
def test_sum_of_the_ledger_is_what_opendps_odometer_says_of_the_same_measurements(
    world: Any, seed: int
) -> None:
    taken = charged(world, prices(seed))
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.linf_distance(T="i64")
    choosing = dp.c.make_fully_adaptive_composition(*space, output_measure=dp.zero_concentrated_divergence())
    summing = dp.c.make_fully_adaptive_composition(
        dp.vector_domain(dp.atom_domain(T="i64")),
        dp.l2_distance(T="f64"),
        output_measure=dp.zero_concentrated_divergence(),
    )
    choices, sums = choosing([1, 2]), summing([1, 2])
    for place, price in enumerate(taken):
        if place % 4 == 3:
            noise = dp.m.then_noisy_max(dp.zero_concentrated_divergence(), scale=choice_scale(1, price))
            choices(space >> noise)
        else:
            vector = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
            sums(vector >> dp.m.then_gaussian(sigma_of(1, price)))
    lost = Fraction(choices.privacy_loss(1)) + Fraction(sums.privacy_loss(1.0))
    spent = Fraction(world.budget.balance().spent, NANO)
    assert lost <= spent * (1 + Fraction(1, 10**12))  # the odometer adds floats, upwards
    assert lost >= spent * Fraction(999_999, 1_000_000)


def test_ledger_refuses_where_opendps_filter_does(world: Any) -> None:
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    odometer = dp.c.make_fully_adaptive_composition(*space, output_measure=dp.zero_concentrated_divergence())
    total = world.policy.rho / NANO
    share = NanoRho(world.policy.rho // 7)
    filtered = dp.c.make_privacy_filter(odometer, d_in=1.0, d_out=total * (1 + 1e-9))([1])
    measurement = space >> dp.m.then_gaussian(sigma_of(1, share))
    for place in range(8):
        ours = bool(charged_at(world, place, share))
        try:
            filtered(measurement)
            theirs = True
        except dp.OpenDPException:
            theirs = False
        assert ours == theirs == (place < 7)


def charged_at(world: Any, place: int, price: NanoRho) -> bool:
    try:
        world.budget.debit(bytes([place]) * 32, StudyId(bytes(32)), LAB, price, study_limit=NanoRho(2**60))
    except BudgetExceeded:
        return False
    return True


def test_epsilon_of_the_ledger_is_no_more_hopeful_than_googles_accountant(world: Any) -> None:
    require(PYTHON.exists(), "the outside checkers are not here", "make .build/stamps/checkers")
    sequences = [prices(seed) for seed in range(20)]
    asked = [
        {"noise_multipliers": [math.sqrt(NANO / (2 * price)) for price in sequence], "delta": 1e-6}
        for sequence in sequences
    ]
    script = ROOT / "tests" / "support" / "outside" / "dp_losses.py"
    done = subprocess.run(
        [str(PYTHON), str(script)], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    for sequence, theirs in zip(sequences, json.loads(done.stdout), strict=True):
        ours = epsilon_of(NanoRho(sum(sequence)), 6)
        # Google's takes the best of a list of orders, so it is a little higher; never lower than ours by more
        # than the rounding of either.
        assert ours <= theirs * (1 + 1e-6)
        assert ours == pytest.approx(theirs, rel=0.02)

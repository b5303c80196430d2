"""Random sequences of acts with time jumps do on the compiled contracts what the rules in plain words say.

``ASSENT_DIFFERENTIAL_SEQUENCES`` sets how many sequences a family plays (the long run),
``ASSENT_DIFFERENTIAL_SEED``
the first seed; sequence n has the seed first + n, so one that failed is played again with its seed and a
number of 1.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.differential.chain import Chain
from tests.differential.families import FAMILIES
from tests.differential.playing import Coverage

_SEQUENCES = int(os.environ.get("ASSENT_DIFFERENTIAL_SEQUENCES", "0"))
_FIRST_SEED = int(os.environ.get("ASSENT_DIFFERENTIAL_SEED", "1"))
_USUAL = {
    "members": 20,
    "consent": 100,
    "recovery": 80,
    "records": 25,
    "emergencies": 50,
    "keys": 40,
    "market": 120,
}
_REPORTS = Path(__file__).resolve().parents[2] / ".build" / "differential"


@pytest.mark.timeout(24 * 3600)
@pytest.mark.parametrize("name", FAMILIES)
def test_sequences_contractsAndModel_agree(name: str, chain: Chain) -> None:
    family, coverage, started = FAMILIES[name], Coverage(), time.monotonic()
    wanted = _SEQUENCES or _USUAL[name]
    for seed in range(_FIRST_SEED, _FIRST_SEED + wanted):
        acts = family.draw(chain, seed)
        if family.run(chain, acts, coverage):
            pytest.fail(f"{name}, ASSENT_DIFFERENTIAL_SEED={seed}: {family.explain(chain, acts)}")
    _report(name, coverage, time.monotonic() - started)
    if (wanted >= _USUAL[name] and _FIRST_SEED == 1) or wanted >= 3 * _USUAL[name]:
        gaps = family.gaps(coverage, least=5)
        assert not gaps, gaps


def _report(name: str, coverage: Coverage, seconds: float) -> None:
    """Write what was covered beside the other results."""
    _REPORTS.mkdir(parents=True, exist_ok=True)
    found = {
        "acts": coverage.acts,
        "views": coverage.views,
        "acts a second": round(coverage.acts / seconds),
        "done": {f"{act}: {way}": times for (act, way), times in sorted(coverage.done.items())},
        "refused": dict(sorted(coverage.refused.items())),
        "refused with this as the only reason": dict(sorted(coverage.exact.items())),
    }
    (_REPORTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

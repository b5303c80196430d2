"""A study's results are removed when their time is over, with receipts; hashes and entries stay."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from backend.erasure.results import DAY_SECONDS
from backend.erasure.results_receipt import verify_removal
from backend.interop.receipts.errors import ReceiptForged
from backend.maintenance.fsck import check_everything
from backend.research.types import StudyId
from backend.settings import Settings
from backend.stores import open_stores
from backend.types import Bytes32
from tests.integration.api.study_world import StudyWorld, open_study_world
from tests.integration.api.world import assert_problem, raw
from tests.support.process_world import eventually, run_cli

TABLE = {"kind": "table", "name": "people", "variables": ["sex"], "k": 5}
COUNT = {"kind": "count", "name": "women", "where": [{"variable": "sex", "levels": ["female"]}]}


def after_days(world: StudyWorld, days: float) -> None:
    """Have the rule see the clock so much later."""
    results = world.service.world.services.erasure.results
    results._clock = lambda: int(time.time() + days * DAY_SECONDS)


def shown(world: StudyWorld, study: str) -> dict[str, Any]:
    (run,) = world.researcher.api.get(f"/v1/studies/{study}/runs")
    found: dict[str, Any] = world.researcher.api.get(f"/v1/studies/{study}/runs/{run['run_id']}")
    return found


def test_results_go_with_receipts_after_their_time_and_what_was_committed_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_study_world(data, result_retention_days=30) as world:
        services, stores = world.service.world.services, world.service.world.stores
        services.erasure.jobs.close()  # it would look beside the test
        retention = services.erasure.results
        study, other = world.approved_study(days=60), world.approved_study(days=600)
        digest = world.run(study)["digest"]
        world.run(other)
        name = StudyId(bytes.fromhex(study[2:]))
        answers = stores.database["research_answers"]
        assert retention.run() == 0
        after_days(world, 61)
        assert (retention.run(), retention.run()) == (1, 0)
        assert not list(answers.find({"study": name.hex()}))
        assert list(answers.find({"study": other[2:]}))
        assert shown(world, study)["result"]["digest"] == digest
        after_days(world, 91)
        assert (retention.run(), retention.run()) == (1, 0)
        gone = shown(world, study)
        assert (gone["state"], gone["result"]) == ("done", None)
        assert gone["removed_at"]
        assert shown(world, other)["result"]
        path = f"/v1/studies/{study}/runs/{gone['run_id']}/dataset"
        assert_problem(raw(world.researcher.api, "GET", path), 404, "run_result_removed")
        assert stores.money.committed_at(Bytes32(name), Bytes32(bytes.fromhex(digest[2:])))
        assert [row.result.hex() for row in services.money.results.of_study(Bytes32(name))] == [digest[2:]]
        receipts = world.researcher.api.get(f"/v1/studies/{study}/removals")
        assert world.board_api.get(f"/v1/studies/{study}/removals") != []
        assert world.researcher.api.get(f"/v1/studies/{other}/removals") == []
        jwks = world.service.anyone().get("/.well-known/document-jwks.json")
        log_keys = list(services.log_keys.verifier_keys)
        found = [verify_removal(receipt, jwks, log_keys) for receipt in receipts]
        assert [(each.what, each.rule) for each in found] == [
            ("answers", "study-answers"),
            ("results", "study-results-30"),
        ]
        assert [dict(each.destroyed) for each in found] == [{"answers": 1}, {"results": 1}]
        with pytest.raises(ReceiptForged):
            verify_removal({**receipts[1], "assent:rule": "study-results-1"}, jwks, log_keys)
    (tmp_path / "receipt.json").write_text(json.dumps(receipts[1]))
    (tmp_path / "jwks.json").write_text(json.dumps(jwks))
    given = [word for key in log_keys for word in ("--log-key", key)]
    checked = run_cli(
        "receipt", "verify", tmp_path / "receipt.json", "--jwks", tmp_path / "jwks.json", *given, "--json"
    )
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["study"] == study
    stores = open_stores(Settings(data_directory=data))
    try:
        assert not check_everything(stores).damage
    finally:
        stores.closing.close()


@pytest.mark.parametrize("apart", [True, False], ids=["dataset", "table"])
def test_table_with_a_row_of_an_erased_patient_is_removed_and_the_answers_stay(
    tmp_path: Path, apart: bool
) -> None:
    changes: dict[str, Any] = {"outputs": [COUNT, TABLE], **({"dataset": {}} if apart else {})}
    with open_study_world(tmp_path / "data") as world:
        stores = world.service.world.stores
        study = world.approved_study(**changes)
        result = world.run(study)
        assert result["table"] is not None, result["table_refusal"]
        leaving = world.patients[0]
        leaving.api.post("/v1/erasures", {"subject": leaving.subject, "grace_hours": 0})
        hexed = f"{int(leaving.subject, 16):024x}"
        rows = stores.database["erasures"]
        eventually(
            lambda: any(row["state"] == "erased" for row in rows.find({"subject": hexed})),
            seconds=20,
            what="erased",
        )
        (row,) = rows.find({"subject": hexed})
        assert row["destroyed"]["released_rows"] == 1
        left = shown(world, study)["result"]
        assert (left["table"], left["table_refusal"]) == (None, "table_removed")
        assert (left["answers"], left["digest"]) == (result["answers"], result["digest"])
        (run,) = world.researcher.api.get(f"/v1/studies/{study}/runs")
        path = f"/v1/studies/{study}/runs/{run['run_id']}/dataset"
        assert_problem(raw(world.researcher.api, "GET", path), 409, "table_removed")

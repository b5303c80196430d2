"""Made version-0.tar.xz. Written for commit 9c9e7d3 and run in a worktree of it; see README.md."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from backend.demo import care, cast, study
from backend.demo.actors import Api
from backend.demo.checks import Checks
from backend.demo.service import Service
from scripts.generate_bundles import encode, generate


def small(bundle: dict[str, Any]) -> bytes:
    """Keep the patient and one observation: it shall be a file of some kilobytes."""
    kept: dict[str, Any] = {}
    for entry in bundle["entry"]:
        kept.setdefault(entry["resource"]["resourceType"], entry)
    return encode({**bundle, "entry": [kept["Patient"], kept["Observation"]]})


def play(http: httpx.Client, account: dict[str, str], checks: Checks) -> dict[str, Any]:
    """Let people act, and return what must still hold afterwards."""
    operator = Api(http)
    operator.token = operator.post("/v1/auth/staff", account)["access_token"]
    players = cast.Cast(http, checks, operator)
    with checks.step("people"):
        cast.set_the_scene(players)
        study.register(players)
        cast.enrol(players, [small(bundle) for bundle in generate(8, 42)])
        cast.store_records(players)
    with checks.step("care"):
        for each in players.adults[:3]:
            each.consent_id = each.wallet.consent(
                kind="permit",
                grantee=players.clinic.member_id,
                purposes=["TREAT"],
                categories=care.WANTED,
                sensitivities=care.ALL_SENSITIVITIES,
                actions=["access"],
                not_after="2060-01-01T00:00:00Z",
            )["consent_id"]
            players.clinic.read(each.record_id)
        players.adults[1].wallet.revoke(players.adults[1].consent_id)
    with checks.step("study"):
        study.conduct(players)
    erased = players.adults[0]
    with checks.step("erasure"):
        wish = {"subject": erased.wallet.subject, "record_id": erased.record_id, "grace_hours": 0}
        erased.wallet.api.post("/v1/erasures", wish)
        while erased.wallet.api.get("/v1/erasures", subject=wish["subject"])[0]["state"] != "erased":
            time.sleep(1)
    time.sleep(6)  # until all of it is anchored
    return {
        "clinic": [players.clinic.client_id, players.clinic.client_secret, players.clinic.member_id],
        "researcher": [
            players.researcher.client_id,
            players.researcher.client_secret,
            players.researcher.member_id,
        ],
        "study": players.study_id,
        "result": players.result,
        "patients": [
            {
                "key": each.wallet.account.key.hex(),
                "subject": each.wallet.subject,
                "record": each.record_id,
                "erased": each is erased,
                "readable": each is players.adults[2],  # for the clinic
                "consents": {
                    row["consent_id"]: row["state"]
                    for row in each.wallet.api.get("/v1/consents", subject=each.wallet.subject)
                },
            }
            for each in players.patients
        ],
    }


def main(root: Path) -> None:
    checks = Checks(Console())
    service = Service(root / "data", storage="directory")
    service.start()
    try:
        with httpx.Client(base_url=service.url, timeout=120) as http:
            facts = play(http, service.operator(), checks)
    finally:
        service.stop()
    checks.show()
    (root / "facts.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

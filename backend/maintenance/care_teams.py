"""Checks the care teams: the list that counts is there, each version opens and has its digest."""

from __future__ import annotations

from backend.adapters.index.care_team_rows import MongoCareTeamRows
from backend.consent.care_team_shelf import CareTeamShelf
from backend.consent.errors import CareTeamsDamaged
from backend.errors import IntegrityError
from backend.keystore import SecretNotFound
from backend.maintenance.report import Report
from backend.sealed import DocumentSealer
from backend.stores import Stores


def check_care_teams(stores: Stores, report: Report) -> None:
    """Add to the report, also about versions of the past. Raises Unavailable errors only."""
    rows = MongoCareTeamRows(stores.database)
    shelf = CareTeamShelf(rows=rows, keys=stores.keys, documents=DocumentSealer(stores.keys))
    versions = set(rows.names())
    try:
        _, listed = shelf.load()
    except CareTeamsDamaged as refusal:
        report.damaged(refusal.code, "list of care teams")
        listed = {}
    for team, digest in sorted(versions | set(listed.items())):
        report.counts["care team versions"] += 1
        where = f"care team {team.hex()} version {digest.hex()}"
        try:
            found = shelf.version(team, digest)
        except (IntegrityError, SecretNotFound):
            report.damaged("care_team_damaged", where)
            continue
        if found is None:
            report.damaged("care_team_missing", where)
        elif found.digest != digest:
            report.damaged("care_team_damaged", where)

"""``assent audit finality``: what to do after blocks that were final have been replaced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from backend.commands.terminal import OUT, AsJson, DataDirectory, named_errors, read_settings, show
from backend.commands.upkeep import opened


def finality(
    accept: Annotated[
        bool, typer.Option("--accept", help="take the blocks that are there now for final, and permit again")
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Name the blocks that were final and are gone, and list every permit that rested on what they recorded:
    a consent, a member's admission or credential, the patient's account, a registered key.

    The service must be stopped. Exit status 1: entries of that time cannot be read, so some may be missing.
    That it was asked stands in the log, where those patients see it.
    """
    from backend.maintenance.finality import report_finality
    from backend.maintenance.fsck import require_deployment

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        with opened(settings) as stores:
            found = report_finality(stores, accept=accept)
    if as_json:
        show(found, as_json=True)
    else:
        _print(found)
    raise typer.Exit(0 if found["complete"] else 1)


def _print(found: dict[str, Any]) -> None:
    replaced = found["replaced"]
    if replaced is None:
        OUT.print("no block that was final has been replaced")
        return
    blocks = f"blocks {replaced['first']} to {replaced['last']} were final and are replaced"
    _say(f"{blocks}, as {' and '.join(replaced['seen_by'])} shows")
    _say(f"block {replaced['last']} was {replaced['was']}, is {replaced['is']}")
    for entry in found["entries"]:
        OUT.print()
        when = datetime.fromtimestamp(entry["recorded_at_ms"] / 1_000, UTC)
        lines = {
            "entry": f"{entry['position']}  {entry['type']}",
            "recorded": when.isoformat(timespec="seconds"),
            "patient": entry["patient"],
            "consents": ", ".join(entry["consents"]),
            "requester": f"{entry['requester']['kind']} {entry['requester']['id']}",
            "organisation": entry["organisation"] or "none",
            "purpose": entry["purpose"] or "none",
            "rested on": "; ".join(
                f"{ground['kind']} {ground['id']}, which was {ground['why']}" for ground in entry["rested_on"]
            ),
            "final block": entry["final_block"] if entry["final_block"] is not None else "not named",
        }
        show(lines, as_json=False)
    _say(f"{len(found['entries'])} permits rested on what these blocks recorded")
    if found["unreadable"]:
        _say(f"NOT COMPLETE: {len(found['unreadable'])} entries cannot be read: {found['unreadable']}")
    if found["accepted"]:
        _say("accepted: the service permits again, by the blocks that are there now")


def _say(text: str) -> None:
    OUT.print(text, highlight=False, markup=False, soft_wrap=True)

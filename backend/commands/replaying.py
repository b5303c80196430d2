"""``assent audit replay``: decide again what an entry of the log says was decided. For a stopped service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from backend.commands.terminal import OUT, AsJson, DataDirectory, fail, named_errors, read_settings, show
from backend.types import to_hex

if TYPE_CHECKING:
    from backend.consent.tables import Tables
    from backend.records.replaying import Replay

EVIDENCE_GONE: Final = 4  # exit status; 0 the same, 1 another decision, 2 bad input


def replay(
    entry: Annotated[int, typer.Argument(help="the entry's index in the log", min=0)],
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Decide again from the evidence of that time, and compare. The exit status is 0 where the entry says the
    same, 1 where it does not, 2 for bad input, 4 where evidence was erased or cannot be had now.

    That the entry was read stands in the log, where the patient sees it.
    """
    from backend.consent.errors import EvidenceGone
    from backend.errors import IntegrityError, Unavailable
    from backend.maintenance.audit_replay import replay_entry
    from backend.maintenance.fsck import require_deployment
    from backend.stores import open_stores

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        stores = open_stores(settings)
        try:
            found, tables = replay_entry(stores, entry)
        except (EvidenceGone, Unavailable, IntegrityError) as missing:
            fail(missing.code, missing.detail, missing.remedy, status=EVIDENCE_GONE)
        finally:
            stores.closing.close()
    _answer(found, tables, entry, as_json=as_json)
    raise typer.Exit(1 if found.differing else 0)


def _answer(found: Replay, tables: Tables, entry: int, *, as_json: bool) -> None:
    from backend.consent import wording

    event = found.event
    plain: dict[str, Any] = {"entry": entry, **found.as_json(tables)}
    if as_json:
        show(plain, as_json=True)
        return
    moment = plain["moment"]
    OUT.print(
        f"entry {entry}, {event.type}, by {event.actor.kind.value} {event.actor.id}"
        f"{f', for {to_hex(event.organisation)}' if event.organisation else ''}: "
        f"final block {moment['finalBlock']}, head {moment['headBlock']}, "
        f"position {moment['queuePosition']} in the queue",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for name, value in found.said.items():
        again = "the same" if name not in found.differing else f"now {_words(found.again[name])}"
        OUT.print(f"{name:<24} {_words(value)}: {again}", markup=False, highlight=False, soft_wrap=True)
    if not found.same_tables:
        OUT.print("The tables in force then are not those of today; codes keep their bits.", highlight=False)
    for part, shown in zip(found.parts, plain["parts"], strict=True):
        OUT.print()
        OUT.print(f"{part.name or 'question'}: {shown['sentence']}", markup=False, highlight=False)
        for line in wording.lines(part.explanation):
            OUT.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
    OUT.print()
    OUT.print("the same decision" if plain["same"] else "ANOTHER DECISION", highlight=False)


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)

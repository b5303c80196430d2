"""``assent decide``: a decision from plain files, with no service, chain or store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from backend.commands.terminal import OUT, AsJson, fail, named_errors, show
from backend.errors import AssentError

if TYPE_CHECKING:
    from backend.consent.decision_types import DecisionInput
    from backend.consent.explaining import Explanation
    from backend.consent.tables import Tables

EXIT_STATUS: Final = {"permit": 0, "deny": 1, "no_consent": 3, "unavailable": 4}  # 2 is bad input


def decide(
    request: Annotated[Path, typer.Argument(help="the question, a vector, or a file of vectors with --case")],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]...", help="further files of consents")
    ] = None,
    consents: Annotated[
        list[Path] | None, typer.Option(help="files of consents with their slots on the chain")
    ] = None,
    case: Annotated[str | None, typer.Option(help="the name of one vector of the file")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="show each consent and each rule, and why it did not apply")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decide offline, on plain files. The exit status is 0 for a permit, 1 for a deny, 3 for no consent, 4
    where nothing can be decided, and 2 for bad input. docs/decision.md describes the files."""
    with named_errors():
        asked, tables = _read(request, [*(consents or ()), *(more or ())], case)
        from backend.consent.explaining import explain as explaining

        explained = explaining(asked)
        _answer(asked, explained, tables, explain=explain, as_json=as_json)
    raise typer.Exit(EXIT_STATUS[explained.decision.answer.value])


def _read(request: Path, files: list[Path], case: str | None) -> tuple[DecisionInput, Tables]:
    from backend.consent.decision_files import in_file, read_consents, read_question, with_evidence

    file = request
    try:
        asked, tables = read_question(_parsed(request), case=case)
        for file in files:
            asked = with_evidence(asked, read_consents(_parsed(file), asked.subject, tables))
    except AssentError as error:
        raise in_file(error, str(file)) from None
    return asked, tables


def _answer(
    asked: DecisionInput, explained: Explanation, tables: Tables, *, explain: bool, as_json: bool
) -> None:
    from backend.consent import wording
    from backend.consent.decision_json import decision_to_json

    decision = explained.decision
    plain = decision_to_json(decision, tables)
    plain["sentence"] = wording.sentence(asked, decision, tables)
    plain["tables"] = {"version": tables.version, "digest": tables.digest}
    if as_json:
        if explain:
            plain["explanation"] = wording.explanation_to_json(explained)
        show(plain, as_json=True)
        return
    OUT.print(plain["sentence"], markup=False, highlight=False, soft_wrap=True)
    rules = [
        f"{item['consent']} rule {item['rule']}" for item in plain["findings"] if item["rule"] is not None
    ]
    shown = {
        "answer": plain["answer"],
        "reasons": ", ".join(plain["reasons"]),
        "obligations": ", ".join(plain["obligations"]) or "none",
        "consents": ", ".join(plain["consents"]) or "none",
        "rules": ", ".join(rules) or "none",
        "block": "none"
        if decision.final_block is None
        else f"{decision.final_block}, head {decision.head_block}",
        "tables": f"version {tables.version}, {tables.digest}",
    }
    show(shown, as_json=False)
    if explain:
        for line in wording.lines(explained):
            OUT.print(line, markup=False, highlight=False, soft_wrap=True)


def _parsed(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as failure:
        fail("usage", f"{file}: {failure.strerror}", "Name a file that can be read.")
    except (ValueError, RecursionError) as failure:
        fail("usage", f"{file}: not JSON: {failure}", "Write one JSON value, in UTF-8.")

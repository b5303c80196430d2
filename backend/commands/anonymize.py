"""``assent anonymize``: needs neither a service nor its stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.commands.terminal import AsJson, fail, named_errors, show

if TYPE_CHECKING:
    from backend.research.anonymize.types import Diversity

_MINIMUM_KEY_BYTES = 32


def anonymize(
    table: Annotated[Path | None, typer.Option("--input", help="the table: .csv or .parquet")] = None,
    schema: Annotated[Path | None, typer.Option(help="what each column is (YAML)")] = None,
    hierarchies: Annotated[
        Path | None, typer.Option(help="the folder of the hierarchy files [the schema's folder]")
    ] = None,
    k: Annotated[int, typer.Option(help="patients that share each combination of quasi-identifiers")] = 5,
    l: Annotated[float | None, typer.Option(help="diversity of the sensitive values of a class")] = None,  # noqa: E741
    l_kind: Annotated[str, typer.Option(help="distinct, entropy or recursive")] = "distinct",
    l_c: Annotated[float | None, typer.Option(help="the c of recursive (c, l)-diversity")] = None,
    t: Annotated[
        float | None, typer.Option(help="closeness to the whole table, equal ground distance")
    ] = None,
    sensitive: Annotated[
        list[str] | None, typer.Option(help="a sensitive column that l and t hold for [all of them]")
    ] = None,
    suppression: Annotated[float, typer.Option(help="largest share of rows left out")] = 0.04,
    mode: Annotated[str, typer.Option(help="strict, max-utility or full-domain")] = "strict",
    output: Annotated[Path | None, typer.Option(help="the released table: .csv or .parquet")] = None,
    report: Annotated[Path | None, typer.Option(help="the report for programs (JSON)")] = None,
    report_html: Annotated[Path | None, typer.Option(help="the report for people (HTML)")] = None,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(help="a file of 32 random bytes or more, one for each recipient: release pseudonyms"),
    ] = None,
    population_size: Annotated[
        int | None, typer.Option(help="people the table was drawn from, for population uniqueness")
    ] = None,
    population: Annotated[
        Path | None,
        typer.Option(help="the population the table was drawn from: its quasi-identifiers, one row a person"),
    ] = None,
    init: Annotated[Path | None, typer.Option(help="draft a schema for this table and print it")] = None,
    as_json: AsJson = False,
) -> None:
    """Anonymize a table, verify the result independently and report on it."""
    with named_errors():
        if init is not None:
            from backend.research.anonymize.drafting import draft_schema

            typer.echo(draft_schema(init), nl=False)
            return
        if table is None or schema is None or output is None:
            fail(
                "usage",
                "--input, --schema and --output are needed",
                "Begin with 'assent anonymize --init FILE'.",
            )
        from backend.research.anonymize.files import Paths, anonymize_file
        from backend.research.anonymize.release import Request
        from backend.research.anonymize.types import Mode, PrivacyModel

        modes = [known.value for known in Mode]
        if mode not in modes:
            fail("usage", "--mode is not known", f"One of {', '.join(modes)}.")
        done = anonymize_file(
            Paths(
                table=table,
                schema=schema,
                output=output,
                hierarchies=hierarchies,
                report=report,
                report_html=report_html,
                population=population,
            ),
            Request(
                model=PrivacyModel(k, _diversity(l, l_kind, l_c), t),
                mode=Mode(mode),
                suppression=suppression,
                protected=tuple(sensitive or ()),
                pseudonym_key=_key(pseudonym_key),
            ),
            population_size=population_size,
        )
    released = done.release.table.height
    show(
        {
            "rows_released": released,
            "rows_suppressed": done.rows_before - released,
            "classes": len(done.release.verified.classes),
            "k_reached": done.release.verified.k,
            "release_sha256": done.digest,
        },
        as_json=as_json,
    )


def _diversity(l: float | None, kind: str, c: float | None) -> Diversity | None:  # noqa: E741
    from backend.research.anonymize.types import Diversity, DiversityKind

    kinds = [known.value for known in DiversityKind]
    if kind not in kinds:
        fail("usage", "--l-kind is not known", f"One of {', '.join(kinds)}.")
    if l is None:
        if c is not None or kind != DiversityKind.DISTINCT:
            fail("usage", "--l-kind and --l-c belong to --l", "Give --l as well.")
        return None
    return Diversity(DiversityKind(kind), l, c)


def _key(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        key = path.read_bytes()
    except OSError:
        fail("usage", "the file of --pseudonym-key cannot be read", "Check its path and its rights.")
    if len(key) < _MINIMUM_KEY_BYTES:
        fail(
            "usage",
            "the file of --pseudonym-key is too short",
            f"Give {_MINIMUM_KEY_BYTES} random bytes or more.",
        )
    return key

"""A first schema for a file, for a person to complete: whatever was guessed has to be checked."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import yaml

from backend.research.anonymize.refusals import TableInvalid
from backend.research.anonymize.schema import UNDECIDED, Role
from backend.research.anonymize.tables import CSV, columns_of, suffix_of

_DELIMITERS = ",;\t|"
_SAMPLED_ROWS = 100_000
# What a column's name suggests. The order matters: what names a person goes before what describes one.
_HINTS: tuple[tuple[Role, str], ...] = (
    (
        Role.IDENTIFIER,
        r"name|ssn|mrn|e?-?mail|phone|fax|street|address|url|ip|passport|licen[cs]e|iban|account",
    ),
    (Role.PATIENT, r"patient|subject|person|member|participant|id"),
    (
        Role.QUASI,
        (
            r"age|sex|gender|race|ethnic\w*|zip|postal|postcode|city|county|state|country|region|birth|dob|date|"
            r"year|marital|education|occupation|job|work\w*|religion|nationality|language|salary|income"
        ),
    ),
    (
        Role.SENSITIVE,
        (
            r"diagnos[ie]s|disease|condition|icd\w*|medication|drug|procedure|result|lab|test|hiv|score|outcome|"
            r"treatment"
        ),
    ),
)


def draft_schema(path: Path) -> str:
    """Return a schema in YAML that is refused until somebody has completed it. Raises TableInvalid."""
    delimiter = _delimiter(path) if suffix_of(path) == CSV else ","
    names = columns_of(path, delimiter)
    if len(set(names)) != len(names):
        raise TableInvalid(f"{path.name} names a column twice")
    sample = _sample(path, delimiter)
    lines = [
        "# A draft. Check the role of every column: identifier, patient, quasi, sensitive or insensitive.",
        "#   identifier   names a person: never leaves",
        "#   patient      tells which rows are one person's: leaves as a pseudonym or not at all",
        "#   quasi        others may know it of a person: leaves generalised; needs a hierarchy file",
        "#   sensitive    must not be learnt of a person: leaves as it is, under l and t",
        "#   insensitive  neither, which is rare: leaves as it is",
        f"# Replace every {UNDECIDED} and remove the next line; until then the schema is refused.",
        "draft: not checked yet",
    ]
    if delimiter != ",":
        lines.append(f"delimiter: {_scalar(delimiter)}")
    lines.append("columns:")
    taken = False
    for name in names:
        role = _guess(name, sample[name])
        if role is Role.PATIENT:
            role = None if taken else role
            taken = True
        entry = f"role: {role.value if role is not None else UNDECIDED}"
        if role is Role.QUASI:
            entry += f", hierarchy: {UNDECIDED}"
        lines.append(f"  {_scalar(name)}: {{{entry}}}  # {_why(role, sample[name])}")
    return "\n".join(lines) + "\n"


def _guess(name: str, cells: pl.Series) -> Role | None:
    """A role, or None where nothing speaks for one. Never insensitive: that is for a person to say."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    for role, hint in _HINTS:
        if re.search(rf"(?:^|[^a-z])(?:{hint})s?(?:[^a-z]|$)", words):
            return role
    if len(cells) > 1 and cells.n_unique() == len(cells):
        return Role.IDENTIFIER
    return None


def _why(role: Role | None, cells: pl.Series) -> str:
    told = {
        None: "nothing tells what this is",
        Role.IDENTIFIER: "looks like it names a person",
        Role.PATIENT: "looks like a patient's number",
        Role.QUASI: "others may know this of a person",
        Role.SENSITIVE: "looks like health data",
        Role.INSENSITIVE: "",
    }[role]
    return f"{told}; {cells.n_unique():,} different values in the first {len(cells):,} rows"


def _sample(path: Path, delimiter: str) -> pl.DataFrame:
    try:
        if suffix_of(path) == CSV:
            return pl.read_csv(path, separator=delimiter, n_rows=_SAMPLED_ROWS, infer_schema=False)
        return pl.read_parquet(path, n_rows=_SAMPLED_ROWS)
    except (OSError, pl.exceptions.PolarsError) as failure:
        raise TableInvalid(f"{path.name} cannot be read as a table") from failure


def _delimiter(path: Path) -> str:
    """The character that the header has most of."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
    except (OSError, UnicodeDecodeError) as failure:
        raise TableInvalid(f"{path.name} cannot be read as a table") from failure
    return max(_DELIMITERS, key=header.count)


def _scalar(text: str) -> str:
    """The text as a YAML scalar on one line."""
    written: str = yaml.safe_dump(text, default_style='"', width=10_000, allow_unicode=True)
    return written.strip()

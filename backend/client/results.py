"""What a run of a study gave, for Python: answers, tables and datasets, as data frames on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import polars

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One protected answer. ``error_95`` bounds the error of each single value with 95 % probability;
    ``estimates`` are what follows from the values (a mean, a slope, a curve) with bounds of their own."""

    name: str
    levels: tuple[str, ...]
    values: tuple[int, ...]
    error_95: int
    body: Mapping[str, Any]  # all of it, as the service sent it

    @property
    def estimates(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self.body.get("estimates", ()))

    def columns(self) -> dict[str, list[Any]]:
        """Estimates where there are any (name, value, low, high), else levels, values and error."""
        if self.estimates:
            bounds = ("value", "low", "high")  # decimals as text, so that digests are exact
            return {
                "name": [each["name"] for each in self.estimates],
                **{bound: [_decimal(each[bound]) for each in self.estimates] for bound in bounds},
            }
        return {
            "level": list(self.levels),
            "value": list(self.values),
            "error_95": [self.error_95] * len(self.values),
        }

    def to_polars(self) -> polars.DataFrame:
        import polars  # noqa: PLC0415 - only who asks for a frame needs it

        return polars.DataFrame(self.columns())

    def to_pandas(self) -> pandas.DataFrame:
        import pandas  # noqa: PLC0415

        return pandas.DataFrame(self.columns())


@dataclass(frozen=True, slots=True)
class Table:
    """An anonymized table: a row a patient, in an order that tells nothing."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    report: Mapping[str, Any]

    def columns(self) -> dict[str, list[str]]:
        return {name: [row[place] for row in self.rows] for place, name in enumerate(self.names)}

    def to_polars(self) -> polars.DataFrame:
        import polars  # noqa: PLC0415

        return polars.DataFrame(self.columns(), schema=dict.fromkeys(self.names, polars.String))

    def to_pandas(self) -> pandas.DataFrame:
        import pandas  # noqa: PLC0415

        return pandas.DataFrame(self.columns(), columns=list(self.names))


@dataclass(frozen=True, slots=True)
class Dataset:
    """A released dataset, opened: text columns, ``pseudonym`` first. ``about`` names the release and what was
    measured on it; ``methods`` is a paragraph for a paper."""

    frame: polars.DataFrame
    about: Mapping[str, Any]
    methods: str

    def to_polars(self) -> polars.DataFrame:
        return self.frame

    def to_pandas(self) -> pandas.DataFrame:
        import pandas  # noqa: PLC0415

        return pandas.DataFrame(self.frame.to_dict(as_series=False))


@dataclass(frozen=True, slots=True)
class FhirExport:
    """De-identified records of single patients, opened. Iterating gives every resource, as parsed JSON.

    ``about`` names the release, its files and what was removed, by rule; ``methods`` is a paragraph for a
    paper; ``counts`` are resources by type. Every Patient's id is that patient's pseudonym, here alone.
    """

    about: Mapping[str, Any]
    methods: str
    counts: Mapping[str, int]
    _lines: Callable[[str], Iterator[bytes]]

    def __iter__(self) -> Iterator[Json]:
        for resource_type in self.counts:
            yield from self.resources(resource_type)

    def resources(self, resource_type: str) -> Iterator[Json]:
        """The resources of one type; none of a type that is not in it."""
        return map(json.loads, self._lines(resource_type))

    def write(self, directory: Path) -> list[Path]:
        """Write it into a new directory, which nobody else can read, and return the files: NDJSON as in FHIR
        Bulk Data exports, ``release.json``, ``methods.txt``. Raises FileExistsError and other OSErrors."""
        directory.mkdir(mode=0o700)
        about = json.dumps(self.about, indent=2, ensure_ascii=False)
        (directory / "release.json").write_text(f"{about}\n", encoding="utf-8")
        (directory / "methods.txt").write_text(self.methods, encoding="utf-8")
        for resource_type in self.counts:
            with (directory / f"{resource_type}.ndjson").open("xb") as file:
                file.writelines(self._lines(resource_type))
        return sorted(directory.iterdir())


class RunResult(Mapping[str, Answer]):
    """The answers of a run by name. ``included`` and ``excluded`` are protected ranges of patients."""

    def __init__(self, body: Json) -> None:
        self.body = body
        self.included: tuple[int, int] = tuple(body["included"])
        self.excluded: tuple[int, int] = tuple(body["excluded"])
        self.epsilon = float(body["epsilon"])
        self._answers = {
            each["name"]: Answer(
                each["name"], tuple(each["levels"]), tuple(each["values"]), each["error_95"], each
            )
            for each in body["answers"]
        }

    def __getitem__(self, name: str) -> Answer:
        return self._answers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def table(self) -> Table | None:
        """The anonymized table; None where none was asked for, or where ``table_refusal`` says why not."""
        found = self.body.get("table")
        if found is None:
            return None
        return Table(tuple(found["columns"]), tuple(map(tuple, found["rows"])), found["report"])

    @property
    def table_refusal(self) -> str:
        return str(self.body.get("table_refusal", ""))

    @property
    def fhir(self) -> Mapping[str, Any] | None:
        """Files, patients and what was removed, of the records that ``Study.fhir`` fetches; None where none
        were asked for, or where ``fhir_refusal`` says why not."""
        return self.body.get("fhir")

    @property
    def fhir_refusal(self) -> str:
        return str(self.body.get("fhir_refusal", ""))


def _decimal(text: str) -> float | None:
    """None where the noise hides the number."""
    return float(text) if text else None

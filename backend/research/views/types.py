"""A view definition as parsed: SQL on FHIR v2.0, logical model ViewDefinition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from backend.research.views.fhirpath import Constant, Path

Scalar = str | bool | int | Decimal
Cell = Scalar | tuple[Scalar, ...] | None
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """``type`` is a FHIR primitive type or '' where none is declared. ``collection``: a cell is a tuple."""

    name: str
    path: Path
    type: str = ""
    collection: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """Columns and nested selects, each row of one with each row of the others; last the union.

    ``for_each`` makes a row for each item it finds; ``or_null`` one row of nulls where it finds none.
    """

    columns: tuple[Column, ...]
    selects: tuple[Select, ...]
    union: tuple[Select, ...]
    for_each: Path | None
    or_null: bool
    typed: bool  # an expression below starts at an item in a way that depends on its FHIR type

    def all_columns(self) -> Iterator[Column]:
        """The columns of its rows, in their order."""
        yield from self.columns
        for nested in self.selects:
            yield from nested.all_columns()
        if self.union:
            yield from self.union[0].all_columns()


@dataclass(frozen=True, slots=True)
class View:
    """``categories`` are codes of the consent categories whose permission the whole view needs.

    ``when`` names the column that dates a row ('' where rows have no date), ``digest`` is the SHA-256 of the
    definition's canonical JSON, in hex.
    """

    name: str
    title: str
    resource: str
    root: Select
    where: tuple[Path, ...]
    constants: Mapping[str, Constant]
    categories: tuple[str, ...]
    when: str
    digest: str

    @property
    def columns(self) -> dict[str, Column]:
        return {column.name: column for column in self.root.all_columns()}

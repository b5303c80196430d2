"""The tables by which resources are labelled: what a code says about category and sensitivity.

``label_loading`` reads them. A code that no table knows has no entry, and what has no entry is restricted
(invariant 5). Every entry names its row, ``file/place``, so that a label can be explained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backend.records.label_map import LabelMap

UNLABELLED: Final = 1 << 31  # the sensitivity bit of what no table knows: restricted


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """What one code says: category mask (0 where it says nothing) and sensitivity mask."""

    categories: int
    sensitivities: int
    row: str


@dataclass(frozen=True, slots=True)
class PrefixTable:
    """A code system known whole, by the shape of its codes; the longest listed prefix gives the labels."""

    shape: re.Pattern[str]
    default: CodeEntry
    prefixes: Mapping[str, CodeEntry]

    def lookup(self, code: str) -> CodeEntry | None:
        if not self.shape.fullmatch(code):
            return None
        for length in range(len(code), 0, -1):
            entry = self.prefixes.get(code[:length])
            if entry is not None:
                return entry
        return self.default


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """How a resource type is filed, what it must state to be known, and which elements date it."""

    category: int
    sensitivities: int
    by_code: str | None
    by_category: bool
    needs: tuple[str, ...]
    when: tuple[str, ...]
    else_when: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keyword:
    """Words in order, casefolded; the last may stand for any ending (``open_ended``)."""

    words: tuple[str, ...]
    open_ended: bool
    sensitivities: int
    row: str

    @property
    def phrase(self) -> str:
        return " ".join(self.words) + "*" * self.open_ended


@dataclass(frozen=True, slots=True)
class Secrecy:
    """HL7 v3 Confidentiality: ``levels`` from low to high, and what the labels say of them."""

    system: str
    levels: tuple[str, ...]
    stated: Mapping[str, str]  # code in meta.security -> level
    default: str
    sensitive: str  # of whatever carries a sensitivity
    highest: str
    highest_sensitivities: int
    highest_categories: int


@dataclass(frozen=True)
class LabelTables:
    """All tables of one version. Masks follow the bit order of ``backend/consent/data``.

    ``published``: SHA-256, in hex, over the names and bytes of the version's files, in name order. ``digest``
    covers the deployment's map as well, and is the same where there is none.
    """

    version: int
    published: str
    digest: str
    label_map: LabelMap | None
    category_bits: Mapping[str, int]
    sensitivity_bits: Mapping[str, int]
    codes: Mapping[tuple[str, str], CodeEntry]
    prefix_tables: Mapping[str, PrefixTable]
    structural: Mapping[str, CodeEntry]
    security: Mapping[tuple[str, str], int]
    extensions: Mapping[str, int]
    questionnaires: Mapping[str, int]
    resources: Mapping[str, ResourceRule]
    by_category: Mapping[tuple[str, str], int]
    category_labels: Mapping[int, int]
    administrative: frozenset[str]  # types that are not about the patient's health
    not_words: frozenset[str]  # elements whose strings are no words: addresses, numbers, dates, names
    coded: frozenset[str]  # elements of which words alone do not tell the meaning
    keywords: tuple[Keyword, ...]
    implied: Mapping[int, int]  # sensitivity bit to the bits of the topic and its broader ones
    secrecy: Secrecy

    def lookup(self, system: str, code: str) -> CodeEntry | None:
        """Return what a code says, or None where no table knows it."""
        entry = self.codes.get((system, code))
        if entry is None:
            table = self.prefix_tables.get(system)
            if table is not None:
                return table.lookup(code)
            return self.structural.get(system)
        return entry

    def closure(self, sensitivities: int) -> int:
        """Return a sensitivity mask with the broader topics of each of its topics."""
        for bit, mask in self.implied.items():
            if sensitivities & bit:
                sensitivities |= mask
        return sensitivities

    def names(self, mask: int, bits: Mapping[str, int]) -> tuple[str, ...]:
        """Return the codes of a mask in bit order."""
        return tuple(name for name, bit in sorted(bits.items(), key=lambda item: item[1]) if mask & bit)

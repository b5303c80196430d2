"""The tables by which resources are labelled: what a code says about category and sensitivity.

A released table is never edited: a change is a new version folder, so that a stored label can be traced to
the table that gave it. ``digest`` is SHA-256 over the names and bytes of the version's files, in name order.
A code that no table knows has no entry, and what has no entry is restricted (invariant 5).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

TABLE_VERSION: Final = 1
UNLABELLED: Final = 1 << 31  # the sensitivity bit of what no table knows: restricted


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """What one code says: category mask (0 where it says nothing) and sensitivity mask."""

    categories: int
    sensitivities: int


@dataclass(frozen=True, slots=True)
class PrefixTable:
    """A code system known whole, by the shape of its codes; the longest listed prefix gives the labels."""

    shape: re.Pattern[str]
    default: int
    prefixes: Mapping[str, int]

    def lookup(self, code: str) -> CodeEntry | None:
        if not self.shape.fullmatch(code):
            return None
        for length in range(len(code), 0, -1):
            mask = self.prefixes.get(code[:length])
            if mask is not None:
                return CodeEntry(0, mask)
        return CodeEntry(0, self.default)


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


@dataclass(frozen=True)
class LabelTables:
    """All tables of one version. Masks follow the bit order of ``backend/consent/data``."""

    version: int
    digest: str
    category_bits: Mapping[str, int]
    sensitivity_bits: Mapping[str, int]
    codes: Mapping[tuple[str, str], CodeEntry]
    prefix_tables: Mapping[str, PrefixTable]
    structural: frozenset[str]
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

    def lookup(self, system: str, code: str) -> CodeEntry | None:
        """Return what a code says, or None where no table knows it."""
        entry = self.codes.get((system, code))
        if entry is None:
            table = self.prefix_tables.get(system)
            if table is not None:
                return table.lookup(code)
            if system in self.structural:
                return _NOTHING
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


_NOTHING = CodeEntry(0, 0)


class _Builder:
    """Reads the files of one version into masks."""

    def __init__(
        self, documents: Mapping[str, Any], categories: Mapping[str, int], labels: Mapping[str, int]
    ):
        self.documents = documents
        self.categories = categories
        self._labels = labels
        self._implies: Mapping[str, list[str]] = documents["systems"]["implies"]

    def mask(self, names: Iterable[str]) -> int:
        # A narrower topic carries the broader ones too: who withholds "mental health" withholds psychiatry.
        mask = 0
        for name in names:
            mask |= self._labels[name] | self.mask(self._implies.get(name, ()))
        return mask

    def codes(self) -> dict[tuple[str, str], CodeEntry]:
        codes: dict[tuple[str, str], CodeEntry] = {}
        for document in self.documents.values():
            for group in document.get("groups", ()):
                category = self.categories[group["category"]] if "category" in group else 0
                entry = CodeEntry(category, self.mask(group["labels"]))
                for system in (document["system"], *document["also"]):
                    codes.update({(system, code): entry for code in group["codes"]})
        act = self.documents["systems"]["act_codes"]
        codes.update({(act["system"], code): _NOTHING for code in act["known"]})
        for code, names in act["labelled"].items():
            codes[act["system"], code] = CodeEntry(0, self.mask(names))
        return codes

    def prefix_tables(self) -> dict[str, PrefixTable]:
        tables = {}
        for document in self.documents.values():
            if "prefixes" in document:
                prefixes = {prefix: self.mask(names) for prefix, names in document["prefixes"].items()}
                table = PrefixTable(re.compile(document["pattern"]), self.mask(document["default"]), prefixes)
                tables.update(dict.fromkeys((document["system"], *document["also"]), table))
        return tables

    def security(self) -> dict[tuple[str, str], int]:
        """meta.security: every sensitivity code adds its bit; restricted and very restricted add bit 31."""
        systems = self.documents["systems"]
        act, secrecy = systems["act_codes"], systems["confidentiality"]
        marks = {(act["security"], name): self.mask([name]) for name in self._labels if name != "UNLABELLED"}
        marks |= {(act["security"], alias): self.mask([name]) for alias, name in act["aliases"].items()}
        marks |= {(secrecy["system"], code): 0 for code in secrecy["not_restricted"]}
        return marks

    def resources(self) -> dict[str, ResourceRule]:
        return {
            kind: ResourceRule(
                category=self.categories[rule.get("category", "other")],
                sensitivities=self.mask(rule.get("labels", ())),
                by_code=rule.get("by_code"),
                by_category=rule.get("by_category", False),
                needs=tuple(rule.get("needs", ())),
                when=tuple(rule.get("when", ())),
                else_when=tuple(rule.get("else_when", ())),
            )
            for kind, rule in self.documents["resources"]["types"].items()
        }

    def keywords(self) -> tuple[Keyword, ...]:
        return tuple(
            Keyword(tuple(phrase.rstrip("*").split()), phrase.endswith("*"), self.mask(group["labels"]))
            for group in self.documents["keywords"]["keywords"]
            for phrase in group["phrases"]
        )


def _bits(table: str) -> dict[str, int]:
    path = files("backend.consent").joinpath("data", f"v{TABLE_VERSION}", f"{table}.json")
    return {row["code"]: 1 << row["bit"] for row in json.loads(path.read_text("utf-8"))["codes"]}


@lru_cache(maxsize=1)
def label_tables() -> LabelTables:
    """Return the current tables; read from the package once."""
    folder = files("backend.records").joinpath("data", f"v{TABLE_VERSION}")
    sources = {item.name: item.read_bytes() for item in folder.iterdir() if item.name.endswith(".json")}
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + len(sources[name]).to_bytes(8, "big") + sources[name])
    documents = {name.removesuffix(".json"): json.loads(sources[name]) for name in sorted(sources)}
    categories, labels = _bits("categories"), _bits("sensitivities")
    build = _Builder(documents, categories, labels)
    resources = documents["resources"]
    return LabelTables(
        version=TABLE_VERSION,
        digest=digest.hexdigest(),
        category_bits=categories,
        sensitivity_bits=labels,
        codes=build.codes(),
        prefix_tables=build.prefix_tables(),
        structural=frozenset(documents["systems"]["structural"]),
        security=build.security(),
        extensions={url: build.mask(names) for url, names in documents["systems"]["extensions"].items()},
        questionnaires={url: build.mask(names) for url, names in resources["questionnaires"].items()},
        resources=build.resources(),
        by_category={
            (system, code): categories[name]
            for system, names in resources["by_category"].items()
            for code, name in names.items()
        },
        category_labels={
            categories[name]: build.mask(names) for name, names in resources["category_labels"].items()
        },
        administrative=frozenset(resources["administrative"]),
        not_words=frozenset(resources["not_words"]),
        coded=frozenset(resources["coded"]),
        keywords=build.keywords(),
        implied={bit: build.mask([name]) for name, bit in labels.items()},
    )

"""Reads the label tables of one version into masks, and joins a deployment's map to them.

A released table is never edited: a change is a new version folder, so that a stored label can be traced to
the table that gave it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from backend.consent.tables import CodeTable, Tables, load_tables
from backend.records.label_map import LabelMap, LabelMapInvalid, read_label_map
from backend.records.label_tables import (
    CodeEntry,
    Keyword,
    LabelTables,
    PrefixTable,
    ResourceRule,
    Secrecy,
)

TABLE_VERSION: Final = 2


@cache
def label_tables() -> LabelTables:
    """Return the published tables; read from the package once."""
    folder = files("backend.records").joinpath("data", f"v{TABLE_VERSION}")
    sources = {item.name: item.read_bytes() for item in folder.iterdir() if item.name.endswith(".json")}
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + len(sources[name]).to_bytes(8, "big") + sources[name])
    documents = {name.removesuffix(".json"): json.loads(sources[name]) for name in sorted(sources)}
    return _tables(_Builder(documents, *bits()), digest.hexdigest())


def bits() -> tuple[dict[str, int], dict[str, int]]:
    """Return the bit of each category and of each sensitivity, as consents use them."""
    published = load_tables()
    return _masks(published.categories), _masks(published.sensitivities)


def tables_with_map(path: Path | None) -> LabelTables:
    """Return the published tables, with the map in ``path`` if there is one. Raises LabelMapInvalid."""
    published = label_tables()
    return published if path is None else join(published, read_map(path))


def read_map(path: Path) -> LabelMap:
    """Return the map in a file. Raises LabelMapInvalid."""
    categories, sensitivities = bits()
    return read_label_map(path, categories=categories, sensitivities=sensitivities)


def tables_digest(codes: Tables, labels: LabelTables) -> str:
    """Return what a decision names: SHA-256, in hex, over the digests (32 bytes each) of the code tables,
    which say what the bits of a consent mean, and of the label tables, which gave data its labels."""
    return hashlib.sha256(bytes.fromhex(codes.digest) + bytes.fromhex(labels.digest)).hexdigest()


def join(published: LabelTables, label_map: LabelMap) -> LabelTables:
    """Return the tables with a map's knowledge added; every label they gave before they still give.

    ``digest`` becomes SHA-256 over the two digests (32 bytes each), the published one first.

    :raises LabelMapInvalid: a mapping states another category than the published table.
    """
    codes = dict(published.codes)
    for number, mapping in enumerate(label_map.mappings):
        known = published.lookup(mapping.system, mapping.code)
        category = published.category_bits[mapping.category] if mapping.category else 0
        if known is not None and known.categories and category and category != known.categories:
            raise LabelMapInvalid(
                "The published tables file this code otherwise.", field=f"mappings[{number}].category"
            )
        mask = 0
        for name in mapping.sensitivities:
            mask |= published.closure(published.sensitivity_bits[name])
        row = f"map/mappings/{number}"
        codes[mapping.system, mapping.code] = (
            CodeEntry(category, mask, row)
            if known is None
            else CodeEntry(known.categories or category, known.sensitivities | mask, f"{known.row} {row}")
        )
    both = bytes.fromhex(published.published) + bytes.fromhex(label_map.digest)
    return replace(published, digest=hashlib.sha256(both).hexdigest(), label_map=label_map, codes=codes)


class _Builder:
    """Turns the files of one version into masks."""

    def __init__(
        self, documents: Mapping[str, Any], categories: Mapping[str, int], labels: Mapping[str, int]
    ):
        self.documents = documents
        self.categories = categories
        self.labels = labels
        self._implies: Mapping[str, list[str]] = documents["systems"]["implies"]

    def mask(self, names: Iterable[str]) -> int:
        # A narrower topic carries the broader ones too: who withholds "mental health" withholds psychiatry.
        mask = 0
        for name in names:
            mask |= self.labels[name] | self.mask(self._implies.get(name, ()))
        return mask

    def codes(self) -> dict[tuple[str, str], CodeEntry]:
        codes: dict[tuple[str, str], CodeEntry] = {}
        for name, document in self.documents.items():
            for number, group in enumerate(document.get("groups", ())):
                category = self.categories[group["category"]] if "category" in group else 0
                entry = CodeEntry(category, self.mask(group["labels"]), f"{name}/groups/{number}")
                for system in (document["system"], *document["also"]):
                    codes.update({(system, code): entry for code in group["codes"]})
        act = self.documents["systems"]["act_codes"]
        known = CodeEntry(0, 0, "systems/act_codes/known")
        codes.update({(act["system"], code): known for code in act["known"]})
        for code, names in act["labelled"].items():
            codes[act["system"], code] = CodeEntry(0, self.mask(names), f"systems/act_codes/labelled/{code}")
        return codes

    def prefix_tables(self) -> dict[str, PrefixTable]:
        tables = {}
        for name, document in self.documents.items():
            if "prefixes" in document:
                prefixes = {
                    prefix: CodeEntry(0, self.mask(names), f"{name}/prefixes/{prefix}")
                    for prefix, names in document["prefixes"].items()
                }
                default = CodeEntry(0, self.mask(document["default"]), f"{name}/default")
                table = PrefixTable(re.compile(document["pattern"]), default, prefixes)
                tables.update(dict.fromkeys((document["system"], *document["also"]), table))
        return tables

    def security(self) -> dict[tuple[str, str], int]:
        """meta.security: every sensitivity code adds its bit; restricted and very restricted add bit 31."""
        systems = self.documents["systems"]
        act, secrecy = systems["act_codes"], systems["confidentiality"]
        marks = {(act["security"], name): self.mask([name]) for name in self.labels if name != "UNLABELLED"}
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
            Keyword(
                tuple(phrase.rstrip("*").split()),
                phrase.endswith("*"),
                self.mask(group["labels"]),
                f"keywords/keywords/{number}",
            )
            for number, group in enumerate(self.documents["keywords"]["keywords"])
            for phrase in group["phrases"]
        )

    def structural(self) -> dict[str, CodeEntry]:
        names = self.documents["systems"]["structural"]
        return {name: CodeEntry(0, 0, f"systems/structural/{number}") for number, name in enumerate(names)}

    def secrecy(self) -> Secrecy:
        table = self.documents["confidentiality"]
        highest = table["highest"]
        return Secrecy(
            system=table["system"],
            levels=tuple(table["levels"]),
            stated=table["stated"],
            default=table["default"],
            sensitive=table["sensitive"],
            highest=highest["level"],
            highest_sensitivities=sum(self.labels[name] for name in highest["labels"]),
            highest_categories=sum(self.categories[name] for name in highest["categories"]),
        )


def _tables(build: _Builder, digest: str) -> LabelTables:
    documents, categories = build.documents, build.categories
    resources = documents["resources"]
    return LabelTables(
        version=TABLE_VERSION,
        published=digest,
        digest=digest,
        label_map=None,
        category_bits=categories,
        sensitivity_bits=build.labels,
        codes=build.codes(),
        prefix_tables=build.prefix_tables(),
        structural=build.structural(),
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
        implied={bit: build.mask([name]) for name, bit in build.labels.items()},
        secrecy=build.secrecy(),
    )


def _masks(table: CodeTable) -> dict[str, int]:
    return {code: 1 << bit for code, bit in table.bits.items()}

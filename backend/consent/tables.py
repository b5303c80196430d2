"""The published code tables: which code is which bit, and the words for it in each language.

A version of the tables is a folder of ``data/`` and never changes once released, because signed summaries
are made of its words. Masks are literal: nothing here expands a code to the codes below it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from backend.consent.errors import UnknownBit, UnknownCode
from backend.consent.table_words import sentences, words_of_codes

LANGUAGES: Final = ("en", "de")
CURRENT_VERSION: Final = 3
_DATA: Final = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table. ``width`` is the size of its masks in bits; ``digest`` the SHA-256 of the file, in hex.

    ``all_bits`` is the mask of every code of this version.
    """

    name: str
    version: int
    digest: str
    width: int
    bits: Mapping[str, int]  # code -> bit, in bit order
    texts: Mapping[str, Mapping[str, str]]  # language -> code -> words
    all_bits: int

    def mask(self, codes: Iterable[str], *, field: str | None = None) -> int:
        """Return the mask of ``codes``. Raise UnknownCode for one that the table does not have."""
        mask = 0
        for code in codes:
            if code not in self.bits:
                raise UnknownCode(
                    f"Table {self.name} version {self.version} has no such code.", field=field or self.name
                )
            mask |= 1 << self.bits[code]
        return mask

    def codes(self, mask: int, *, field: str | None = None) -> tuple[str, ...]:
        """Return the codes of ``mask`` in bit order. Raise UnknownBit for a bit without a code."""
        self.check(mask, field=field)
        return tuple(code for code, bit in self.bits.items() if mask >> bit & 1)

    def check(self, mask: int, *, field: str | None = None) -> None:
        """Raise UnknownBit when ``mask`` has a bit that this version gives no meaning to."""
        if mask < 0 or mask & ~self.all_bits:
            raise UnknownBit(
                f"Table {self.name} version {self.version} does not use every bit that is set.",
                field=field or self.name,
            )

    def words(self, mask: int, language: str, *, field: str | None = None) -> tuple[str, ...]:
        """Return the words for each code of ``mask`` in bit order."""
        texts = self.texts[check_language(language)]
        return tuple(texts[code] for code in self.codes(mask, field=field))


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of one version. ``digest`` covers every file, in the order of their names."""

    version: int
    digest: str
    purposes: CodeTable
    categories: CodeTable
    sensitivities: CodeTable
    actions: CodeTable
    obligations: CodeTable
    powers: CodeTable
    kinds: Mapping[int, str]
    kind_texts: Mapping[str, Mapping[str, str]]  # language -> code -> words
    duo: Mapping[str, Mapping[str, str]]  # language -> code -> words
    phrases: Mapping[str, Mapping[str, str]]  # language -> name of a sentence -> text with {places}


def check_language(language: str, *, field: str = "language") -> str:
    """Return ``language``, or raise UnknownCode when no summaries are published in it."""
    if language not in LANGUAGES:
        raise UnknownCode(f"Summaries are published in {', '.join(LANGUAGES)}.", field=field)
    return language


def published_versions() -> tuple[int, ...]:
    """Return every version there is, oldest first. A verifier accepts a summary made with any of them."""
    return tuple(sorted(int(folder.name[1:]) for folder in _DATA.glob("v[0-9]*")))


@cache
def load_tables(version: int = CURRENT_VERSION) -> Tables:
    """Return the tables of ``version``.

    Raise UnknownCode when there is no such version, and TablesIncomplete when words are missing.
    """
    folder = _DATA / f"v{version}"
    if version not in published_versions():
        raise UnknownCode("There is no such version of the tables.", field="tables")
    files = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    parsed: dict[str, dict[str, Any]] = {name: json.loads(content) for name, content in files.items()}

    def table(name: str) -> CodeTable:
        rows = parsed[name]["codes"]
        return CodeTable(
            name=parsed[name]["table"],
            version=version,
            digest=digests[name],
            width=parsed[name]["bits"],
            bits={row["code"]: row["bit"] for row in rows},
            texts=_texts(name, rows),
            all_bits=sum(1 << row["bit"] for row in rows),
        )

    whole = "".join(f"{name}:{digests[name]}\n" for name in sorted(digests))
    return Tables(
        version=version,
        digest=hashlib.sha256(whole.encode()).hexdigest(),
        purposes=table("purpose_of_use"),
        categories=table("categories"),
        sensitivities=table("sensitivities"),
        actions=table("actions"),
        obligations=table("obligations"),
        powers=table("powers"),
        kinds={row["value"]: row["code"] for row in parsed["kinds"]["codes"]},
        kind_texts=_texts("kinds", parsed["kinds"]["codes"]),
        duo=_texts("duo", parsed["duo"]["codes"]),
        phrases=sentences(parsed["summary"], LANGUAGES),
    )


def _texts(table: str, rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    return {language: words_of_codes(table, rows, language) for language in LANGUAGES}

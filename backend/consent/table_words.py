"""That every code and every sentence of the tables has its words in every language.

Nothing falls back on another language: who signs in German signs German words, or the tables are not loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import OperatorError

_PLACE = re.compile(r"\{(\w+)\}")


class TablesIncomplete(OperatorError):
    """The published tables lack words in one of their languages."""

    code = "tables_incomplete"
    remedy = "Install the program again: its tables are not those that were published."


def words_of_codes(table: str, rows: Sequence[Mapping[str, Any]], language: str) -> dict[str, str]:
    """Return the words of each code. Raise TablesIncomplete, naming the first code without."""
    for row in rows:
        _require_text(row.get(language), f"{table}.{row['code']}.{language}")
    return {row["code"]: row[language] for row in rows}


def sentences(summary: Mapping[str, Any], languages: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the sentences by language and name: the same names, with the same places, in every language.

    Raise TablesIncomplete, naming the first sentence that differs.
    """
    found = {language: dict(summary.get(language) or {}) for language in languages}
    for name in sorted(set().union(*found.values())):
        places = set()
        for language in languages:
            text = _require_text(found[language].get(name), f"summary.{language}.{name}")
            places.add(tuple(sorted(_PLACE.findall(text))))
        if len(places) > 1:
            raise TablesIncomplete("The places differ between the languages.", field=f"summary.{name}")
    return found


def _require_text(text: Any, field: str) -> str:
    if not isinstance(text, str) or not text or text != text.strip():
        raise TablesIncomplete("There are no words.", field=field)
    return text

"""Labels from words: displays, narratives, notes and inline text attachments.

Words can only add labels. They never make an unknown code known, for the sender writes both. The words are
English; a resource that says it is in another language is treated as unknown by ``labels``.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections import defaultdict

from backend.records.label_tables import Keyword, LabelTables

_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"<[^<>]*>")
_STEM = 4  # characters by which open-ended words are found; every such word is longer
_TEXT_MEDIA_TYPES = ("text/", "application/json", "application/xml", "application/xhtml+xml")


class WordLabels:
    """Looks texts up in the keyword table. Remembers what it saw: one serves one document, then goes."""

    def __init__(self, tables: LabelTables) -> None:
        self._exact: dict[str, list[Keyword]] = defaultdict(list)
        self._stems: dict[str, list[Keyword]] = defaultdict(list)
        for keyword in tables.keywords:
            first = keyword.words[0]
            if keyword.open_ended and len(keyword.words) == 1:
                self._stems[first[:_STEM]].append(keyword)
            else:
                self._exact[first].append(keyword)
        self._firsts = frozenset(self._exact)
        self._seen: dict[str, tuple[Keyword, ...]] = {}

    def find(self, text: str) -> tuple[Keyword, ...]:
        """Return the keywords that stand in ``text`` (plain text or XHTML), each once."""
        found = self._seen.get(text)
        if found is None:
            found = self._seen[text] = self._scan(text)
        return found

    def _scan(self, text: str) -> tuple[Keyword, ...]:
        if "<" in text or "&" in text:
            # A tag may part two words or stand within one, so both readings count.
            apart = self._words(html.unescape(_TAG.sub(" ", text)))
            joined = self._words(html.unescape(_TAG.sub("", text)))
            return tuple(dict.fromkeys((*apart, *joined)))
        return tuple(dict.fromkeys(self._words(text)))

    def _words(self, text: str) -> list[Keyword]:
        if not text.isascii():
            # Compatibility forms, accents and invisible characters must not hide a word.
            text = "".join(
                character
                for character in unicodedata.normalize("NFKD", text)
                if unicodedata.category(character) not in {"Mn", "Cf"}
            )
        words = _WORD.findall(text.casefold())
        found: list[Keyword] = []
        if not self._firsts.isdisjoint(words):
            for position, word in enumerate(words):
                for keyword in self._exact.get(word, ()):
                    if _follows(keyword, words, position):
                        found.append(keyword)
        for word in words:
            for keyword in self._stems.get(word[:_STEM], ()):
                if word.startswith(keyword.words[0]):
                    found.append(keyword)
        return found


def _follows(keyword: Keyword, words: list[str], position: int) -> bool:
    found = words[position : position + len(keyword.words)]
    if keyword.open_ended and len(found) == len(keyword.words):
        return tuple(found[:-1]) == keyword.words[:-1] and found[-1].startswith(keyword.words[-1])
    return tuple(found) == keyword.words


def attachment_text(media_type: str, data: str) -> str | None:
    """Return the text of inline base64 content, or None where it cannot be read as text."""
    if not media_type.lower().startswith(_TEXT_MEDIA_TYPES):
        return None
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None

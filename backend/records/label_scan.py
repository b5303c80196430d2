"""What one resource says about itself: the labels of its codes and words, and the codes no table knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from backend.records.fhir_json import JsonObject
from backend.records.label_tables import UNLABELLED, LabelTables
from backend.records.label_text import WordLabels, attachment_text

_QUANTITY = frozenset({"value", "unit", "comparator"})
_WORDS_ONLY = frozenset({"text", "display", "id", "system", "userSelected"})


class Finding(NamedTuple):
    """One reason for a label: what was seen, and the row of the tables that speaks of it.

    ``source``: code, words, tag, security, extension, questionnaire, category, type, unknown. ``system`` and
    ``code`` name what was seen: of words the listed phrase, never the text it stands in.
    """

    source: str
    system: str
    code: str
    row: str
    categories: int
    sensitivities: int


@dataclass(slots=True)
class Scan:
    """Result for one resource: sensitivity mask, what gave it, and the codes that no table knows."""

    sensitivities: int = 0
    found: list[Finding] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    displays: dict[tuple[str, str], str] = field(default_factory=dict)  # of unknown codes that have one

    def add(self, source: str, system: str, code: str, row: str, sensitivities: int) -> None:
        self.sensitivities |= sensitivities
        self.found.append(Finding(source, system, code, row, 0, sensitivities))

    def mark_unknown(self, system: str, code: str, display: object = None) -> None:
        """Restrict: what no table knows may be anything (invariant 5)."""
        self.unknown.append((system, code))
        if isinstance(display, str):
            self.displays.setdefault((system, code), display)
        self.add("unknown", system, code, "", UNLABELLED)


class ResourceScanner:
    """Walks resources of one document, code by code and word by word."""

    def __init__(self, tables: LabelTables) -> None:
        self._tables = tables
        self._words = WordLabels(tables)
        self._not_words = tables.not_words
        self._coded = tables.coded
        self._words_suffice = False
        self._scan = Scan()

    def scan(self, content: JsonObject) -> Scan:
        self._scan = Scan()
        self._words_suffice = content["resourceType"] in self._tables.administrative
        language = content.get("language")
        if language is not None and not str(language).lower().startswith("en"):
            self._scan.mark_unknown("urn:ietf:bcp:47", "language")
        self._attachment(content)
        self._visit(content)
        return self._scan

    def security(self, meta: JsonObject, scan: Scan) -> None:
        """Add to ``scan`` what ``meta.security`` says. A code we do not know restricts."""
        for coding in meta.get("security", ()):
            system, code = coding.get("system", ""), coding.get("code", "")
            mask = self._tables.security.get((system, code), UNLABELLED)
            if mask or system == self._tables.secrecy.system:
                scan.add("security", system, code, "systems", mask)

    def _say(self, text: str) -> None:
        for keyword in self._words.find(text):
            self._scan.add("words", "", keyword.phrase, keyword.row, keyword.sensitivities)

    def _visit(self, node: JsonObject) -> None:
        for key, value in node.items():
            kind = type(value)
            if kind is str:
                if key not in self._not_words:
                    self._say(value)
            elif kind is dict:
                self._element(key, value)
            elif kind is list:
                for item in value:
                    if type(item) is dict:
                        self._element(key, item)
                    elif type(item) is str and key not in self._not_words:
                        self._say(item)

    def _element(self, key: str, node: JsonObject) -> None:
        if "resourceType" in node:  # contained: an insurer need not be coded, a diagnosis must
            outer = self._words_suffice
            self._words_suffice = node["resourceType"] in self._tables.administrative
            self._visit(node)
            self._words_suffice = outer
            return
        if key == "meta":
            self.security(node, self._scan)
            for tag in node.get("tag", ()):  # workflow, not content: it may add, an unknown one says nothing
                self._code("tag", tag.get("system", ""), tag.get("code", ""))
            return
        if "coding" in node and type(node["coding"]) is list:
            self._concept(node["coding"])
            if "text" in node:
                self._say(str(node["text"]))
            for coding in node["coding"]:
                self._visit(coding)
            if len(node) > 2 or (len(node) == 2 and "text" not in node):
                self._visit({name: value for name, value in node.items() if name != "coding"})
            return
        if self._is_coding(key, node):
            self._concept([node])
        elif "contentType" in node or (key in {"attachment", "content", "photo"} and "data" in node):
            self._attachment(node)
        elif "url" in node and key in {"extension", "modifierExtension"}:
            mask = self._tables.extensions.get(node["url"], 0)
            if mask:
                self._scan.add("extension", "", str(node["url"]), "systems/extensions", mask)
            if key == "modifierExtension":  # FHIR: what is not understood may change the meaning of the rest
                self._scan.mark_unknown("modifierExtension", str(node["url"]))
        self._visit(node)

    def _is_coding(self, key: str, node: JsonObject) -> bool:
        """A Coding, or a CodeableConcept of words alone where those do not suffice. Not a Quantity."""
        if type(node.get("code")) is str and _QUANTITY.isdisjoint(node):
            return "system" in node or key in self._coded
        return not self._words_suffice and key in self._coded and bool(node) and node.keys() <= _WORDS_ONLY

    def _concept(self, codings: list[JsonObject]) -> None:
        """One meaning in one or several code systems: known if one of its codes is, labelled by all."""
        known = False
        for coding in codings:
            known |= self._code("code", coding.get("system", ""), coding.get("code", ""))
        if not known:
            for coding in codings or [{}]:
                words = coding.get("display", coding.get("text"))
                self._scan.mark_unknown(coding.get("system", ""), coding.get("code", ""), words)

    def _code(self, source: str, system: str, code: str) -> bool:
        """Add what a code says, and tell whether any table knows it."""
        entry = self._tables.lookup(system, code)
        if entry is None:
            return False
        if entry.sensitivities:
            self._scan.add(source, system, code, entry.row, entry.sensitivities)
        return True

    def _attachment(self, node: JsonObject) -> None:
        """Inline content is read if it is text; what cannot be read is unknown."""
        data = node.get("data")
        if type(data) is not str or ("contentType" not in node and "resourceType" in node):
            return
        text = attachment_text(str(node.get("contentType", "")), data)
        if text is None:
            self._scan.mark_unknown("contentType", str(node.get("contentType", "")))
        else:
            self._say(text)

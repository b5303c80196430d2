"""What de-identification took away or changed, counted by rule."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Any, Final


class Rule(StrEnum):
    """Resources count as one, and so does an element, with all that is in it."""

    OTHER_TYPES = "resources_of_other_types"
    MODIFIED = "resources_with_modifiers"
    NOT_ABOUT = "resources_not_about_the_patient"
    INCOMPLETE = "resources_incomplete_without_what_went"
    MERGED = "patient_resources_merged"
    IDENTIFIERS = "names_numbers_and_contacts"
    PLACES = "addresses_made_coarse"
    TEXTS = "free_texts"
    EXTENSIONS = "extensions"
    ELEMENTS = "other_elements"
    CODES = "codes_of_no_published_list"
    REFERENCES = "references_out_of_the_export"
    DATES_MOVED = "dates_moved"
    DATES = "dates_left_out"
    AGES = "ages_over_89_pooled"


Tally = Counter[Rule]

_IDENTIFIERS: Final = frozenset(
    {"identifier", "name", "telecom", "address", "contact", "photo", "link", "udiCarrier", "endpoint"}
)
_TEXTS: Final = frozenset(
    {
        *("text", "div", "note", "description", "comment", "title", "conclusion", "summary", "display"),
        *("instruction", "patientInstruction", "additionalInstruction", "instantiatesUri", "detail"),
        *("valueString", "valueAttachment", "presentedForm", "onsetString", "abatementString"),
        *("performedString", "occurrenceString", "reasonString", "contained"),
    }
)


def rule_of(element: str, value: Any) -> Rule:
    """The rule by which an element goes that ``elements.RULES`` does not name."""
    if element.startswith("_") or element == "extension":
        return Rule.EXTENSIONS
    if element in _IDENTIFIERS:
        return Rule.IDENTIFIERS
    written = isinstance(value, str) and any(map(str.isspace, value))
    return Rule.TEXTS if element in _TEXTS or written else Rule.ELEMENTS


def held(value: Any) -> int:
    """How many elements a member of a JSON object holds."""
    return len(value) if isinstance(value, list) else 1

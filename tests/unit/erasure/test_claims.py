"""Every collection of the index is erased with a person, or it is said why it holds nothing about one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.adapters.index.erasables import NOTHING_ABOUT_A_PERSON
from backend.erasure.ports import Erasable
from tests.support.erasing import unconnected
from tests.support.memory_keys import MemoryKeyStore

ADAPTERS = Path(__file__).resolve().parents[3] / "backend"
MADE = (
    re.compile(r"database\[\"([a-z_]+)\"\]"),
    re.compile(r"get_collection\(\"([a-z_]+)\""),
    re.compile(r"collection: str = \"([a-z_]+)\""),
    re.compile(r"MongoDeliveryStore\([\w.]+, \"([a-z_]+)\""),
)


class Anything(dict[str, Any]):
    """A database of which any collection can be named; nothing is asked of it."""

    def __missing__(self, name: str) -> str:
        return name


def every() -> Sequence[Erasable]:
    return unconnected(Anything(), MemoryKeyStore())


def made() -> set[str]:
    """Names of all collections that the program makes, from its source."""
    texts = [path.read_text() for path in ADAPTERS.rglob("*.py")]
    return {name for text in texts for pattern in MADE for name in pattern.findall(text)}


def claimed() -> set[str]:
    classes = every()
    return {name for each in classes for name in each.collections}


def test_collections_each_is_claimed_by_a_class_that_is_erased_or_named_with_a_reason() -> None:
    assert {"consents", "mails", "deliveries", "audit_bundles"} <= made()
    assert made() - claimed() - NOTHING_ABOUT_A_PERSON.keys() == set()


def test_reasons_are_given_for_collections_that_there_are_and_are_not_erased() -> None:
    assert NOTHING_ABOUT_A_PERSON.keys() <= made()
    assert claimed().isdisjoint(NOTHING_ABOUT_A_PERSON)
    assert all(reason.strip() for reason in NOTHING_ABOUT_A_PERSON.values())


def test_classes_have_names_of_their_own() -> None:
    classes = every()
    names = [each.name for each in classes]
    assert len(names) == len(set(names))

"""The different values of a member, read without the server's ``distinct``."""

from __future__ import annotations

from typing import Any

from pymongo.collection import Collection


def text_values(collection: Collection[dict[str, Any]], member: str) -> set[str]:
    """Return every text that a member has in some document.

    The embedded index answers ``distinct`` with numbers for texts that look like one ("1234e56", as one in
    some ten thousand hexadecimal ids does), and not at all for one of many digits.
    """
    return {document[member] for document in collection.find({}, {member: 1, "_id": 0})}

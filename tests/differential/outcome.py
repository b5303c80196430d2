"""What an act does: the events it leaves, or the errors of the rules it breaks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """``fields`` are compared with the chain's; a field that is a set of names is an encoded error, one of
    them."""

    name: str
    fields: dict[str, Any]

    def __init__(self, _name: str, /, **fields: Any) -> None:
        object.__setattr__(self, "name", _name)
        object.__setattr__(self, "fields", fields)


class Refused(Exception):
    """The act breaks these rules."""

    def __init__(self, errors: Iterable[str]) -> None:
        super().__init__(", ".join(sorted(errors)))
        self.errors = frozenset(errors)


def refuse(errors: Iterable[str]) -> None:
    if errors:
        raise Refused(errors)

"""One attempt a row: the call, in order in everything but who acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.types import Address
from tests.support.access.world import AccessWorld, Sign


@dataclass(frozen=True)
class Attempt:
    """``named`` are the values that the row's errors speak of.

    ``operation`` is what who may must have scheduled, target and data, if it is not the call itself.
    """

    arguments: tuple[Any, ...]
    named: Mapping[str, Any] = field(default_factory=dict)
    operation: tuple[Address, bytes] | None = None


def attempt(*arguments: Any, **named: Any) -> Attempt:
    return Attempt(arguments, named)


# The world, the column that acts and how it signs: an empty signature where it only sends.
Maker = Callable[[AccessWorld, str, Sign], Attempt]
ATTEMPTS: dict[str, Maker] = {}


def tries(row: str) -> Callable[[Maker], Maker]:
    """Register what makes the attempts of a row."""

    def register(maker: Maker) -> Maker:
        assert row not in ATTEMPTS, row
        ATTEMPTS[row] = maker
        return maker

    return register

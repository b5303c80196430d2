"""``Idempotency-Key`` on routes that make something: a retry with the key gives the answer of the first."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import Header
from pydantic import BaseModel

from backend.api.security import Caller
from backend.idempotency import Attempt

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="any text of your own; a retry with it, by you and with the same body, makes nothing new",
    ),
]


def attempt(
    caller: Caller, act: str, key: str | None, body: BaseModel, *, without: frozenset[str] = frozenset()
) -> AbstractContextManager[Attempt]:
    """Run an act of the caller inside. ``without``: members of the body that hold passwords."""
    return caller.services.idempotency.attempt(
        caller=caller.principal.name,
        act=act,
        key=key,
        request=body.model_dump_json(exclude=set(without)).encode(),
    )

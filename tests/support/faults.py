"""Ports that break on purpose: the k-th call of any method stops the act, before or after it took effect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any


class Crash(BaseException):
    """The end of the process, as far as the act can tell: nothing but the test catches it."""


class Faults:
    """Counts the calls of all wrapped ports; ``at`` is the one that breaks, None lets all through."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._at: int | None = None
        self._after = False
        self._broken = False

    def arm(self, at: int | None, *, after: bool = False) -> None:
        self.calls.clear()
        self._at, self._after, self._broken = at, after, False

    def wrap(self, port: Any, name: str, *, only: Collection[str] | None = None) -> Any:
        """``only``: the methods that break; by default all."""
        return _Breaking(port, name, self, only)

    def call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._broken:
            raise Crash(name)  # a dead process calls nothing any more
        number = len(self.calls)
        self.calls.append(name)
        if number != self._at:
            return method(*args, **kwargs)
        if self._after:
            method(*args, **kwargs)
        self._broken = True
        raise Crash(name)


class _Breaking:
    def __init__(self, port: Any, name: str, faults: Faults, only: Collection[str] | None) -> None:
        self._port = port
        self._name = name
        self._faults = faults
        self._only = only

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._port, attribute)
        if not callable(found) or (self._only is not None and attribute not in self._only):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._faults.call(f"{self._name}.{attribute}", found, *args, **kwargs)

        return call

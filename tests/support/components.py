"""Servers and programs that some tests need and not every machine has."""

from __future__ import annotations

import os

import pytest


def require(found: object, what: str, command: str) -> None:
    """Skip on a user's machine, fail in CI, where a component is missing."""
    if not found:
        reason = f"{what}; get it with: {command}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

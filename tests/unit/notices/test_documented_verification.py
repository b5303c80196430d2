"""The code that docs/integrate.md gives to receivers verifies what we sign, and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.notices import signing

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "integrate.md"
SECRET = signing.secret_of(bytes(32), bytes(32))


@pytest.fixture(scope="module")
def verify() -> Callable[[str, dict[str, str], bytes], None]:
    code = next(
        block
        for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
        if "webhook-signature" in block
    )
    names: dict[str, Any] = {}
    exec(code, names)
    verified: Callable[[str, dict[str, str], bytes], None] = names["verify"]
    return verified


@pytest.mark.parametrize("others", [[], [bytes(32)]])
def test_documented_code_takes_what_we_sign(
    verify: Callable[[str, dict[str, str], bytes], None], others: list[bytes]
) -> None:
    headers = signing.headers("msg_1", int(time.time()), b"{}", [*others, SECRET])
    verify(signing.shown(SECRET), headers, b"{}")


def test_documented_code_refuses_another_body_another_secret_and_an_old_message(
    verify: Callable[[str, dict[str, str], bytes], None],
) -> None:
    now = int(time.time())
    headers = signing.headers("msg_1", now, b"{}", [SECRET])
    for secret, given, body in (
        (SECRET, headers, b"{} "),
        (bytes(32), headers, b"{}"),
        (SECRET, {**headers, "webhook-id": "msg_2"}, b"{}"),
        (SECRET, signing.headers("msg_1", now - 600, b"{}", [SECRET]), b"{}"),
    ):
        with pytest.raises(ValueError, match=r"signature|old"):
            verify(signing.shown(secret), given, body)

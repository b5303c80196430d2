"""The address that users see: what it must be for browsers to sign in there, with wallets and passkeys."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from backend.settings import Settings


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://assent.example",
        "https://assent.example/",
        "https://assent.example:8443",
    ],
)
def test_public_url_of_this_machine_or_with_https_is_taken(url: str) -> None:
    assert Settings(public_url=url).public_url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("assent.example", "write https://NAME"),
        ("ftp://assent.example", "write https://NAME"),
        ("https://", "write https://NAME"),
        ("http://assent.example", "needs https"),
        ("http://10.0.0.7:8000", "needs https"),
        ("http://localhost.example", "needs https"),
        ("https://assent.example/consent", "nothing but scheme, name and port"),
        ("https://user@assent.example", "nothing but scheme, name and port"),
        ("https://assent.example?x=1", "nothing but scheme, name and port"),
        ("https://assent.example:443", "leave out the port 443"),
        ("https://Assent.example", "small letters"),
        ("https://assent.example:x", "Port"),
    ],
)
def test_public_url_that_browsers_do_not_sign_in_at_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Settings(public_url=url)

"""The published example of Standard Webhooks, and every kind of address that must not be called."""

from __future__ import annotations

import base64
from ipaddress import ip_network

import pytest

from backend.notices import signing
from backend.notices.addresses import is_opened, is_permitted, split
from backend.notices.errors import WebhookRefused

INSIDE = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))


def test_signature_is_that_of_the_specifications_example() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_give_two_signatures_newest_first() -> None:
    new, old = bytes(32), bytes([1]) * 32
    both = signing.headers("msg_1", 1, b"{}", [new, old])["webhook-signature"]
    each = [signing.headers("msg_1", 1, b"{}", [one])["webhook-signature"] for one in (new, old)]
    assert both == " ".join(each)


def test_secret_depends_on_key_and_salt_and_has_the_standard_form() -> None:
    secret = signing.secret_of(bytes(32), bytes(32))
    others = (signing.secret_of(b"\1" * 32, bytes(32)), signing.secret_of(bytes(32), b"\1" * 32))
    assert secret not in others
    shown = signing.shown(secret)
    assert shown.startswith("whsec_")
    assert base64.b64decode(shown.removeprefix("whsec_")) == secret


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::1",
        "2001:0:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_permitted(address, ())


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9"])
def test_public_address_is_permitted_and_not_by_plain_http(address: str) -> None:
    assert is_permitted(address, ())
    assert not is_opened(address, INSIDE)


def test_network_that_the_operator_opened_is_permitted_and_no_other() -> None:
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"):
        assert is_permitted(address, INSIDE)
        assert is_opened(address, INSIDE)
    for address in ("10.2.0.1", "fd00:2::1", "127.0.0.1"):
        assert not is_permitted(address, INSIDE)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org/", "file:///etc/passwd", "https://", "https:///x",
        "https://user@example.org/", "https://a:b@example.org/", "https://@example.org/",
        "https://example.org/#x", "https://example.org:99999/", "https://[::1/", "https://exa mple.org/",
        "https://example.org/\r\nHost: x", "https://bücher.example/", "https://example.org/" + "a" * 2000,
    ],
)  # fmt: skip
def test_url_that_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(WebhookRefused):
        split(url)


def test_url_is_split_with_its_usual_port() -> None:
    assert split("https://example.org/a?b=c") == ("https", "example.org", 443, "/a?b=c")
    assert split("http://[::1]:8080") == ("http", "::1", 8080, "/")

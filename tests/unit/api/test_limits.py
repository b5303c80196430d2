"""Limits by address: whose address counts, how they are counted, and when to try again."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from backend.api.limits import AddressLimits, Allowance, Limited
from backend.identity.errors import AddressLimited
from backend.settings import Settings

PROXY = "10.0.0.5"


class Clock:
    now = 1_800_000_000

    def __call__(self) -> int:
        return self.now


def limits(clock: Clock, *trusted: str, allowed: int = 1) -> AddressLimits:
    allowance = Allowance(
        sign_ins=allowed, challenges=allowed, refreshes=allowed, drafts=allowed, rpc_calls=allowed
    )
    return AddressLimits(allowance, trusted_proxies=[ip_network(text) for text in trusted], clock=clock)


def are_one_client(limited: AddressLimits, first: tuple[str, str], second: tuple[str, str]) -> bool:
    limited.spend(Limited.STAFF, peer=first[0], forwarded=first[1])
    try:
        limited.spend(Limited.STAFF, peer=second[0], forwarded=second[1])
    except AddressLimited:
        return True
    return False


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        (("192.0.2.1", ""), ("192.0.2.1", ""), True),
        (("192.0.2.1", ""), ("192.0.2.2", ""), False),
        # A header of somebody who is no trusted proxy is that one's own word.
        (("192.0.2.1", "198.51.100.1"), ("192.0.2.1", "198.51.100.2"), True),
        ((PROXY, "198.51.100.1"), (PROXY, "198.51.100.2"), False),
        ((PROXY, "198.51.100.1"), ("198.51.100.1", ""), True),
        # What the client wrote itself stands left of what the proxy saw.
        ((PROXY, "203.0.113.1, 198.51.100.1"), (PROXY, "203.0.113.2,198.51.100.1"), True),
        # Two proxies in a row.
        ((PROXY, "198.51.100.1, 10.0.0.6"), (PROXY, "198.51.100.2, 10.0.0.6"), False),
        ((PROXY, "nonsense"), (PROXY, "other nonsense"), True),
        ((PROXY, ""), (PROXY, "198.51.100.1"), False),
        # An IPv6 site draws from its /64 as it likes.
        (("2001:db8::1", ""), ("2001:db8::ffff", ""), True),
        (("2001:db8::1", ""), ("2001:db8:0:1::1", ""), False),
        (("::ffff:192.0.2.1", ""), ("192.0.2.1", ""), True),
        (("unknown", ""), ("", ""), True),
    ],
)
def test_calls_are_counted_by_the_address_that_is_nobodys_word(
    first: tuple[str, str], second: tuple[str, str], one: bool
) -> None:
    assert are_one_client(limits(Clock(), "10.0.0.0/24"), first, second) is one


def test_each_kind_is_counted_by_itself() -> None:
    limited = limits(Clock())
    for what in Limited:
        limited.spend(what, peer="192.0.2.1", forwarded="")
    for what in Limited:
        with pytest.raises(AddressLimited):
            limited.spend(what, peer="192.0.2.1", forwarded="")


def test_refusal_says_when_the_next_window_begins() -> None:
    clock = Clock()
    clock.now += 60 - clock.now % 60 + 18
    limited = limits(clock, allowed=2)
    for _ in range(2):
        limited.spend(Limited.DRAFT, peer="192.0.2.1", forwarded="")
    with pytest.raises(AddressLimited) as refusal:
        limited.spend(Limited.DRAFT, peer="192.0.2.1", forwarded="")
    assert refusal.value.retry_after_seconds == 42
    clock.now += 42
    limited.spend(Limited.DRAFT, peer="192.0.2.1", forwarded="")


def test_memory_is_bounded_however_many_addresses_come() -> None:
    limited = limits(Clock())
    counted = limited._counts[Limited.STAFF]
    for number in range(50_100):
        limited.spend(
            Limited.STAFF, peer=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", forwarded=""
        )
    assert len(counted._counts) == 50_000


def test_setting_of_trusted_proxies_takes_addresses_and_networks_and_names_what_it_does_not_take() -> None:
    settings = Settings(trusted_proxies="10.0.0.5, 2001:db8::/32,")
    assert [str(network) for network in settings.trusted_proxy_networks] == ["10.0.0.5/32", "2001:db8::/32"]
    assert Settings().trusted_proxy_networks == ()
    with pytest.raises(ValueError, match="proxy"):
        Settings(trusted_proxies="proxy.example")

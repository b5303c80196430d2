"""Bounds on how often one network address signs in or asks for drafts.

A bound on work, kept in memory, generous enough for a hospital behind one address. Nothing that stops a
consent comes here (invariant 3): no revocation and none of their drafts, no draft of a deny or of a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, Protocol

from fastapi import Depends, Request

from backend.identity.errors import AddressLimited
from backend.identity.rate_limit import RateLimit

Network = IPv4Network | IPv6Network
_FORWARDED: Final = "x-forwarded-for"
_UNKNOWN: Final = "unknown"
_SITE_BITS: Final = 64  # of an IPv6 address: what one site has, and can draw from as it likes


class Limited(StrEnum):
    """What is counted, each by itself, so that a flood of one leaves the others alone."""

    STAFF = "staff"
    WALLET = "wallet"
    CLIENT = "client"
    CHALLENGE = "challenge"
    REFRESH = "refresh"
    DRAFT = "draft"
    INTROSPECTION = "introspection"
    RPC = "rpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Calls a minute from one address."""

    sign_ins: int
    challenges: int
    refreshes: int
    drafts: int
    rpc_calls: int

    def of(self, what: Limited) -> int:
        match what:
            case Limited.STAFF | Limited.WALLET | Limited.CLIENT:
                return self.sign_ins
            case Limited.CHALLENGE:
                return self.challenges
            case Limited.REFRESH | Limited.INTROSPECTION:
                return self.refreshes
            case Limited.DRAFT:
                return self.drafts
            case Limited.RPC:
                return self.rpc_calls


class AddressLimits:
    """``trusted_proxies``: whose ``X-Forwarded-For`` is believed; everybody else's is ignored."""

    def __init__(
        self, allowance: Allowance, *, trusted_proxies: Sequence[Network], clock: Callable[[], int]
    ) -> None:
        self._trusted = tuple(trusted_proxies)
        self._counts = {
            what: RateLimit(limit=allowance.of(what), clock=clock, refusal=AddressLimited) for what in Limited
        }

    def spend(self, what: Limited, *, peer: str, forwarded: str) -> None:
        """Count a call of the client behind ``peer``. Raises AddressLimited, which says when to try again."""
        self._counts[what].spend(self._client(peer, forwarded))

    def _client(self, peer: str, forwarded: str) -> str:
        """Return the nearest address that is not a trusted proxy's; of IPv6 the network."""
        address = _address(peer)
        # Each proxy appends whom it talked to, so what lies left of the first stranger is that one's word.
        for text in reversed(forwarded.split(",")):
            if address is None or not any(address in network for network in self._trusted):
                break
            before = _address(text.strip())
            if before is None:
                break
            address = before
        if address is None:
            return _UNKNOWN
        if isinstance(address, IPv6Address):
            return str(ip_network((address, _SITE_BITS), strict=False))
        return str(address)


class Spend(Protocol):
    def __call__(self, what: Limited) -> None:
        """Count this request; raises AddressLimited."""
        ...


async def spend_of(request: Request) -> Spend:
    # 'async', so that it costs no hop to a worker thread.
    limits: AddressLimits = request.app.state.services.limits
    peer = _UNKNOWN if request.client is None else request.client.host
    forwarded = ",".join(request.headers.getlist(_FORWARDED))

    def spend(what: Limited) -> None:
        limits.spend(what, peer=peer, forwarded=forwarded)

    return spend


Spending = Annotated[Spend, Depends(spend_of)]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address

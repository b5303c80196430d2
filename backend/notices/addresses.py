"""Which addresses a message may go to. An endpoint is somebody else's wish: without this, whoever registers
one could have the service call the databases, metadata services and printers beside it (SSRF).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from backend.notices.errors import WebhookRefused

MAX_URL_CHARACTERS: Final = 2_000
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# Each carries an IPv4 address that a gateway may unpack: NAT64 (RFC 6052, 8215), 6to4, Teredo.
_CARRIERS: Final = tuple(
    ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)


def is_permitted(text: str, opened: Sequence[Network]) -> bool:
    """Whether the address is on the public internet or in a network that the operator opened."""
    address = _plain(text)
    return _is_within(address, opened) or (
        address.is_global and not address.is_multicast and not _is_within(address, _CARRIERS)
    )


def is_opened(text: str, opened: Sequence[Network]) -> bool:
    """Whether the operator opened the address, for plain http too."""
    return _is_within(_plain(text), opened)


def split(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and target of an endpoint's URL. Raises WebhookRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as failure:
        raise WebhookRefused("This is no URL.", field="url") from failure
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise WebhookRefused("At most 2000 characters, printable ASCII.", field="url")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise WebhookRefused("An https URL with a host is needed.", field="url")
    if "@" in parts.netloc or parts.fragment:
        raise WebhookRefused("No user, password or fragment.", field="url")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), target


def _plain(text: str) -> Address:
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)

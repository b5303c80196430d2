"""What signing in at a provider needs of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class ProviderLink(Protocol):
    """One provider over HTTP, each call bounded in time and size. No redirect is followed."""

    def document(self, url: str) -> Mapping[str, Any]:
        """Return the JSON object at ``url``. Raises OpenIdProviderUnavailable."""
        ...

    def redeem(self, endpoint: str, *, code: str, verifier: str, redirect_uri: str) -> str:
        """Return the ID token that a code is exchanged for (OpenID Connect Core, 3.1.3).

        Raises OpenIdCodeRefused when the provider says no, OpenIdProviderUnavailable when it does not answer.
        """
        ...

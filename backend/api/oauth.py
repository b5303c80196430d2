"""OAuth2 for providers' systems: client credentials (RFC 6749), introspection (RFC 7662), keys (RFC 7517)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from backend.api.limits import Limited, Spending
from backend.api.security import Caller, Open, needs
from backend.api.wallets import Tokens, tokens
from backend.errors import InvalidInput
from backend.identity.client_assertion import ASSERTION_TYPE
from backend.identity.errors import ClientRefused

router = APIRouter(tags=["sign-in"])
_BASIC = HTTPBasic(auto_error=False)


@router.post("/oauth2/token", response_model=Tokens)
def token(
    services: Open,
    spend: Spending,
    grant_type: Annotated[Literal["client_credentials", "refresh_token"], Form()],
    basic: Annotated[HTTPBasicCredentials | None, Depends(_BASIC)],
    client_id: Annotated[str | None, Form(max_length=200)] = None,
    client_secret: Annotated[str | None, Form(max_length=200)] = None,
    client_assertion_type: Annotated[str | None, Form(max_length=200, description=ASSERTION_TYPE)] = None,
    client_assertion: Annotated[str | None, Form(max_length=8192, description="a JWT, RFC 7523")] = None,
    refresh_token: Annotated[str | None, Form(max_length=200)] = None,
    scope: Annotated[str | None, Form(max_length=1000)] = None,
) -> Tokens:
    """Get an access token with client id and secret, by HTTP Basic or in the form, or with an assertion
    that the client signed (``private_key_jwt``)."""
    spend(Limited.REFRESH if grant_type == "refresh_token" else Limited.CLIENT)
    if grant_type == "refresh_token":
        if refresh_token is None:
            raise InvalidInput("A refresh token is needed.", field="refresh_token")
        return tokens(services.identity.refresh(refresh_token))
    if client_assertion is not None or client_assertion_type is not None:
        # One proof only (RFC 6749, 2.3): of two, it would not be clear which one the caller relied on.
        if client_assertion_type != ASSERTION_TYPE or client_assertion is None or basic or client_secret:
            raise ClientRefused
        return tokens(services.identity.sign_in_assertion(client_assertion, client_id=client_id, scope=scope))
    name = basic.username if basic is not None else client_id
    secret = basic.password if basic is not None else client_secret
    if name is None or secret is None:
        raise ClientRefused
    return tokens(services.identity.sign_in_client(name, secret, scope=scope))


@router.post("/oauth2/introspect")
def introspect(
    caller: Annotated[Caller, Depends(needs())],
    token: Annotated[str, Form(max_length=8192)],
) -> dict[str, Any]:
    """Whether a token is active now. A token never permits by itself: reads decide again."""
    return caller.services.identity.introspect(token, by=caller.principal)


@router.get("/.well-known/jwks.json")
def keys(services: Open) -> dict[str, Any]:
    """The keys that access tokens are signed with."""
    return services.identity.jwks()

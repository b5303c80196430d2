"""Signing in at an identity provider (OpenID Connect): what is offered, beginning, finishing, signing out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.schemas import Body
from backend.api.security import Open
from backend.api.wallets import Tokens, tokens

router = APIRouter(prefix="/v1/auth/openid", tags=["sign-in"])


class OpenIdOffer(BaseModel):
    offered: bool
    name: str | None = Field(description="of the provider, for people; null where none is offered")


class BeginBody(Body):
    code_challenge: str = Field(
        pattern=r"^[A-Za-z0-9_-]{43}$", description="S256 of a secret that the browser keeps (RFC 7636)"
    )


class Beginning(BaseModel):
    address: str = Field(description="the provider's page, where the browser goes")
    state: str = Field(description="the browser has to come back with it; good once, for ten minutes")


class FinishBody(Body):
    code: str = Field(pattern=r"^[ -~]{1,2000}$")
    state: str = Field(min_length=1, max_length=200)
    code_verifier: str = Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$")
    iss: str | None = Field(default=None, max_length=500, description="as the provider sent it (RFC 9207)")


class OpenIdTokens(Tokens):
    username: str = Field(description="what the account is called here")


class SignOutPage(BaseModel):
    address: str | None = Field(
        description="where to sign out at the provider too; null: it has no such page"
    )


@router.get("", response_model=OpenIdOffer)
def offer(services: Open) -> OpenIdOffer:
    """Whether staff can sign in at an identity provider, and what it is called."""
    openid = services.identity.openid
    return OpenIdOffer(offered=openid is not None, name=None if openid is None else openid.terms.name)


@router.post("/begin", response_model=Beginning)
def begin(body: BeginBody, services: Open, spend: Spending) -> Beginning:
    """Begin a sign-in: where the browser goes (authorization code with PKCE)."""
    spend(Limited.CHALLENGE)
    begun = services.identity.require_openid().begin(body.code_challenge)
    return Beginning(address=begun.address, state=begun.state)


@router.post("/finish", response_model=OpenIdTokens)
def finish(body: FinishBody, services: Open, spend: Spending) -> OpenIdTokens:
    """Finish a sign-in with what the provider sent the browser back with. The service itself exchanges the
    code; the answer is a session of this service, and no token of the provider is handed on."""
    spend(Limited.STAFF)
    signed_in = services.identity.require_openid().finish(
        code=body.code, state=body.state, code_verifier=body.code_verifier, issuer=body.iss
    )
    return OpenIdTokens(**tokens(signed_in.pair).model_dump(), username=signed_in.account.username)


@router.get("/sign-out", response_model=SignOutPage)
def sign_out_page(services: Open, spend: Spending) -> SignOutPage:
    """Where a person signs out at the provider too, who is still signed in there after signing out here."""
    spend(Limited.CHALLENGE)
    return SignOutPage(address=services.identity.require_openid().end_session_address())


@router.post("/back-channel-logout", response_class=Response)
def back_channel_logout(
    services: Open, spend: Spending, logout_token: Annotated[str, Form(min_length=1, max_length=32_768)]
) -> Response:
    """End all sessions of a person; called by the provider (OpenID Connect Back-Channel Logout 1.0)."""
    spend(Limited.CLIENT)
    services.identity.require_openid().log_out(logout_token)
    return Response()

"""Signing in: wallets by EIP-4361, staff by password; refreshing and signing out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.schemas import AccountText, Body, HexSignature, account
from backend.api.security import Caller, Open, needs
from backend.identity.types import TokenPair

router = APIRouter(prefix="/v1/auth", tags=["sign-in"])


class ChallengeBody(Body):
    account: AccountText


class Challenge(BaseModel):
    message: str = Field(description="EIP-4361 message for personal_sign")
    nonce: str


class WalletBody(Body):
    message: str = Field(max_length=4096)
    signature: HexSignature


class StaffBody(Body):
    username: str = Field(max_length=64)
    password: str = Field(max_length=1024)


class PasswordBody(Body):
    old: str = Field(max_length=1024)
    new: str = Field(min_length=1, max_length=1024)


class RefreshBody(Body):
    refresh_token: str = Field(max_length=200)


class Tokens(BaseModel):
    """As RFC 6749, section 5.1."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the type, not a token
    expires_in: int = Field(description="seconds")
    refresh_token: str | None
    scope: str


@router.post("/wallet/challenge", response_model=Challenge)
def challenge(body: ChallengeBody, services: Open, spend: Spending) -> Challenge:
    """Get a sign-in message with a fresh nonce, good once and for five minutes."""
    spend(Limited.CHALLENGE)
    message, nonce = services.identity.wallet_challenge(account(body.account, field="account"))
    return Challenge(message=message, nonce=nonce)


@router.post("/wallet", response_model=Tokens)
def sign_in_wallet(body: WalletBody, services: Open, spend: Spending) -> Tokens:
    """Sign in with a wallet."""
    spend(Limited.WALLET)
    return tokens(services.identity.sign_in_wallet(body.message, bytes.fromhex(body.signature[2:])))


@router.post("/staff", response_model=Tokens)
def sign_in_staff(body: StaffBody, services: Open, spend: Spending) -> Tokens:
    """Sign in with a staff account. Five failures lock the account for fifteen minutes."""
    spend(Limited.STAFF)
    return tokens(services.identity.sign_in_staff(body.username, body.password))


@router.post("/refresh", response_model=Tokens)
def refresh(body: RefreshBody, services: Open, spend: Spending) -> Tokens:
    """Get new tokens. The old refresh token is spent; using it again ends the session."""
    spend(Limited.REFRESH)
    return tokens(services.identity.refresh(body.refresh_token))


@router.put("/password", status_code=204, response_class=Response)
def change_password(
    body: PasswordBody, caller: Annotated[Caller, Depends(needs())], spend: Spending
) -> Response:
    """Set your own password as staff; the old one proves it is you. All your sessions end. Wrong old
    passwords count as failures to sign in."""
    spend(Limited.STAFF)
    caller.services.identity.change_own_password(caller.principal, old=body.old, new=body.new)
    return Response(status_code=204)


@router.post("/staff/account/challenge", response_model=Challenge)
def link_challenge(
    body: ChallengeBody, caller: Annotated[Caller, Depends(needs())], spend: Spending
) -> Challenge:
    """Get the message that links a wallet to your staff account, for witnesses."""
    spend(Limited.CHALLENGE)
    services, principal = caller
    message, nonce = services.identity.link_challenge(principal, account(body.account, field="account"))
    return Challenge(message=message, nonce=nonce)


@router.put("/staff/account", status_code=204, response_class=Response)
def link_account(body: WalletBody, caller: Annotated[Caller, Depends(needs())], spend: Spending) -> Response:
    """Link the wallet that signed the challenge to your staff account. All your sessions end."""
    spend(Limited.WALLET)
    services, principal = caller
    services.identity.link_account(principal, body.message, bytes.fromhex(body.signature[2:]))
    return Response(status_code=204)


@router.post("/sign-out", status_code=204, response_class=Response)
def sign_out(caller: Annotated[Caller, Depends(needs())]) -> Response:
    """End the session: its access and refresh tokens stop working."""
    caller.services.identity.sign_out(caller.principal)
    return Response(status_code=204)


def tokens(pair: TokenPair) -> Tokens:
    return Tokens(
        access_token=pair.access_token,
        expires_in=pair.expires_in_seconds,
        refresh_token=pair.refresh_token,
        scope=" ".join(sorted(pair.scopes)),
    )

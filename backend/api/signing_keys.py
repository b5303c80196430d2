"""Rotation of the keys that sign access tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.schemas import Body
from backend.api.security import Caller, needs
from backend.identity.roles import Scope

router = APIRouter(prefix="/v1/signing-keys", tags=["participants and accounts"])


class KeyRotationBody(Body):
    compromised: bool = Field(
        default=False, description="somebody else may hold the key: refuse at once all tokens it signed"
    )


class SigningKeyView(BaseModel):
    key_id: str = Field(description="kid of the new key; GET /.well-known/jwks.json publishes it")


@router.post("", status_code=201, response_model=SigningKeyView)
def rotate_signing_key(
    body: KeyRotationBody, caller: Annotated[Caller, Depends(needs(Scope.ACCOUNT_MANAGE))]
) -> SigningKeyView:
    """Make the next key. It signs in ten minutes, so that others know it by then; while it waits, a retry
    gives the same one. ``compromised``: it signs at once, and everybody, you too, has to sign in again."""
    services, principal = caller
    return SigningKeyView(
        key_id=services.identity.ring.rotate(by=principal.name, compromised=body.compromised)
    )

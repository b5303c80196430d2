"""OAuth2 for providers' systems: client credentials (RFC 6749) with the parameters of IHE IUA, introspection
(RFC 7662), revocation (RFC 7009), metadata (RFC 8414), keys (RFC 7517)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Response

from backend.api.client_proof import ClientProof, Introspecting, Proof
from backend.api.limits import Limited, Spending
from backend.api.schemas import subject_id
from backend.api.security import Open
from backend.api.services import Services
from backend.api.wallets import Tokens, tokens
from backend.errors import InvalidInput
from backend.identity.bound_claims import ACT_REASON
from backend.identity.client_assertion import ALGORITHMS
from backend.identity.errors import ClientRefused
from backend.identity.roles import Scope
from backend.identity.services import Identity
from backend.identity.types import Client, TokenPair
from backend.interop.consent_tokens.service import Wish
from backend.types import SubjectId

router = APIRouter(tags=["sign-in"])
_SUBJECT: Final = re.compile(r"0x[0-9a-f]{24}\Z")
_RESOURCE: Final = re.compile(r"https?://[\x21\x24-\x7e]+\Z")  # absolute, without fragment (RFC 8707, 2)
EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type
_METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")


class ExchangedTokens(Tokens):
    """As RFC 8693, section 2.2.1."""

    issued_token_type: str = ACCESS_TOKEN_TYPE


@router.post("/oauth2/token", response_model=ExchangedTokens | Tokens)
def token(
    services: Open,
    spend: Spending,
    proof: Proof,
    grant_type: Annotated[
        Literal[
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        Form(),
    ],
    refresh_token: Annotated[str | None, Form(max_length=200)] = None,
    subject_token: Annotated[
        str | None,
        Form(max_length=32_768, description="the system's access token of the identity provider (RFC 8693)"),
    ] = None,
    subject_token_type: Annotated[
        Literal["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"]
        | None,
        Form(),
    ] = None,
    scope: Annotated[str | None, Form(max_length=1000)] = None,
    purpose_of_use: Annotated[
        str | None, Form(max_length=200, description=f"HL7 v3 PurposeOfUse code, or {ACT_REASON}|code")
    ] = None,
    person_id: Annotated[
        str | None, Form(max_length=256, description="the patient, by patient_ref or subject")
    ] = None,
    resource: Annotated[
        str | None, Form(max_length=500, description="the server outside that the token is for")
    ] = None,
) -> Tokens:
    """Get an access token with client id and secret, by HTTP Basic or in the form, or with an assertion
    that the client signed (``private_key_jwt``); or for an access token that the service's identity provider
    gave the system (token exchange). With ``person_id`` and ``purpose_of_use`` it is bound to
    that patient's consents (IHE ITI-71 with PCF); without consent the answer is 403, whatever the reason."""
    spend(Limited.REFRESH if grant_type == "refresh_token" else Limited.CLIENT)
    if grant_type == "refresh_token":
        if refresh_token is None:
            raise InvalidInput("A refresh token is needed.", field="refresh_token")
        return tokens(services.identity.refresh(refresh_token))
    exchanged = grant_type == EXCHANGE
    identity = services.identity
    client = (
        _exchanged(identity, proof, subject_token, subject_token_type)
        if exchanged
        else proof.client(identity)
    )
    pair = _started(services, client, person_id, purpose_of_use, resource, scope)
    answer = tokens(pair)
    return ExchangedTokens(**answer.model_dump()) if exchanged else answer


def _started(
    services: Services,
    client: Client,
    person_id: str | None,
    purpose_of_use: str | None,
    resource: str | None,
    scope: str | None,
) -> TokenPair:
    if person_id is None and purpose_of_use is None and resource is None:
        return services.identity.clients.start(client, scope=scope)
    if person_id is None or purpose_of_use is None:
        raise InvalidInput(
            "A patient and a purpose belong together.",
            field="person_id" if person_id is None else "purpose_of_use",
        )
    if resource is not None and not _RESOURCE.match(resource):
        raise InvalidInput("An absolute http or https URI without fragment.", field="resource")
    wish = Wish(
        subject=_patient(services.identity, client, person_id),
        purpose=purpose_of_use.removeprefix(f"{ACT_REASON}|"),
        scope=scope,
        resource=resource,
    )
    return services.consent_tokens.issue(client, wish)


def _exchanged(identity: Identity, proof: ClientProof, token: str | None, token_type: str | None) -> Client:
    if proof.is_there:
        raise ClientRefused  # of two proofs it would not be clear which one the caller relied on
    if token is None or token_type is None:
        missing = "subject_token" if token is None else "subject_token_type"
        raise InvalidInput("A token to exchange is needed, with its type.", field=missing)
    return identity.require_openid().system(token)


def _patient(identity: Identity, client: Client, person_id: str) -> SubjectId:
    if _SUBJECT.match(person_id):
        return subject_id(person_id)
    return identity.references.resolve(client.member_id, person_id)


@router.post("/oauth2/introspect")
def introspect(
    services: Open, asker: Introspecting, token: Annotated[str, Form(max_length=8192)]
) -> dict[str, Any]:
    """Whether a token is active now, asked with an access token or as a client. A token never permits by
    itself: reads decide again. One bound to consents is decided about here too, and the answer has what is
    permitted now; for a client with ``tokens:introspect``, its holder, operators and auditors."""
    return services.consent_tokens.introspect(token, by=asker.asking, agent=asker.agent)


@router.post("/oauth2/revoke", response_class=Response)
def revoke(
    services: Open, spend: Spending, proof: Proof, token: Annotated[str, Form(max_length=8192)]
) -> Response:
    """End a token of the client's own. The answer is the same for every other token."""
    spend(Limited.INTROSPECTION)
    services.identity.revoke(token, by=proof.client(services.identity))
    return Response()


@router.get("/.well-known/oauth-authorization-server")
def metadata(services: Open) -> dict[str, Any]:
    """What this authorization server offers, and where."""
    issuer = services.identity.tokens.issuer
    methods = {
        f"{endpoint}_endpoint_auth_methods_supported": list(_METHODS)
        for endpoint in ("token", "introspection", "revocation")
    }
    algorithms = {
        f"{endpoint}_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS)
        for endpoint in ("token", "introspection", "revocation")
    }
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth2/token",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": [
            *("client_credentials", "refresh_token"),
            *([EXCHANGE] if services.identity.openid is not None else []),
        ],
        "response_types_supported": [],
        "scopes_supported": sorted(Scope),
        "access_token_format": "ihe-jwt",
        **methods,
        **algorithms,
    }


@router.get("/.well-known/jwks.json")
def keys(services: Open) -> dict[str, Any]:
    """The keys that access tokens are signed with."""
    return services.identity.jwks()

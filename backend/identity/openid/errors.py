"""Errors of signing in at an identity provider. None repeats what a provider or a token said."""

from __future__ import annotations

from backend.errors import Conflict, NotAuthenticated, NotFound, NotPermitted, OperatorError, Unavailable


class OpenIdNotOffered(NotFound):
    code = "openid_not_offered"
    remedy = "This service has no identity provider. Sign in with user name and password, or a client secret."


class OpenIdStateRefused(NotAuthenticated):
    """Not begun here, begun more than ten minutes ago, or answered before."""

    code = "openid_state_refused"
    remedy = "Begin again on the page of this service: each sign-in at the provider serves once."


class OpenIdCodeRefused(NotAuthenticated):
    """The provider does not know the code: used, too old, or for another sign-in."""

    code = "openid_code_refused"
    remedy = "Sign in again. If it stays so, the operator checks client id, secret and redirect URI."


class OpenIdTokenInvalid(NotAuthenticated):
    """Signature, key, algorithm, issuer, audience, type or times of the provider's token do not hold."""

    code = "openid_token_invalid"
    remedy = "Get a fresh token of the provider for this service. docs/openid.md lists what is checked."


class OpenIdNoRole(NotPermitted):
    """The provider knows them; no line of the mapping gives them a role here."""

    code = "openid_no_role"
    remedy = "Ask those who manage your identity provider for a role that this service knows."


class OpenIdSeveralOrganisations(NotPermitted):
    """Lines of the mapping that apply name different organisations; an account acts for one."""

    code = "openid_several_organisations"
    remedy = "Have the identity provider give you roles of one organisation only."


class OpenIdAccountClosed(NotPermitted):
    """The provider vouches for them, and an operator here closed the account."""

    code = "openid_account_closed"
    remedy = "An operator of this service closed the account, and can open it again."


class OpenIdSystemUnknown(NotPermitted):
    code = "openid_system_unknown"
    remedy = "Have the operator add the system to the mapping: client and subject as its token has them."


class ManagedByProvider(Conflict):
    """A password, roles or a secret for an account that an identity provider vouches for."""

    code = "managed_by_provider"
    remedy = "Change it at the identity provider. Here the account can be closed, and opened again."


class OpenIdProviderUnavailable(Unavailable):
    """The identity provider did not answer, or not as one does. Nobody was refused."""

    code = "openid_provider_unavailable"
    remedy = "Try again shortly, or sign in with user name and password. Sessions that are open go on."


class OpenIdMappingInvalid(OperatorError):
    code = "openid_mapping_invalid"
    remedy = "Correct the file that ASSENT_OPENID_MAPPING names: docs/openid.md has an example."

"""Builds what signs in with an identity provider, where the settings name one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from backend.adapters.openid_link import HttpProviderLink
from backend.errors import OperatorError
from backend.identity.clients import Clients
from backend.identity.nonces import Nonces
from backend.identity.openid.errors import OpenIdMappingInvalid
from backend.identity.openid.mapping import RoleMapping, read_mapping
from backend.identity.openid.provider import Provider
from backend.identity.openid.sign_in import STATE_PURPOSE, STATE_SECONDS, OpenIdSignIn, OpenIdTerms
from backend.identity.openid.verifying import ProviderTokens
from backend.identity.ports import IdentityAudit, SingleUse
from backend.identity.staff import StaffAccounts
from backend.keystore import KeyStore
from backend.settings import Settings
from backend.types import MemberId

CALLBACK = "/app/openid"


class OpenIdSettingsWrong(OperatorError):
    """A file that the settings of the identity provider name cannot be used."""

    code = "openid_settings_wrong"
    remedy = "Correct the named setting: docs/openid.md. Without ASSENT_OPENID_ISSUER no provider is asked."


def open_openid(
    settings: Settings,
    *,
    custodian: MemberId,
    keys: KeyStore,
    used: SingleUse,
    staff: StaffAccounts,
    clients: Clients,
    audit: IdentityAudit,
    closing: ExitStack,
    clock: Callable[[], int],
) -> OpenIdSignIn | None:
    """Return what signs in; None where no provider is set. It is not asked anything yet.

    Raises OpenIdSettingsWrong, OpenIdMappingInvalid.
    """
    issuer, client_id, mapping = settings.openid_issuer, settings.openid_client_id, settings.openid_mapping
    if issuer is None or client_id is None or mapping is None:
        return None
    site = settings.public_url.rstrip("/")
    mapped = _mapping(mapping, custodian)
    link = HttpProviderLink(client_id=client_id, client_secret=_secret(settings), tls=_trust(settings))
    closing.callback(link.close)
    provider = Provider(issuer=issuer, link=link)
    return OpenIdSignIn(
        terms=OpenIdTerms(
            name=settings.openid_name,
            client_id=client_id,
            redirect_uri=site + CALLBACK,
            after_sign_out=f"{site}/app/",
            roles_claim=settings.openid_roles_claim,
            subject_claim=settings.openid_subject_claim,
            session_seconds=settings.openid_session_minutes * 60,
        ),
        mapping=mapped,
        provider=provider,
        verifying=ProviderTokens(
            provider=provider,
            client_id=client_id,
            audience=settings.openid_audience or f"{site}/v1",
            clock=clock,
        ),
        link=link,
        nonces=Nonces(keys=keys, used=used, clock=clock, purpose=STATE_PURPOSE, seconds=STATE_SECONDS),
        used=used,
        staff=staff,
        clients=clients,
        keys=keys,
        audit=audit,
        clock=clock,
    )


def _mapping(path: Path, custodian: MemberId) -> RoleMapping:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as failure:
        raise OpenIdSettingsWrong("The file cannot be read.", field="ASSENT_OPENID_MAPPING") from failure
    try:
        return read_mapping(text, custodian=custodian)
    except OpenIdMappingInvalid as failure:
        # A command prints the message alone, so the place stands in it.
        raise OpenIdMappingInvalid(f"{failure.field}: {failure.detail}", field=failure.field) from failure


def _secret(settings: Settings) -> str | None:
    if settings.openid_client_secret_file is None:
        return None
    try:
        secret = settings.openid_client_secret_file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as failure:
        raise OpenIdSettingsWrong(
            "The file cannot be read.", field="ASSENT_OPENID_CLIENT_SECRET_FILE"
        ) from failure
    if not secret or any(not " " < letter <= "~" for letter in secret):
        raise OpenIdSettingsWrong("The file needs one line.", field="ASSENT_OPENID_CLIENT_SECRET_FILE")
    return secret


def _trust(settings: Settings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.openid_ca_file)
    except (OSError, ssl.SSLError) as failure:
        raise OpenIdSettingsWrong(
            "No certificates in PEM could be read.", field="ASSENT_OPENID_CA_FILE"
        ) from failure

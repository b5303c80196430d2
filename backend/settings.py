"""Every setting of a deployment, from the environment (``ASSENT_...``) or a ``.env`` file.

``docs/operations.md`` lists them; a test compares.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

_LEAST_PASSPHRASE = 16
_EXAMPLES = (
    "changeme",
    "password",
    "passphrase",
    "secret",
    "example",
    "default",
    "letmein",
    "qwertz",
    "qwerty",
)
_MULTIADDRESS = re.compile(
    r"/(ip4|ip6|dns|dns4|dns6)/[0-9A-Za-z.:_-]+/tcp/[0-9]{1,5}(/(http|https))?|/unix/\S+"
)
_SMTP_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


class MailServer(NamedTuple):
    """``scheme``: smtp (STARTTLS is demanded), smtps (TLS at once) or smtp+plain (this machine only)."""

    scheme: str
    host: str
    port: int


class HsmToken(NamedTuple):
    module: Path
    label: str
    pin: SecretStr


class Settings(BaseSettings):
    """Units are in the names. Defaults run the whole system embedded on one machine for development."""

    model_config = SettingsConfigDict(env_prefix="ASSENT_", env_file=".env", extra="ignore")

    environment: Literal["development", "production"] = "development"
    data_directory: Path = Field(default=Path(".assent"), description="all embedded stores lie below it")
    secrets_directory: Path | None = Field(
        default=None, description="files named assent_SETTING, with what the environment does not say"
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = Field(
        default="http://localhost:8000",
        description="sets the EIP-4361 domain and URI, and with them the domain of passkeys",
    )
    standby: bool = Field(
        default=False, description="wait while another process has the data directory, then take over"
    )
    tenant: str = Field(default="hospital", pattern=r"^[a-z0-9-]{1,32}$", description="name of the custodian")

    custodian_name: str = Field(
        default="", max_length=200, description="in consent receipts; default: tenant"
    )
    custodian_address: str = Field(
        default="", max_length=500, description="postal, in receipts; default: public_url"
    )
    custodian_contact: str = Field(
        default="", max_length=200, description="of the privacy officer, in receipts; default: public_url"
    )
    jurisdiction: str = Field(
        default="ZZ", pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", description="ISO 3166; ZZ: not stated"
    )
    storage_location: str = Field(
        default="", pattern=r"^([A-Z]{2}(-[A-Z0-9]{1,3})?)?$", description="ISO 3166; default: jurisdiction"
    )

    ledger_url: str | None = Field(
        default=None, description="JSON-RPC of a node; without it anvil runs embedded"
    )
    ledger_second_url: str | None = Field(
        default=None, description="JSON-RPC of another node: permission then needs both, restriction either"
    )
    ledger_chain_id: int | None = Field(
        default=None, ge=1, description="of the network; needed with ledger_url"
    )
    ledger_finality_blocks: int = Field(default=3, ge=0, description="blocks behind the head that are final")
    ledger_gas_price_wei: int = Field(
        default=0, ge=0, description="least price of gas; twice the base fee of the newest block is added"
    )
    ledger_staleness_seconds: int = Field(
        default=60, ge=1, description="age of the newest block beyond which nothing is permitted"
    )
    index_uri: str | None = Field(default=None, description="MongoDB; without it the embedded index runs")
    storage: Literal["directory", "kubo"] = "directory"
    kubo_address: str = Field(
        default="/ip4/127.0.0.1/tcp/5001", description="RPC of each Kubo node; commas between several"
    )
    kubo_pins: int | None = Field(
        default=None,
        ge=1,
        description="nodes that have pinned a record before it counts as stored; default: two of several",
    )
    pin_repair_seconds: int = Field(
        default=600, ge=1, description="between two looks for pins that a node lost or missed"
    )
    passphrase: SecretStr | None = Field(default=None, description="of the key store; otherwise a key file")
    keystore: Literal["embedded", "pkcs11"] = Field(
        default="embedded", description="where the key above all others lies: in a file, or in an HSM"
    )
    pkcs11_module: Path | None = Field(default=None, description="PKCS#11 library of the HSM")
    pkcs11_token_label: str | None = Field(default=None, max_length=32)
    pkcs11_pin: SecretStr | None = Field(default=None, description="of the token's user")
    pkcs11_timeout_seconds: float = Field(default=10.0, gt=0, le=600, description="for one call")

    backup_directory: Path | None = Field(
        default=None, description="where the running service keeps its backup; default: beside the data"
    )
    backup_recovery_key: Path | None = Field(
        default=None,
        description="service half of the recovery key, made with 'assent backup keygen'; needed in"
        " production, without it the service makes keys of its own beside the data",
    )
    backup_interval_hours: int = Field(
        default=24, ge=0, le=24, description="between two whole backups, each verified; 0: no backup is kept"
    )
    backup_generations: int = Field(default=3, ge=1, le=100, description="whole backups that are kept")

    label_map: Path | None = Field(
        default=None, description="local codes; without it label-map.json in the data directory, if there"
    )

    openid_issuer: str | None = Field(
        default=None, max_length=500, description="identity provider of staff and systems; without it none"
    )
    openid_client_id: str | None = Field(
        default=None, min_length=1, max_length=255, description="of the pages, at the provider"
    )
    openid_client_secret_file: Path | None = Field(
        default=None, description="its secret, one line; without it the client is a public one"
    )
    openid_mapping: Path | None = Field(
        default=None, description="JSON: which roles and systems of the provider are which here"
    )
    openid_name: str = Field(
        default="your organisation", min_length=1, max_length=60, description="of the provider, on the page"
    )
    openid_roles_claim: str = Field(
        default="roles", pattern=r"^[^.\s]+(\.[^.\s]+){0,4}$", description="of the ID token; dots lead inside"
    )
    openid_subject_claim: str = Field(
        default="sub", pattern=r"^\S{1,100}$", description="names a person for good and is never reused"
    )
    openid_audience: str | None = Field(
        default=None, min_length=1, max_length=500, description="of systems' tokens; default: public_url/v1"
    )
    openid_ca_file: Path | None = Field(default=None, description="PEM; trusted instead of the system's")
    openid_session_minutes: int = Field(
        default=240, ge=5, le=1440, description="until the provider is asked again for a person"
    )

    access_token_minutes: int = Field(default=30, ge=1, le=60)
    refresh_token_days: int = Field(default=7, ge=1, le=30)
    anchor_interval_seconds: int = Field(default=60, ge=1)
    witness_keys: Path | None = Field(
        default=None, description="file: verifier keys of the audit log's witnesses, one a line"
    )
    purge_interval_seconds: int = Field(default=600, ge=1)
    sign_ins_per_minute: int = Field(default=600, ge=1, description="from one address, of each kind")
    challenges_per_minute: int = Field(default=600, ge=1, description="from one address")
    refreshes_per_minute: int = Field(default=1200, ge=1, description="from one address")
    drafts_per_minute: int = Field(default=600, ge=1, description="from one address; of stops without limit")
    rpc_calls_per_minute: int = Field(default=6000, ge=1, description="reads of the chain, from one address")
    trusted_proxies: str = Field(default="", description="addresses or networks, separated by commas")
    suites: str = Field(
        default="1", description="numbers of the suites that records may be read under, separated by commas"
    )
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    max_attachment_bytes: int = Field(
        default=2 * 1024**3,
        ge=1024,
        le=16 * 1024**3,
        description="of a document that is no FHIR bundle; it is never held in memory",
    )
    webhook_private_networks: str = Field(
        default="", description="networks inside that webhooks may reach, also by http; commas between"
    )
    webhook_retry_hours: int = Field(default=72, ge=1, le=720, description="then a message is given up")
    smtp_url: str | None = Field(
        default=None, description="server for mail to patients: smtp:, smtps: or smtp+plain:"
    )
    smtp_login_file: Path | None = Field(
        default=None, description="user on its first line, then the password"
    )
    smtp_ca_file: Path | None = Field(default=None, description="PEM; trusted instead of the system's")
    mail_from: str | None = Field(
        default=None, max_length=254, description="address that mails are from; needed with smtp_url"
    )
    mail_retry_hours: int = Field(default=72, ge=1, le=720, description="then a mail is given up")
    revocation_acknowledge_hours: int = Field(default=72, ge=1, le=8760)
    reminder_days: str = Field(default="30,7", description="days before the end of a consent; commas between")
    retention_rules: Path | None = Field(
        default=None,
        description="how long records are kept; without it retention.json in the data directory, if there",
    )
    result_retention_days: int = Field(
        default=365,
        ge=0,
        le=36_600,
        description="how long results of a study are kept after the end of its period",
    )
    erasure_grace_hours: int = Field(
        default=72,
        ge=0,
        le=720,
        description="in which the patient can cancel, where the request says nothing",
    )
    catalogue: Path | None = Field(
        default=None,
        description="directory: the custodian's own views and offers; without it catalogue/ in the data"
        " directory, if there",
    )
    catalogue_epsilon: float = Field(
        default=0.5, ge=0, le=10, description="what the catalogue's counts of a period cost; 0: no counts"
    )
    catalogue_days: int = Field(default=91, ge=1, le=3660, description="a period of the catalogue's counts")
    research_token: str | None = Field(
        default=None,
        pattern=r"^0x[0-9a-fA-F]{40}$",
        description="ERC-20 that studies pay in, on a network; an embedded chain has a test token",
    )
    recovery_delay_seconds: int = Field(
        default=3 * 86_400, ge=1, lt=2**32, description="before a recovery is completed; fixed when deployed"
    )
    payout_objection_seconds: int = Field(
        default=3 * 86_400, ge=0, lt=2**32, description="before a payout may be claimed; fixed when deployed"
    )
    payout_settlement_seconds: int = Field(
        default=14 * 86_400, ge=0, lt=2**32, description="after an objection; fixed when deployed"
    )
    payout_claim_seconds: int = Field(
        default=180 * 86_400, ge=1, lt=2**32, description="to claim a payout; fixed when deployed"
    )
    payout_grace_seconds: int = Field(
        default=30 * 86_400, ge=0, lt=2**32, description="to pay results after a study; fixed when deployed"
    )
    privacy_budget_epsilon: float = Field(
        default=4.0, gt=0, le=100, description="of all answers together, for a patient and a period"
    )
    privacy_budget_days: int = Field(default=365, ge=1, le=3660, description="the period of the budget")
    privacy_study_epsilon: float = Field(
        default=2.0, gt=0, le=100, description="what one study, with all its versions, may spend"
    )
    privacy_researcher_epsilon: float = Field(
        default=3.0, gt=0, le=100, description="what one researcher's organisation may spend in a period"
    )
    board_threshold: int = Field(
        default=1,
        ge=1,
        le=255,
        description="members a decision of the ethics board takes; fixed when the contracts are deployed",
    )

    @property
    def is_development(self) -> bool:
        return self.environment == "development"

    @property
    def label_map_file(self) -> Path | None:
        beside = self.data_directory / "label-map.json"
        return self.label_map or (beside if beside.exists() else None)

    @property
    def catalogue_directory(self) -> Path | None:
        beside = self.data_directory / "catalogue"
        return self.catalogue or (beside if beside.is_dir() else None)

    @property
    def retention_file(self) -> Path | None:
        beside = self.data_directory / "retention.json"
        return self.retention_rules or (beside if beside.exists() else None)

    @property
    def keeps_backup(self) -> bool:
        return self.backup_interval_hours > 0

    @property
    def backup_folder(self) -> Path:
        """Beside the data directory where none is named, so that whoever removes that keeps the backup."""
        return self.backup_directory or _beside(self.data_directory, "-backup")

    @property
    def backup_keys_folder(self) -> Path:
        """Where the keys lie that the service makes itself: not in the backup, whose copies they open."""
        return _beside(self.data_directory, "-backup-keys")

    @property
    def allowed_suites(self) -> frozenset[int]:
        return frozenset(int(number) for number in self.suites.split(","))

    @property
    def trusted_proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return _networks(self.trusted_proxies)

    @property
    def webhook_private_networks_opened(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return _networks(self.webhook_private_networks)

    @property
    def kubo_addresses(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.kubo_address.split(",") if part.strip())

    @property
    def kubo_pins_needed(self) -> int:
        return self.kubo_pins or min(2, len(self.kubo_addresses))

    @property
    def hsm_token(self) -> HsmToken | None:
        module, label, pin = self.pkcs11_module, self.pkcs11_token_label, self.pkcs11_pin
        return None if module is None or label is None or pin is None else HsmToken(module, label, pin)

    @property
    def mail_server(self) -> MailServer | None:
        return None if self.smtp_url is None else _mail_server(self.smtp_url)

    @property
    def reminder_day_numbers(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.reminder_days.split(",") if part.strip())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - how pydantic calls it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read files of the directory that the other sources name, too."""
        directory = (dotenv_settings() | env_settings() | init_settings()).get("secrets_directory")
        if directory is None or not Path(directory).is_dir():  # which the check below tells
            return init_settings, env_settings, dotenv_settings
        files = SecretsSettingsSource(settings_cls, secrets_dir=directory)
        return init_settings, env_settings, dotenv_settings, files

    @field_validator("secrets_directory")
    @classmethod
    def _require_directory(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_dir():
            raise ValueError(f"{path} is no directory")
        return path

    @field_validator("witness_keys")
    @classmethod
    def _require_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"{path} is no file")
        return path

    @field_validator("public_url")
    @classmethod
    def _require_public_address(cls, text: str) -> str:
        _check_public_address(text)
        return text

    @field_validator("ledger_url", "ledger_second_url")
    @classmethod
    def _require_node(cls, text: str | None) -> str | None:
        if text is not None:
            parts = urlsplit(text)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{text!r} is no JSON-RPC of a node, such as http://127.0.0.1:8545")
        return text

    @field_validator("openid_issuer")
    @classmethod
    def _require_issuer(cls, text: str | None) -> str | None:
        if text is not None:
            _check_issuer(text)
        return text

    @field_validator("smtp_url")
    @classmethod
    def _require_mail_server(cls, text: str | None) -> str | None:
        if text is not None:
            _mail_server(text)
        return text

    @field_validator("reminder_days")
    @classmethod
    def _require_days(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            if not (part.isascii() and part.isdigit() and 1 <= int(part) <= 365):
                raise ValueError(f"{part} is no number of days from 1 to 365")
        return text

    @field_validator("kubo_address")
    @classmethod
    def _require_nodes(cls, text: str) -> str:
        addresses = [part.strip() for part in text.split(",")]
        for address in addresses:
            if not _MULTIADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is no address such as /ip4/127.0.0.1/tcp/5001")
        if len(set(addresses)) != len(addresses):
            raise ValueError("a node is named twice: its copy would count as two")
        return text

    @field_validator("suites")
    @classmethod
    def _require_numbers(cls, text: str) -> str:
        if any(not 0 < int(number) < 2**16 for number in text.split(",")):
            raise ValueError("a suite's number is 1 to 65535")
        return text

    @field_validator("trusted_proxies", "webhook_private_networks")
    @classmethod
    def _require_networks(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            ip_network(part)  # its ValueError names the part
        return text

    @model_validator(mode="after")
    def _require_two_nodes(self) -> Self:
        if self.ledger_second_url is not None:
            if self.ledger_url is None:
                raise ValueError("ASSENT_LEDGER_SECOND_URL needs ASSENT_LEDGER_URL, the first node")
            if _place(self.ledger_second_url) == _place(self.ledger_url):
                raise ValueError("ASSENT_LEDGER_SECOND_URL and ASSENT_LEDGER_URL are one node: name two")
        return self

    @model_validator(mode="after")
    def _refuse_development_defaults_in_production(self) -> Self:
        if self.ledger_url is not None and self.ledger_chain_id is None:
            raise ValueError(
                "ASSENT_LEDGER_URL needs ASSENT_LEDGER_CHAIN_ID: never sign for an unknown chain"
            )
        if self.kubo_pins is not None and self.kubo_pins > len(self.kubo_addresses):
            raise ValueError("ASSENT_KUBO_PINS asks for more nodes than ASSENT_KUBO_ADDRESS names")
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError("ASSENT_SMTP_URL needs ASSENT_MAIL_FROM, the address that mails are from")
        if self.openid_issuer is not None and None in {self.openid_client_id, self.openid_mapping}:
            raise ValueError("ASSENT_OPENID_ISSUER needs ASSENT_OPENID_CLIENT_ID and ASSENT_OPENID_MAPPING")
        if self.keystore == "pkcs11" and None in {
            self.pkcs11_module,
            self.pkcs11_token_label,
            self.pkcs11_pin,
        }:
            raise ValueError(
                "ASSENT_KEYSTORE=pkcs11 needs ASSENT_PKCS11_MODULE, ASSENT_PKCS11_TOKEN_LABEL and"
                " ASSENT_PKCS11_PIN"
            )
        if self.environment == "production":
            if self.passphrase is None and self.keystore == "embedded":
                raise ValueError(
                    "production needs ASSENT_PASSPHRASE: a key file beside the data protects nothing"
                )
            if self.passphrase is not None:
                _require_secret(self.passphrase.get_secret_value())
            if not self.public_url.startswith("https://"):
                raise ValueError("production needs an https ASSENT_PUBLIC_URL: tokens would travel in clear")
            for name in ("trusted_proxies", "webhook_private_networks"):
                if any(network.prefixlen == 0 for network in _networks(getattr(self, name))):
                    raise ValueError(
                        f"ASSENT_{name.upper()} names everybody: name the networks that you mean"
                    )
        return self


def _beside(directory: Path, ending: str) -> Path:
    whole = directory.resolve()
    return whole.with_name(whole.name + ending)


def _place(url: str) -> tuple[str | None, int | None, str]:
    """What a URL leads to, however it is written."""
    parts = urlsplit(url)
    host = "localhost" if parts.hostname and _is_loopback(parts.hostname) else parts.hostname
    return host, parts.port or {"http": 80, "https": 443}.get(parts.scheme), parts.path.strip("/")


def _require_secret(text: str) -> None:
    """A passphrase that somebody could try: short, of few letters, or one out of an example."""
    plain = "".join(each for each in text.lower() if each.isalnum())
    if len(text) < _LEAST_PASSPHRASE or len(set(plain)) < 6 or any(word in plain for word in _EXAMPLES):
        raise ValueError(
            f"ASSENT_PASSPHRASE is a default or can be guessed: give {_LEAST_PASSPHRASE} characters or more"
            " that a password manager made"
        )


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _check_public_address(text: str) -> None:
    """Browsers give keys, locks and passkeys to https only, and to this machine itself."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write https://NAME, or http://localhost:PORT on this machine")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("nothing but scheme, name and port: the pages are at /app/ below it")
    usual = {"http": 80, "https": 443}[parts.scheme]
    if parts.port == usual or parts.netloc != parts.netloc.lower():  # browsers write neither
        raise ValueError(f"write the name in small letters, and leave out the port {usual}")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"{parts.hostname} needs https: browsers sign in over http on localhost only")


def _check_issuer(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write https://NAME/PATH, exactly as the provider names itself")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("nothing but scheme, name, port and path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"{parts.hostname} needs https: whoever is between could sign anybody in")


def _mail_server(text: str) -> MailServer:
    parts = urlsplit(text)
    if parts.scheme not in _SMTP_PORTS or not parts.hostname:
        raise ValueError(
            "write smtp://HOST:PORT (STARTTLS), smtps://HOST:PORT or smtp+plain://localhost:PORT"
        )
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("nothing but host and port; user and password go into ASSENT_SMTP_LOGIN_FILE")
    if parts.scheme == "smtp+plain" and not _is_loopback(parts.hostname):
        raise ValueError("mail in clear goes to this machine only: use smtp:// or smtps://")
    return MailServer(parts.scheme, parts.hostname, parts.port or _SMTP_PORTS[parts.scheme])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

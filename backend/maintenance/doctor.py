"""Looks at every part of a configuration, says what is wrong and how to mend it. It changes nothing.

A running service holds its directory: then what only its holder can open is asked of the service itself.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import httpx

from backend.adapters.data_directory import MIN_FREE_BYTES, DataDirectory, DataDirectoryInUse
from backend.adapters.index.failures import translated
from backend.adapters.index.server import connect
from backend.adapters.ledger.deployment import succession_file, verify_code, verify_node
from backend.adapters.ledger.deployment_file import read_deployment
from backend.adapters.ledger.errors import SuccessionUnderWay
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.storage.kubo import KuboBlockStore
from backend.backup.daily import newest_verified
from backend.backup.errors import BackupKeyNeeded
from backend.backup.recovery_key import read_service_half
from backend.backup.shelf import Shelf
from backend.backup_wiring import same_disk
from backend.errors import AssentError, Unavailable
from backend.keys_wiring import open_keys
from backend.log_wiring import read_witness_keys
from backend.mail_wiring import open_mail
from backend.operations.alarms import KEY_WARN_SECONDS, LOW_BYTES, PART_REMEDIES, VERIFIED_SECONDS
from backend.operations.types import UP
from backend.samples import OPERATOR_FILE
from backend.serving import RUN_FILE
from backend.settings import Settings

MOST_SKEW_SECONDS: Final = 5
_CONNECT_SECONDS: Final = 5.0


class State(StrEnum):
    SOUND = "sound"
    LOOK = "look"  # works, and is not what production should have
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """``part``: what was looked at. ``remedy``: what to do, empty where nothing has to be done."""

    part: str
    state: State
    said: str
    remedy: str = ""


Findings = Iterator[Finding]


def examine(settings: Settings) -> Findings:
    """Yield what is found of each part, one part after the other. Each wait has an end."""
    for part, look in _PARTS.items():
        try:
            yield from look(settings)
        except AssentError as failure:
            away = isinstance(failure, Unavailable) and part in PART_REMEDIES
            remedy = PART_REMEDIES[part] if away else failure.remedy
            said = failure.code if failure.detail == failure.remedy else f"{failure.code}: {failure.detail}"
            yield Finding(part, State.BROKEN, said, remedy)


def _environment(settings: Settings) -> Findings:
    if settings.is_development:
        yield Finding(
            "settings",
            State.LOOK,
            "for development: members take effect at once, keys lie beside the data",
            "For real patients set ASSENT_ENVIRONMENT=production: docs/operations.md, 'Before production'.",
        )
    else:
        yield Finding("settings", State.SOUND, f"production at {settings.public_url}")
        if not settings.trusted_proxies:
            yield Finding(
                "proxy",
                State.LOOK,
                "no proxy is trusted: all limits count for the address of the proxy",
                "Name the TLS proxy in ASSENT_TRUSTED_PROXIES.",
            )


def _directory(settings: Settings) -> Findings:
    root = settings.data_directory
    if not root.is_dir():
        yield Finding("data directory", State.LOOK, f"{root} is not there yet", "The first start makes it.")
        return
    mode = stat.S_IMODE(root.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "data directory",
            State.BROKEN,
            f"{root} can be read by others ({mode:o})",
            f"chmod 700 {root}",
        )
    elif not os.access(root, os.W_OK):
        yield Finding(
            "data directory", State.BROKEN, f"{root} cannot be written", "Give it to the service's user."
        )
    else:
        yield Finding("data directory", State.SOUND, str(root))
    free = DataDirectory(root).free_bytes()
    said = f"{free / (1 << 30):.1f} GiB are free"
    if free < LOW_BYTES:
        state = State.BROKEN if free < MIN_FREE_BYTES else State.LOOK
        yield Finding("disk", state, said, "Free space: below 256 MiB no new record is taken.")
    else:
        yield Finding("disk", State.SOUND, said)
    if not settings.is_development and (root / OPERATOR_FILE).exists():
        yield Finding(
            "operator",
            State.LOOK,
            f"{OPERATOR_FILE} holds a password in clear",
            "Give each person an account, then 'assent users disable operator' and remove the file.",
        )


def _key_store(settings: Settings) -> Findings:
    directory = DataDirectory(settings.data_directory)
    if not directory.keys.exists():
        yield Finding("key store", State.LOOK, "not there yet", "The first start makes it.")
        return
    try:
        directory.open()
    except DataDirectoryInUse:
        yield from _running(settings.data_directory)
        return
    with closing(directory), closing(open_keys(settings, directory)):
        yield Finding("key store", State.SOUND, f"{settings.keystore}, opens")


def _running(root: Path) -> Findings:
    """What the service says that holds the directory."""
    try:
        address = json.loads((root / RUN_FILE).read_text())["url"]
        parts = httpx.get(f"{address}/health/ready", timeout=_CONNECT_SECONDS * 4).json()["parts"]
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        yield Finding(
            "service",
            State.BROKEN,
            "another program holds the data directory, and no service answers",
            "Find out which program it is (fuser on the file 'lock'), and end it.",
        )
        return
    for part, state in parts.items():
        if state == UP:
            yield Finding(f"service: {part}", State.SOUND, UP)
        else:
            yield Finding(f"service: {part}", State.BROKEN, state, "docs/runbook.md, 'PartAway'")


def _ledger(settings: Settings) -> Findings:
    if settings.ledger_url is None:
        if not settings.is_development:
            yield Finding(
                "ledger",
                State.BROKEN,
                "the chain is embedded: one party that runs it proves nothing to others",
                "Set ASSENT_LEDGER_URL and ASSENT_LEDGER_CHAIN_ID to a node of the network.",
            )
        else:
            yield Finding("ledger", State.SOUND, "embedded")
        return
    chain = NetworkChain(
        settings.ledger_url,
        second_url=settings.ledger_second_url,
        expected_chain_id=settings.ledger_chain_id,
        finality_depth=settings.ledger_finality_blocks,
        gas_price=settings.ledger_gas_price_wei,
    )
    with closing(chain):
        view = chain.view()
        skew = view.head_timestamp - time.time()
        if skew > MOST_SKEW_SECONDS:
            yield Finding(
                "clock", State.BROKEN, f"this clock is {skew:.0f} s behind the chain's", "Have NTP keep it."
            )
        yield Finding("ledger", State.SOUND, f"chain {chain.chain_id}, block {view.head_number}")
        if settings.ledger_second_url is None and not settings.is_development:
            yield Finding(
                "second node",
                State.LOOK,
                "the service believes one node: where that lags or lies, a revocation can be hidden",
                "Set ASSENT_LEDGER_SECOND_URL to a node of another organisation.",
            )
        path = settings.data_directory / "chain" / "deployment.json"
        deployment = read_deployment(path)
        if succession_file(path).exists():
            raise SuccessionUnderWay("Other contracts are taking over.")
        if deployment is None or not deployment.complete:
            yield Finding("contracts", State.LOOK, "not deployed from here yet", "assent deploy")
        else:
            verify_code(deployment, chain)
            chain.demand(lambda node: verify_node(deployment, node))
            number = len(list(deployment.places()))
            yield Finding("contracts", State.SOUND, f"{number}, their code is ours")


def _index(settings: Settings) -> Findings:
    if settings.index_uri is None:
        state = State.SOUND if settings.is_development else State.BROKEN
        remedy = "" if settings.is_development else "Set ASSENT_INDEX_URI to a replica set of MongoDB."
        yield Finding("index", state, "embedded, for one process and without authentication", remedy)
        return
    database = connect(
        settings.index_uri, database=f"assent_{settings.tenant}", timeout_ms=int(_CONNECT_SECONDS * 1000)
    )
    with translated(), closing(database.client):
        said = database.client.admin.command("hello")
    if "setName" in said:
        yield Finding("index", State.SOUND, f"replica set {said['setName']}")
    else:
        yield Finding(
            "index",
            State.LOOK,
            "a single server: what it acknowledged is lost with its disk",
            "Run MongoDB as a replica set.",
        )


def _blocks(settings: Settings) -> Findings:
    if settings.storage == "directory":
        yield Finding("blocks", State.SOUND, "in the data directory")
        return
    for address in settings.kubo_addresses:
        with closing(KuboBlockStore(address, timeout_seconds=_CONNECT_SECONDS)) as blocks:
            try:
                blocks.check()
            except Unavailable as failure:
                said = f"{failure.code}: Kubo at {address}"
                yield Finding("blocks", State.BROKEN, said, PART_REMEDIES["blocks"])
            else:
                yield Finding("blocks", State.SOUND, f"Kubo at {address}")
    if settings.kubo_pins_needed < 2 and not settings.is_development:
        yield Finding(
            "pins",
            State.LOOK,
            "a record counts as stored with one node: it is lost with that node's disk",
            "Run three nodes, and name all in ASSENT_KUBO_ADDRESS: docs/storage.md.",
        )


def _backup(settings: Settings) -> Findings:
    if not settings.keeps_backup:
        yield Finding(
            "backup", State.LOOK, "none is kept", "Set ASSENT_BACKUP_INTERVAL_HOURS to 24: docs/backup.md."
        )
        return
    directory, now = settings.backup_folder, int(time.time())
    if settings.backup_recovery_key is not None:
        half = read_service_half(settings.backup_recovery_key)
        half.require_live(now)
        if half.expires_at - now < KEY_WARN_SECONDS:
            days = (half.expires_at - now) // 86_400
            yield Finding("backup", State.LOOK, f"its key ends in {days} days", "assent backup keygen")
    elif settings.is_development:
        yield Finding(
            "backup",
            State.LOOK,
            f"the keys that open it lie beside the data, in {settings.backup_keys_folder}",
            "Make a key with 'assent backup keygen', keep the private half offline, and set"
            " ASSENT_BACKUP_RECOVERY_KEY to the other.",
        )
    else:
        raise BackupKeyNeeded
    named = settings.backup_directory is not None
    if not directory.is_dir() and not named:
        yield Finding("backup", State.LOOK, f"{directory} is not there yet", "The first start makes it.")
    elif not directory.is_dir() or not os.access(directory, os.W_OK):
        yield Finding(
            "backup", State.BROKEN, f"{directory} cannot be written", "Mount it, or give it rights."
        )
    else:
        yield from _kept_backups(settings, directory, now)


def _kept_backups(settings: Settings, directory: Path, now: int) -> Findings:
    if same_disk(directory, settings.data_directory):
        yield Finding(
            "backup",
            State.LOOK,
            f"{directory} is on the disk of the data, and is lost with it",
            "Name a directory on another disk, better another machine's, in ASSENT_BACKUP_DIRECTORY.",
        )
    verified = newest_verified(Shelf(directory))
    if verified is None:
        yield Finding(
            "backup", State.LOOK, "none was read back and found right yet", "A running service makes one."
        )
    elif verified + VERIFIED_SECONDS < now:
        hours = (now - verified) // 3600
        yield Finding(
            "backup",
            State.BROKEN,
            f"the newest that was found right is {hours} hours old",
            "Start the service, or call 'assent backup'; the runbook has more under BackupOld.",
        )
    else:
        yield Finding("backup", State.SOUND, f"{directory}, found right {(now - verified) // 60} minutes ago")


def _mail(settings: Settings) -> Findings:
    server = settings.mail_server
    if server is None or open_mail(settings) is None:
        yield Finding("mail", State.SOUND, "patients get no mail")
        return
    try:
        socket.create_connection((server.host, server.port), timeout=_CONNECT_SECONDS).close()
    except OSError as failure:
        yield Finding(
            "mail",
            State.BROKEN,
            f"{server.host}:{server.port} does not answer ({type(failure).__name__})",
            "Correct ASSENT_SMTP_URL; 'assent notices mail-test ADDRESS' tries the whole way.",
        )
    else:
        yield Finding("mail", State.SOUND, f"{server.host}:{server.port} answers")
    login = settings.smtp_login_file
    if login is not None and stat.S_IMODE(login.stat().st_mode) & 0o077:
        yield Finding("mail", State.BROKEN, f"{login} can be read by others", f"chmod 600 {login}")


def _witnesses(settings: Settings) -> Findings:
    count = len(read_witness_keys(settings))
    if count:
        yield Finding("witnesses", State.SOUND, f"{count} keys")
    else:
        yield Finding(
            "witnesses",
            State.LOOK,
            "nobody watches the audit log",
            "Have another member run 'assent witness', and name its keys in ASSENT_WITNESS_KEYS.",
        )


_PARTS: Final[dict[str, Callable[[Settings], Findings]]] = {
    "settings": _environment,
    "data directory": _directory,
    "key store": _key_store,
    "ledger": _ledger,
    "index": _index,
    "blocks": _blocks,
    "backup": _backup,
    "mail": _mail,
    "witnesses": _witnesses,
}

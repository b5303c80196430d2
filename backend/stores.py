"""Opens the stores of one deployment and closes them in order: data directory, keys, chain, index, blocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo.database import Database

from backend.adapters.data_directory import DataDirectory
from backend.adapters.index.changes import IndexChanges
from backend.adapters.index.contracts_used import require_newest
from backend.adapters.index.failures import translated
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain, parse_address
from backend.adapters.ledger.commitments import CommitmentLedger
from backend.adapters.ledger.custodian import admit_custodian
from backend.adapters.ledger.deployment import deploy_or_attach, verify_node
from backend.adapters.ledger.deployment_file import Deployment, MarketTerms
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.errors import JoinNeedsNetwork
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.final_blocks import final_blocks_file
from backend.adapters.ledger.joining import Joining, join_deployment
from backend.adapters.ledger.keys import KeyLedger
from backend.adapters.ledger.ledger import ConsentLedger
from backend.adapters.ledger.log_anchor import LogAnchor
from backend.adapters.ledger.member_keys import RegistryKeys
from backend.adapters.ledger.membership import StudyLedger
from backend.adapters.ledger.money_ledger import LedgerMoney
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.participants import RegistryParticipants
from backend.adapters.ledger.process import find_anvil
from backend.adapters.ledger.recovery import RecoveryLedger
from backend.adapters.ledger.relayer import Relayer, account_of
from backend.adapters.ledger.wiring import ledger_adapters
from backend.adapters.ledger.witnesses import WitnessPairs
from backend.adapters.schema_version import of_index
from backend.blocks_wiring import open_blocks
from backend.keys_wiring import open_keys
from backend.keystore import KeyStore
from backend.records.storage_ports import BlockStore
from backend.settings import Settings
from backend.types import Address, MemberId

REPOSITORY: Final = Path(__file__).resolve().parent.parent  # where npm put the chain's program
DEVELOPMENT_ADMISSION_DELAY_SECONDS: Final = 0
ADMISSION_DELAY_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Stores:
    """Open stores and the ledger's faces on them. ``closing`` closes them in reverse order of opening."""

    settings: Settings
    directory: DataDirectory
    tenant: MemberId
    keys: KeyStore
    chain: Chain
    relayer: Relayer
    deployment: Deployment
    ledger: ConsentLedger
    recoveries: RecoveryLedger
    commitments: CommitmentLedger
    participants: RegistryParticipants
    studies: StudyLedger
    money: LedgerMoney
    witnesses: WitnessPairs
    subject_keys: KeyLedger
    member_keys: RegistryKeys
    events: EventScan
    anchor: LogAnchor
    origin: str
    database: Database[dict[str, Any]]
    index_uri: str
    index_changes: IndexChanges | None  # where a backup is kept
    check_index: Callable[[], None]
    blocks: BlockStore
    closing: ExitStack


def open_stores(
    settings: Settings, *, restoring: bool = False, any_schema: bool = False, succeeding: bool = False
) -> Stores:
    """Open everything, deploying the contracts on a new chain.

    ``restoring`` opens also what a restore has not finished; ``any_schema`` also what an earlier release
    wrote; ``succeeding`` also while other contracts are taking over. Raises OperatorError subclasses that say
    what to do, and closes what was open already.
    """
    closing = ExitStack()
    try:
        return _open(settings, closing, restoring=restoring, any_schema=any_schema, succeeding=succeeding)
    except BaseException:
        closing.close()
        raise


def sending_accounts(settings: Settings) -> dict[Sender, Address]:
    """Return the accounts that a service sends from, drawn where it never started. Not while it runs.

    A network may want them on an allowlist, or that they pay for gas.
    """
    with ExitStack() as closing:
        directory = DataDirectory(settings.data_directory)
        directory.open()
        closing.callback(directory.close)
        keys = open_keys(settings, directory)
        closing.callback(keys.close)
        return {sender: account_of(key) for sender, key in _sending_keys(keys).items()}


def join(settings: Settings, deployment: Path) -> Joining:
    """Have the service that starts here use contracts that others deployed, as the file ``deployment`` names
    them. Not while it runs; the same again changes nothing.

    Raises DataDirectoryInUse, and what ``join_deployment`` raises.
    """
    if settings.ledger_url is None:
        raise JoinNeedsNetwork
    with ExitStack() as closing:
        directory = DataDirectory(settings.data_directory)
        directory.open()
        closing.callback(directory.close)
        keys = open_keys(settings, directory)
        closing.callback(keys.close)
        chain = _open_chain(settings, directory, closing)
        relayer = Relayer(chain=chain, keys=_sending_keys(keys))
        closing.callback(relayer.close)
        return join_deployment(
            deployment,
            directory.chain / "deployment.json",
            chain=chain,
            relayer=relayer,
            tenant=MemberId(keys.get_or_create("salt", "tenant").reveal()),
            origin=_origin(settings),
        )


def _origin(settings: Settings) -> str:
    """The name of the audit log."""
    return f"{settings.tenant}.assent/audit"


def _sending_keys(keys: KeyStore) -> dict[Sender, bytes]:
    return {sender: keys.get_or_create("account", sender.value).reveal() for sender in Sender}


def _open(
    settings: Settings, closing: ExitStack, *, restoring: bool, any_schema: bool, succeeding: bool
) -> Stores:
    directory = DataDirectory(settings.data_directory, restoring=restoring, any_schema=any_schema)
    directory.open()
    closing.callback(directory.close)
    keys = open_keys(settings, directory)
    closing.callback(keys.close)
    tenant = MemberId(keys.get_or_create("salt", "tenant").reveal())

    index = None if settings.index_uri else EmbeddedIndex(directory.index)
    chain = _open_beside(index, settings, directory, closing)
    relayer = Relayer(chain=chain, keys=_sending_keys(keys))
    closing.callback(relayer.close)
    deployment = deploy_or_attach(
        path=directory.chain / "deployment.json",
        chain=chain,
        relayer=relayer,
        operator=relayer.address(Sender.OPERATOR),
        admission_delay_seconds=(
            DEVELOPMENT_ADMISSION_DELAY_SECONDS if settings.is_development else ADMISSION_DELAY_SECONDS
        ),
        recovery_delay_seconds=settings.recovery_delay_seconds,
        market_terms=MarketTerms(
            board_threshold=settings.board_threshold,
            objection_seconds=settings.payout_objection_seconds,
            settlement_seconds=settings.payout_settlement_seconds,
            claim_seconds=settings.payout_claim_seconds,
            grace_seconds=settings.payout_grace_seconds,
        ),
        succeeding=succeeding,
    )
    if isinstance(chain, NetworkChain):
        chain.demand(lambda node: verify_node(deployment, node))
    ledgers = ledger_adapters(chain=chain, relayer=relayer, deployment=deployment)
    participants = RegistryParticipants(ledgers.members)
    admit_custodian(
        participants,
        tenant,
        relayer.address(Sender.CUSTODIAN),
        wish=directory.chain / "custodian.json",
        clock=lambda: int(time.time()),
    )

    index_uri = settings.index_uri or (index.uri if index else "")
    index_changes = IndexChanges() if settings.keeps_backup else None
    database = connect(
        index_uri,
        database=f"assent_{settings.tenant}",
        listeners=[] if index_changes is None else [index_changes],
    )
    closing.callback(database.client.close)
    if not restoring:  # what it will hold is not there yet, or only half of it
        version = of_index(database)
        if not any_schema:
            version.require_current()
        if not succeeding:
            require_newest(database, deployment)

    blocks = open_blocks(settings, directory)
    closing.callback(blocks.close)
    origin = _origin(settings)
    return Stores(
        settings=settings,
        directory=directory,
        tenant=tenant,
        keys=keys,
        chain=chain,
        relayer=relayer,
        deployment=deployment,
        ledger=ledgers.consents,
        recoveries=ledgers.recoveries,
        commitments=ledgers.commitments,
        participants=participants,
        studies=ledgers.studies,
        money=LedgerMoney(
            chain=chain,
            relayer=relayer,
            effects=ledgers.effects,
            market=deployment.address("ResearchMarket"),
            custodian=tenant,
            is_embedded=settings.ledger_url is None,
            token=None if settings.research_token is None else parse_address(settings.research_token),
        ),
        witnesses=ledgers.witnesses,
        subject_keys=ledgers.subject_keys,
        member_keys=ledgers.member_keys,
        events=ledgers.events,
        anchor=ledgers.anchor_of(tenant, origin),
        origin=origin,
        database=database,
        index_uri=index_uri,
        index_changes=index_changes,
        check_index=lambda: _check_index(database, index),
        blocks=blocks,
        closing=closing,
    )


def _open_beside(
    index: EmbeddedIndex | None, settings: Settings, directory: DataDirectory, closing: ExitStack
) -> Chain:
    """Open the chain while the index starts: each loads for a while, in a process of its own."""
    if index is None:
        return _open_chain(settings, directory, closing)
    closing.callback(index.stop)
    with ThreadPoolExecutor(1, thread_name_prefix="index-start") as beside:
        starting = beside.submit(index.start)
        chain = _open_chain(settings, directory, closing)
        starting.result()
    return chain


def _open_chain(settings: Settings, directory: DataDirectory, closing: ExitStack) -> Chain:
    if settings.ledger_url is not None and settings.ledger_chain_id is not None:
        directory.chain.mkdir(exist_ok=True)
        network = NetworkChain(
            settings.ledger_url,
            second_url=settings.ledger_second_url,
            expected_chain_id=settings.ledger_chain_id,
            finality_depth=settings.ledger_finality_blocks,
            final_blocks=final_blocks_file(directory.chain),
            gas_price=settings.ledger_gas_price_wei,
            staleness_seconds=settings.ledger_staleness_seconds,
        )
        closing.callback(network.close)
        return network
    embedded = EmbeddedChain(directory=directory.chain, binary=find_anvil(REPOSITORY))
    closing.callback(embedded.close)
    return embedded


def _check_index(database: Database[dict[str, Any]], index: EmbeddedIndex | None) -> None:
    """Raise IndexUnavailable unless the index answers; an embedded one that died is started again."""
    if index is not None:
        index.ensure_running()
    with translated():
        database.command("ping")

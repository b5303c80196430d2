"""Signed grants recorded in batches, against the same transactions sent straight to the node."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_account import Account

from backend.adapters.ledger.consents import ConsentRegistry
from backend.bootstrap import World, open_world
from backend.consent.ledger_types import Receipt
from backend.consent.terms import Grant
from backend.settings import Settings
from backend.types import MemberId
from bench.chain import Patient
from bench.results import Result, ratio_at_least, shown

BATCHES: Final = 10
BATCH: Final = 50
CLIENTS: Final = 32
GOAL_RATIO: Final = 0.7
_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class _Batch:
    grants: Sequence[Grant]
    signatures: Sequence[bytes]


def measure_embedded(directory: Path) -> list[Result]:
    """In this process, on a fresh embedded chain."""
    with closing(open_world(Settings(data_directory=directory / "granting"))) as world:
        return measure(world, "on the embedded chain")


def measure(world: World, place: str, *, pay: Callable[[str], None] | None = None) -> list[Result]:
    """In this process, with the world's own chain. ``pay``: gives an account what gas costs; without it the
    service is measured alone."""
    name = f"signed grants recorded in batches of {BATCH}, {place}"
    ours = _per_second(lambda: _by_service(world, _batches(world)))
    if pay is None:
        return [shown(name, ours, "1/s")]
    account = Account.create()
    pay(account.address)
    raw = _per_second(lambda: _straight(world, _batches(world), account))
    return [
        ratio_at_least(name, ours, "1/s", reference=raw, limit=GOAL_RATIO),
        shown(f"a signed grant, {place}: from handing in to final", _seconds_to_final(world), "s"),
    ]


def _per_second(prepare: Callable[[], Callable[[], None]]) -> float:
    work = prepare()
    started = time.perf_counter()
    work()
    return BATCHES * BATCH / (time.perf_counter() - started)


def _batches(world: World) -> list[_Batch]:
    """Signed grants of as many patients, each opened on the chain."""
    clinic = MemberId(secrets.token_bytes(32))

    def signed(_: int) -> tuple[Grant, bytes]:
        patient = Patient(world)
        grant = patient.grant(clinic)
        return grant, patient.sign(grant)

    with ThreadPoolExecutor(CLIENTS) as threads:
        made = list(threads.map(signed, range(BATCHES * BATCH)))
    parts = [made[start : start + BATCH] for start in range(0, len(made), BATCH)]
    return [_Batch([grant for grant, _ in part], [signature for _, signature in part]) for part in parts]


def _by_service(world: World, batches: Sequence[_Batch]) -> Callable[[], None]:
    def one(batch: _Batch) -> None:
        outcomes = world.stores.ledger.record_grants(batch.grants, batch.signatures)
        if not all(isinstance(outcome, Receipt) for outcome in outcomes):
            raise RuntimeError("a grant was refused")

    def work() -> None:
        with ThreadPoolExecutor(BATCHES) as threads:
            list(threads.map(one, batches))

    return work


def _straight(world: World, batches: Sequence[_Batch], account: Any) -> Callable[[], None]:
    """The same calls, signed before, in one request; then ask for receipts until all are there."""
    chain = world.stores.chain
    registry = ConsentRegistry(world.stores.deployment.address("ConsentRegistry"), chain)
    raw, hashes = [], []
    for nonce, batch in enumerate(batches):
        call = registry.grant_batch(batch.grants, batch.signatures)
        signed = account.sign_transaction(
            {
                "to": call.to, "data": call.data, "gas": call.gas, "gasPrice": chain.gas_price, "value": 0,
                "nonce": nonce, "chainId": chain.chain_id,
            }
        )  # fmt: skip
        raw.append("0x" + bytes(signed.raw_transaction).hex())
        hashes.append("0x" + bytes(signed.hash).hex())

    def work() -> None:
        chain.rpc().batch([("eth_sendRawTransaction", [each]) for each in raw])
        deadline = time.monotonic() + _SECONDS
        waiting = hashes
        while waiting:
            receipts = chain.rpc().batch([("eth_getTransactionReceipt", [each]) for each in waiting])
            waiting = [each for each, receipt in zip(waiting, receipts, strict=True) if receipt is None]
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.02)

    return work


def _seconds_to_final(world: World) -> float:
    patient = Patient(world)
    grant = patient.grant(MemberId(secrets.token_bytes(32)))
    signature = patient.sign(grant)
    started = time.perf_counter()
    receipt = world.stores.ledger.record(grant, signature)
    while world.stores.chain.view().final_number < receipt.block_number:
        time.sleep(0.02)
    return time.perf_counter() - started

"""A revocation between two custodians, and grants in batches, on a network of four validators and two plain
nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from backend.audit.entry import Agent
from backend.bootstrap import World, open_world
from backend.consent.decision_types import Answer
from backend.consent.ledger_types import MemberStanding
from backend.consent.revocations import Revocation
from backend.consent.terms import Revoke
from backend.consent.typed_data import consent_id
from backend.settings import Settings
from backend.stores import join, sending_accounts
from bench import granting
from bench.chain import Patient, asked
from bench.results import Result, at_most, shown, skipped
from bench.waiting import until
from scripts.testnet import links
from scripts.testnet.build import BINARY, BUILD_COMMAND
from scripts.testnet.description import GAS_PRICE_WEI
from scripts.testnet.local import LocalNodes, fund, new_network

ROUNDS: Final = 20
GOAL_SECONDS: Final = 2
GOAL_BLOCKS: Final = 1
_NAME: Final = "revocation handed to one member, denied at the other"
_FUNDS_WEI: Final = 10**18
_POLL_SECONDS: Final = 0.01


def measure(directory: Path) -> list[Result]:
    """In this process: a service at each of the two plain nodes, both with stores of their own."""
    if not BINARY.is_file():
        return [skipped(_NAME, "s", f"no geth here: {BUILD_COMMAND}")]
    shared = directory / "networks"
    network = new_network(shared)
    nodes = LocalNodes(BINARY, shared)
    nodes.start()
    try:
        plain = [node for node in nodes.nodes.values() if not node.node.is_validator]
        with _custodians(directory, [node.node.rpc_url for node in plain], nodes, shared) as (one, other):
            rounds = [_round(one, other) for _ in range(ROUNDS)]
            throughput = granting.measure(
                one, "on the network", pay=lambda account: _pay(shared, nodes, [account])
            )
    finally:
        nodes.stop()
    seconds = sorted(taken for taken, _ in rounds)
    blocks = max(number for _, number in rounds)
    return [
        at_most(f"{_NAME}, the slowest of {ROUNDS}", seconds[-1], "s", GOAL_SECONDS),
        at_most(f"{_NAME}, blocks made meanwhile", blocks, "blocks", GOAL_BLOCKS),
        shown(f"{_NAME}, median", seconds[len(seconds) // 2], "s", reference=network.period_seconds),
        *throughput,
    ]


def _pay(shared: Path, nodes: LocalNodes, accounts: Sequence[str]) -> None:
    """Give each of them what gas costs; return once every node knows, for it may be any that is asked."""
    every = list(nodes.nodes.values())
    fund(shared, every[0].rpc, nodes.network, accounts, wei=_FUNDS_WEI)

    def known() -> bool:
        balances = [node.rpc.call("eth_getBalance", each, "latest") for node in every for each in accounts]
        return all(int(balance, 16) for balance in balances)

    until(known, "every node knows who was paid")


@contextmanager
def _custodians(
    directory: Path, urls: list[str], nodes: LocalNodes, shared: Path
) -> Iterator[tuple[World, World]]:
    """The first deploys the contracts; the second joins them and is admitted."""

    def settings(name: str, url: str) -> Settings:
        return Settings(
            data_directory=directory / f"custodian-{name}",
            tenant=name,
            ledger_url=url,
            ledger_chain_id=nodes.network.chain_id,
            ledger_finality_blocks=nodes.network.finality_blocks,
            ledger_gas_price_wei=GAS_PRICE_WEI,
        )

    first, second = settings("first", urls[0]), settings("second", urls[1])
    until(lambda: all(links.head(node) > 0 for node in nodes.nodes.values()), "the network seals")
    _pay(shared, nodes, list(sending_accounts(first).values()))
    with closing(open_world(first)) as one:
        file = one.stores.directory.chain / "deployment.json"
        height = one.stores.chain.view().head_number
        until(
            lambda: all(links.head(node) >= height for node in nodes.nodes.values()),
            "every node has the contracts",
        )
        joined = join(second, file)
        _pay(shared, nodes, list(joined.accounts))
        one.services.admissions.admit_custodian(
            "second", member=joined.member, account=joined.account, days=1, begun_at=int(time.time()),
            by=Agent.service("benchmark"),
        )  # fmt: skip
        until(lambda: join(second, file).standing is MemberStanding.ACTIVE, "the second one is admitted")
        with closing(open_world(second)) as other:
            yield one, other


def _round(one: World, other: World) -> tuple[float, int]:
    """Grant at one, hand the revocation to the other; seconds and blocks until the one denies."""
    patient = Patient(one)
    grant = patient.grant(other.stores.tenant)
    one.services.consents.submit(grant, patient.sign(grant))
    question, segment = asked(one.services, patient.subject, other.stores.tenant)

    def permits() -> bool:
        return one.services.decisions.decide(question, [segment])[0].answer is Answer.PERMIT

    until(permits, "it permits", every=_POLL_SECONDS)
    name = consent_id(grant)
    signature = patient.sign(Revoke(name))
    head = one.stores.chain.view().head_number
    began = time.perf_counter()
    other.services.revocations.revoke(Revocation(signature=signature, consent=name))
    until(lambda: not permits(), "it denies", every=_POLL_SECONDS)
    return time.perf_counter() - began, one.stores.chain.view().head_number - head

"""The published vectors on a real chain, with our compiled contracts, and through our adapter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.network import NetworkChain
from backend.consent.ledger_types import ConsentSlot
from backend.consent.terms import Delegation
from backend.consent.terms_json import from_json
from backend.types import ConsentId, SubjectId, UnixSeconds
from tests.support.vector_chain import VectorChain, load, vector_chain

TYPED_DATA = load("typed_data.json")
STATES = load("states.json")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorChain]:
    shared = ("chainId", "keys", "deployment", "setUp")
    assert {name: TYPED_DATA[name] for name in shared} == {name: STATES[name] for name in shared}
    with vector_chain(tmp_path_factory.mktemp("chain"), STATES) as made:
        yield made


@pytest.mark.parametrize("case", TYPED_DATA["cases"], ids=lambda case: case["name"])
def test_contracts_take_the_signature_and_none_of_something_else(
    chain: VectorChain, case: dict[str, Any]
) -> None:
    with chain.undone():
        for step in case["before"]:
            chain.run(step)
        call = case["call"]
        for refused in case["refused"]:
            data = call["data"].replace(case["signature"][2:], refused["signature"][2:])
            assert data != call["data"]
            assert chain.outcome({**call, "data": data}) == (False, refused["answer"]), refused["name"]
        chain.run(call)


@pytest.mark.parametrize("sequence", STATES["sequences"], ids=lambda sequence: sequence["name"])
def test_states_are_as_written_and_our_adapter_reads_them(
    chain: VectorChain, sequence: dict[str, Any]
) -> None:
    states = {state["time"]: state for state in sequence["states"]}
    assert len(states) == len(sequence["states"])
    with chain.undone(), chain.adapter() as adapter:
        for (time, kind), steps in groupby(sequence["steps"], key=lambda step: (step["time"], step["kind"])):
            for step in steps:
                chain.run(step)
            if kind == "view":
                _compare(*adapter, sequence, states.pop(time))
    assert not states


def _compare(
    chain: NetworkChain, registry: ConsentRegistry, sequence: dict[str, Any], state: dict[str, Any]
) -> None:
    view = chain.view()
    block = view.head_number
    assert view.head_timestamp == state["time"]
    documents = sequence["documents"]
    names = {label: ConsentId(bytes.fromhex(documents[label]["id"][2:])) for label in state["consents"]}
    found = registry.evidence(SubjectId(int(sequence["subject"])), list(names.values()), block=block)
    assert (found.controller, found.epoch, found.count, found.opened) == tuple(state["subject"].values())
    for (label, consent), slot in zip(names.items(), found.slots, strict=True):
        truth = state["consents"][label]
        assert slot == _slot(truth), label
        if "chain" in documents[label]:
            links = [from_json(Delegation, documents[each]["document"]) for each in documents[label]["chain"]]
            live = registry.is_delegation_live(links, links[0].powers, block=block)
        else:
            kind = documents[label]["document"]["kind"]
            (live,) = registry.are_live([consent], kind, block=block)
        assert live == truth["live"], label


def _slot(truth: dict[str, Any]) -> ConsentSlot:
    return ConsentSlot(
        subject=SubjectId(int(truth["subject"])),
        kind=truth["kind"],
        epoch=truth["epoch"],
        revoked_at=UnixSeconds(truth["revokedAt"]),
        not_after=UnixSeconds(truth["notAfter"]),
        not_before=UnixSeconds(truth["notBefore"]),
        delegation_tag=truth["delegationTag"],
    )

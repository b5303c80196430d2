"""The published states over time: the steps ask what the states say, and our own code agrees with them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import eth_abi
import pytest

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.headers import delegation_header
from backend.consent.decision_types import DecisionInput, Evidence, Reason
from backend.consent.evidence_set import EvidenceSet
from backend.consent.ledger_types import ConsentSlot, SubjectEvidence, delegation_tag, unpack_consent_slot
from backend.consent.prepared import prepare
from backend.consent.schema import CLASSES
from backend.consent.standing import grant_standing, hindered
from backend.consent.terms import Delegation, Document, Grant, Kind
from backend.consent.terms_json import from_json
from backend.consent.typed_data import consent_id
from backend.types import SubjectId, UnixSeconds
from scripts.vectors import world as w

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/states.json").read_text())
SEQUENCES = VECTORS["sequences"]
MOMENTS = [
    pytest.param(sequence, state, id=f"{sequence['name']}/{state['time'] - w.START}")
    for sequence in SEQUENCES
    for state in sequence["states"]
]
FUNCTIONS = artifact("ConsentRegistry").functions


def test_there_are_enough_states_and_no_name_twice() -> None:
    assert len(MOMENTS) >= 40
    assert set(Counter(sequence["name"] for sequence in SEQUENCES).values()) == {1}


def test_every_view_that_tells_what_counts_is_asked() -> None:
    asked = {
        step["function"].partition(".")[2]
        for sequence in SEQUENCES
        for step in sequence["steps"]
        if step["kind"] == "view"
    }
    assert asked == {"subjectOf", "stateOf", "isLive", "areLive", "isDelegationLive"}


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_ids_are_those_of_the_documents(sequence: dict[str, Any]) -> None:
    for named in sequence["documents"].values():
        assert "0x" + consent_id(_document(named)).hex() == named["id"]


@pytest.mark.parametrize(("sequence", "state"), MOMENTS)
def test_views_answer_what_the_state_says(sequence: dict[str, Any], state: dict[str, Any]) -> None:
    """The steps are what contracts are asked; here each is decoded and looked up in the state."""
    truths = {sequence["documents"][label]["id"]: truth for label, truth in state["consents"].items()}
    documents = {label: _document(named) for label, named in sequence["documents"].items()}
    delegations = {label: each for label, each in documents.items() if isinstance(each, Delegation)}
    stated = {}
    for step in _views(sequence, state):
        function = step["function"].partition(".")[2]
        answer = FUNCTIONS[function].decode(bytes.fromhex(step["answer"][2:]))
        data = bytes.fromhex(step["data"][10:])
        match function:
            case "subjectOf":
                controller, *others = state["subject"].values()
                assert answer == (controller.lower(), *others)
            case "stateOf":
                stated["0x" + data.hex()] = answer[0]
            case "isLive":
                truth = truths["0x" + data[:32].hex()]
                assert answer == (truth["live"] and data[63] == truth["kind"],)
            case "areLive":
                ids = ["0x" + data[place : place + 32].hex() for place in range(96, len(data), 32)]
                assert answer == (tuple(truths[each]["live"] for each in ids),)
            case "isDelegationLive":
                links, powers = eth_abi.decode(FUNCTIONS[function].inputs, data)
                ((label, held),) = [
                    (label, each.powers) for label, each in delegations.items() if _header(each) == links[0]
                ]
                assert answer == (state["consents"][label]["live"] and not powers & ~held,)
            case _:
                pytest.fail(f"no runner for the view {function}")
    assert stated == {name: _words(truth) for name, truth in truths.items()}


@pytest.mark.parametrize(("sequence", "state"), MOMENTS)
def test_our_own_code_says_what_counts(sequence: dict[str, Any], state: dict[str, Any]) -> None:
    documents = {label: _document(sequence["documents"][label]) for label in state["consents"]}
    evidence = {label: _evidence(documents, label, state) for label in documents}
    request = _request(sequence, state, tuple(evidence.values()))
    counted, _ = EvidenceSet(evidence.values()).recorded(request.subject)
    assert counted == state["subject"]["count"]
    for label, document in documents.items():
        live = state["consents"][label]["live"]
        if isinstance(document, Delegation):
            links = [evidence[each] for each in sequence["documents"][label]["chain"]]
            assert all(_is_unhindered(link, request) for link in links) == live, label
            continue
        standing = grant_standing(evidence[label], request)
        match document.kind:
            case Kind.PERMIT:
                assert standing.permits == live, label
            case Kind.DENY:
                assert (standing.reason is Reason.DENIES) == live, label
            case Kind.REFUSAL:  # our decision reads none: it answers a request, and the ledger keeps it
                assert standing.reason is Reason.REFUSAL
            case kind:
                pytest.fail(f"no runner for the kind {kind}")


def _is_unhindered(link: Evidence, request: DecisionInput) -> bool:
    by_epoch = link.prepared.document.kind == Kind.DELEGATION
    return hindered(link, request, ends_with_epoch=by_epoch) is None


def _document(named: dict[str, Any]) -> Document:
    return from_json(CLASSES[named["type"]], named["document"])  # type: ignore[no-any-return]


def _evidence(documents: dict[str, Document], label: str, state: dict[str, Any]) -> Evidence:
    truth = state["consents"][label]
    tag = truth["delegationTag"]
    via = [
        each
        for each in documents.values()
        if isinstance(each, Delegation) and tag == delegation_tag(consent_id(each))
    ]
    assert bool(via) == bool(tag)
    slot = _slot(truth)
    return Evidence(prepare(documents[label], via if isinstance(documents[label], Grant) else ()), slot, slot)


def _slot(truth: dict[str, Any]) -> ConsentSlot:
    """Return what our code reads from the word that the chain keeps."""
    subject, kind, epoch, begins, ends, revoked, tag = _words(truth)
    word = subject | kind << 96 | epoch << 104 | (revoked or tag) << 136 | ends << 176 | begins << 216
    return unpack_consent_slot(word)


def _request(
    sequence: dict[str, Any], state: dict[str, Any], evidence: tuple[Evidence, ...]
) -> DecisionInput:
    told = state["subject"]
    subject = SubjectEvidence(told["controller"], told["epoch"], told["count"], told["opened"], ())
    request = w.ask(*evidence, subject=SubjectId(int(sequence["subject"])), now=UnixSeconds(state["time"]))
    return replace(request, final=subject, head=subject)


def _views(sequence: dict[str, Any], state: dict[str, Any]) -> list[dict[str, Any]]:
    steps = sequence["steps"]
    return [step for step in steps if step["kind"] == "view" and step["time"] == state["time"]]


def _header(delegation: Delegation) -> tuple[Any, ...]:
    subject, delegate, *rest = delegation_header(delegation)
    return (subject, delegate.lower(), *rest)


def _words(truth: dict[str, Any]) -> tuple[int, ...]:
    names = ("kind", "epoch", "notBefore", "notAfter", "revokedAt", "delegationTag")
    return (int(truth["subject"]), *(truth[name] for name in names))

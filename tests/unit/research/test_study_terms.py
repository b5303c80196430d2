"""What a proposal says beside what is computed: checked member by member, and part of the study's id."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.research.errors import StudyDamaged, StudyInvalid
from backend.research.outputs import Count, Table
from backend.research.study import Proposal, Study, propose, rules_of
from backend.research.study_json import proposal_from_json
from backend.research.study_terms import (
    Basis,
    Condition,
    Dataset,
    DiversityRule,
    Price,
    ProtocolDocument,
    condition_from,
    condition_json,
    validate_conditions,
    validate_dataset,
)
from backend.research.types import StudyId
from backend.types import Address, Bytes32, UnixSeconds

TOKEN = Address("0x" + "ab" * 20)
PRICE = Price(TOKEN, 10**30, Basis.PATIENT)
PROTOCOL = ProtocolDocument("Protocol", "application/pdf", Bytes32(b"p" * 32))


@pytest.fixture
def full(proposal_with: Callable[..., Proposal]) -> Proposal:
    return proposal_with(price=PRICE, documents=(PROTOCOL,), dataset=Dataset(), amends=StudyId(b"b" * 32))


def test_proposal_with_every_part_is_read_back_as_it_was(full: Proposal) -> None:
    assert propose(full).study_id == full.digest
    assert proposal_from_json(json.loads(json.dumps(full.as_json()))) == full


def test_each_part_is_part_of_the_id(full: Proposal) -> None:
    others = [
        replace(full, price=replace(PRICE, amount=1)),
        replace(full, price=replace(PRICE, basis=Basis.STUDY)),
        replace(full, price=None),
        replace(full, documents=()),
        replace(full, documents=(replace(PROTOCOL, sha256=Bytes32(b"q" * 32)),)),
        replace(full, dataset=None),
        replace(full, amends=None),
    ]
    assert len({full.digest, *(other.digest for other in others)}) == len(others) + 1


def test_proposal_without_any_part_is_written_as_before_there_were_any(
    proposal_with: Callable[..., Proposal],
) -> None:
    plain = proposal_with().as_json()
    assert plain["schema"] == 1
    assert not {"price", "documents", "dataset", "amends"} & plain.keys()


def test_stored_part_that_was_changed_is_damage(full: Proposal) -> None:
    document = full.as_json()
    for wrong in (
        {**document, "price": {**document["price"], "amount": "01"}},
        {**document, "documents": [{**document["documents"][0], "more": 1}]},
        {**document, "schema": 1},
        {name: value for name, value in document.items() if name != "price"},
    ):
        with pytest.raises(StudyDamaged):
            proposal_from_json(wrong)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": replace(PRICE, token=Address("0x12"))}, "price.token"),
        ({"price": replace(PRICE, amount=0)}, "price.amount"),
        ({"price": replace(PRICE, amount=2**128)}, "price.amount"),
        ({"documents": (PROTOCOL, PROTOCOL)}, "documents"),
        ({"documents": (PROTOCOL, replace(PROTOCOL, name="Twin"))}, "documents"),
        ({"documents": (replace(PROTOCOL, name="  "),)}, "documents.0.name"),
        ({"documents": (replace(PROTOCOL, media_type="text/html"),)}, "documents.0.media_type"),
        ({"documents": (replace(PROTOCOL, sha256=Bytes32(b"p")),)}, "documents.0.sha256"),
        (
            {
                "documents": tuple(
                    ProtocolDocument(str(n), "text/plain", Bytes32(bytes([n]) * 32)) for n in range(21)
                )
            },
            "documents",
        ),
        ({"dataset": Dataset(), "outputs": (Count("all"),)}, "dataset"),
        ({"dataset": Dataset(t="0.2"), "outputs": (Table("people", ("sex", "age")),)}, "dataset"),
        ({"amends": StudyId(b"short")}, "amends"),
    ],
)
def test_propose_with_a_wrong_part_names_it(
    proposal_with: Callable[..., Proposal], changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(StudyInvalid) as refused:
        propose(proposal_with(**changes))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("dataset", "field"),
    [
        (Dataset(l="3"), "dataset.l"),
        (Dataset(diversity=DiversityRule.DISTINCT), "dataset.l"),
        (Dataset(diversity=DiversityRule.DISTINCT, l="2.5"), "dataset.l"),
        (Dataset(diversity=DiversityRule.DISTINCT, l="1"), "dataset.l"),
        (Dataset(diversity=DiversityRule.ENTROPY, l="x"), "dataset.l"),
        (Dataset(diversity=DiversityRule.RECURSIVE, l="3"), "dataset.c"),
        (Dataset(diversity=DiversityRule.RECURSIVE, l="3", c="0"), "dataset.c"),
        (Dataset(diversity=DiversityRule.ENTROPY, l="2", c="4"), "dataset.c"),
        (Dataset(t="1.1"), "dataset.t"),
        (Dataset(t="-0.1"), "dataset.t"),
    ],
)
def test_privacy_model_that_is_none_names_what_is_wrong(dataset: Dataset, field: str) -> None:
    with pytest.raises(StudyInvalid) as refused:
        validate_dataset(dataset)
    assert refused.value.field == field


def test_privacy_models_of_the_literature_pass() -> None:
    validate_dataset(Dataset(diversity=DiversityRule.RECURSIVE, l="3", c="4", t="0.2"))
    validate_dataset(Dataset(diversity=DiversityRule.ENTROPY, l="2.5"))


def test_rules_cover_the_proposal_and_each_word_and_date_of_the_conditions(full: Proposal) -> None:
    one, two = Condition("Report."), Condition("No linkage.", UnixSeconds(1_800_000_000))
    found = [
        rules_of(full, ()),
        rules_of(full, (one,)),
        rules_of(full, (one, two)),
        rules_of(full, (two, one)),
        rules_of(full, (replace(one, due=UnixSeconds(5)),)),
        rules_of(replace(full, title="Another"), (one,)),
    ]
    assert len(set(found)) == len(found)
    assert found[0] == full.digest
    assert Study(full, propose(full).state, conditions=(one,)).rules == found[1]


def test_conditions_have_words_and_dates_to_come() -> None:
    due = UnixSeconds(1_800_000_000)
    validate_conditions((Condition("Report.", due), Condition("No linkage.")), now=due - 1)
    for wrong, field in (
        ((Condition(" "),), "conditions.0.text"),
        ((Condition("x" * 2001),), "conditions.0.text"),
        ((Condition("Report."), Condition("Late.", due)), "conditions.1.due"),
        (tuple(Condition(str(number)) for number in range(21)), "conditions"),
    ):
        with pytest.raises(StudyInvalid) as refused:
            validate_conditions(wrong, now=due)
        assert refused.value.field == field
    assert condition_from(condition_json(Condition("Report.", due))) == Condition("Report.", due)

"""Parts of a proposal beside what is computed: what is paid, which papers belong to it, what a table
promises; and the conditions under which a board permits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from backend.research.errors import StudyInvalid
from backend.types import Address, Bytes32, UnixSeconds, to_hex

MAX_DOCUMENTS: Final = 20
MAX_CONDITIONS: Final = 20
MAX_CONDITION_CHARACTERS: Final = 2_000
MEDIA_TYPES: Final = ("application/pdf", "text/plain")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?")


class Basis(StrEnum):
    """What a price is offered for."""

    PATIENT = "patient"  # each patient whose data a run used
    STUDY = "study"  # all of them together


@dataclass(frozen=True, slots=True)
class Price:
    """An offer in the smallest unit of an ERC-20 token of the chain."""

    token: Address
    amount: int
    basis: Basis


@dataclass(frozen=True, slots=True)
class ProtocolDocument:
    """A paper of the study, such as its protocol: ``sha256`` of its bytes, which are kept apart, sealed."""

    name: str
    media_type: str
    sha256: Bytes32


class TableMode(StrEnum):
    """How published classes may lie to each other; see docs/anonymization.md."""

    STRICT = "strict"
    MAX_UTILITY = "max-utility"
    FULL_DOMAIN = "full-domain"


class DiversityRule(StrEnum):
    NONE = "none"
    DISTINCT = "distinct"
    ENTROPY = "entropy"
    RECURSIVE = "recursive"


@dataclass(frozen=True, slots=True)
class Dataset:
    """The privacy model that a released table keeps, beside the k of the table.

    ``l`` and ``c`` belong to ``diversity``, ``t`` is the largest distance of t-closeness; decimal text, since
    a proposal is signed word for word, and '' where there is none.
    """

    mode: TableMode = TableMode.STRICT
    diversity: DiversityRule = DiversityRule.NONE
    l: str = ""  # noqa: E741 - the letter the definition uses
    c: str = ""
    t: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a board demands. ``due``: until when, None for as long as the permit lasts."""

    text: str
    due: UnixSeconds | None = None


def validate_price(price: Price) -> None:
    """Raise StudyInvalid naming the member of ``price``."""
    _require(_ADDRESS.fullmatch(price.token) is not None, "the account of a token", "price.token")
    _require(0 < price.amount < 2**128, "an amount of the token's smallest unit above 0", "price.amount")


def validate_documents(documents: tuple[ProtocolDocument, ...]) -> None:
    """Raise StudyInvalid naming the document."""
    _require(len(documents) <= MAX_DOCUMENTS, f"at most {MAX_DOCUMENTS} documents", "documents")
    for place, document in enumerate(documents):
        field = f"documents.{place}"
        _require(
            0 < len(document.name.strip()) <= 100 and document.name.isprintable(),
            "1 to 100 printable characters",
            f"{field}.name",
        )
        _require(document.media_type in MEDIA_TYPES, "a PDF or plain text", f"{field}.media_type")
        _require(len(document.sha256) == 32, "a SHA-256 is 32 bytes", f"{field}.sha256")
    _require(
        len({document.name for document in documents}) == len(documents)
        and len({document.sha256 for document in documents}) == len(documents),
        "documents and their names are distinct",
        "documents",
    )


def validate_dataset(dataset: Dataset) -> None:
    """Raise StudyInvalid naming the member of ``dataset``."""
    asked = dataset.diversity is not DiversityRule.NONE
    _require(bool(dataset.l) == asked, "l belongs to a kind of diversity", "dataset.l")
    if asked:
        _require(_number(dataset.l, "dataset.l") > 1, "l is above 1", "dataset.l")
        _require(
            dataset.diversity is DiversityRule.ENTROPY or "." not in dataset.l, "a whole number", "dataset.l"
        )
    recursive = dataset.diversity is DiversityRule.RECURSIVE
    _require(bool(dataset.c) == recursive, "c belongs to recursive diversity", "dataset.c")
    if recursive:
        _require(_number(dataset.c, "dataset.c") > 0, "c is above 0", "dataset.c")
    if dataset.t:
        _require(_number(dataset.t, "dataset.t") <= 1, "t is at most 1", "dataset.t")


def validate_conditions(conditions: tuple[Condition, ...], *, now: int) -> None:
    """Raise StudyInvalid naming the condition."""
    _require(len(conditions) <= MAX_CONDITIONS, f"at most {MAX_CONDITIONS} conditions", "conditions")
    for place, condition in enumerate(conditions):
        _require(
            0 < len(condition.text.strip()) <= MAX_CONDITION_CHARACTERS,
            f"1 to {MAX_CONDITION_CHARACTERS} characters",
            f"conditions.{place}.text",
        )
        _require(condition.due is None or condition.due > now, "a date to come", f"conditions.{place}.due")


def condition_json(condition: Condition) -> dict[str, Any]:
    return {"text": condition.text, "due": condition.due}


def condition_from(item: Mapping[str, Any]) -> Condition:
    due = item["due"]
    return Condition(str(item["text"]), None if due is None else UnixSeconds(int(due)))


def price_json(price: Price | None) -> dict[str, Any] | None:
    if price is None:
        return None
    # As text: the amount outgrows the numbers of other languages, and of the index.
    return {"token": price.token, "amount": str(price.amount), "basis": price.basis.value}


def price_from(item: Mapping[str, Any] | None) -> Price | None:
    if item is None:
        return None
    return Price(Address(item["token"]), int(item["amount"]), Basis(item["basis"]))


def document_json(document: ProtocolDocument) -> dict[str, Any]:
    return {
        "name": document.name,
        "media_type": document.media_type,
        "sha256": to_hex(document.sha256),
    }


def document_from(item: Mapping[str, Any]) -> ProtocolDocument:
    sha256 = Bytes32(bytes.fromhex(item["sha256"].removeprefix("0x")))
    return ProtocolDocument(item["name"], item["media_type"], sha256)


def dataset_json(dataset: Dataset | None) -> dict[str, Any] | None:
    if dataset is None:
        return None
    return {
        "mode": dataset.mode.value,
        "diversity": dataset.diversity.value,
        "l": dataset.l,
        "c": dataset.c,
        "t": dataset.t,
    }


def dataset_from(item: Mapping[str, Any] | None) -> Dataset | None:
    if item is None:
        return None
    return Dataset(TableMode(item["mode"]), DiversityRule(item["diversity"]), item["l"], item["c"], item["t"])


def _number(text: str, field: str) -> Decimal:
    _require(_DECIMAL.fullmatch(text) is not None, "a decimal number such as 3 or 0.2", field)
    return Decimal(text)


def _require(holds: bool, detail: str, field: str) -> None:
    if not holds:
        raise StudyInvalid(detail, field=field)

"""Reads the JSON of a decision's input: the form of the published vectors.

Nothing is guessed. A member that is missing or that nobody knows is refused, so that a misspelt restriction
is not silently left out, and every error names the member at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.consent.assembly import EMPTY_SLOT
from backend.consent.decision_types import DecisionInput, Evidence, Requester, Segment, Team
from backend.consent.errors import InvalidTerms
from backend.consent.ledger_types import (
    ConsentSlot,
    LedgerView,
    Membership,
    MemberStanding,
    SubjectEvidence,
)
from backend.consent.prepared import prepare
from backend.consent.tables import Tables
from backend.consent.terms import Delegation, Document, Grant
from backend.consent.terms_json import from_json, value_from_json
from backend.consent.uses import Taken
from backend.types import BlockNumber, Bytes32, MemberId, UnixSeconds

MEMBERS = (
    "subject requester purpose action segment now view stale subjectAtFinal subjectAtHead evidence "
    "membersAtFinal membersAtHead suspended queuePosition endedEpoch fulfils"
)
_TYPES: Mapping[str, type[Grant] | type[Delegation]] = {"Grant": Grant, "Delegation": Delegation}


def input_from_json(data: object, tables: Tables) -> DecisionInput:
    """Return the input of a JSON object. Raise InvalidTerms or UnknownCode, naming the member."""
    found = members(data, MEMBERS, "")
    requester = members(found["requester"], "actor organisations account teams", "requester.")
    organisations = _list(requester["organisations"], "requester.organisations")
    return DecisionInput(
        subject=value_from_json("uint96", found["subject"], "subject"),
        requester=Requester(
            _optional("bytes32", requester["actor"], "requester.actor"),
            tuple(value_from_json("bytes32", item, place) for place, item in organisations),
            _optional("address", requester["account"], "requester.account"),
            _teams(requester["teams"], "requester.teams"),
        ),
        purpose=tables.purposes.mask([_text(found["purpose"], "purpose")], field="purpose"),
        action=tables.actions.mask([_text(found["action"], "action")], field="action"),
        segment=_segment(found["segment"], tables),
        now=value_from_json("uint40", found["now"], "now"),
        view=None if found["view"] is None else _view(found["view"]),
        stale=value_from_json("bool", found["stale"], "stale"),
        final=_subject(found["subjectAtFinal"], "subjectAtFinal."),
        head=_subject(found["subjectAtHead"], "subjectAtHead."),
        evidence=tuple(
            evidence_from_json(item, f"{place}.") for place, item in _list(found["evidence"], "evidence")
        ),
        members_final=_memberships(found["membersAtFinal"], "membersAtFinal"),
        members_head=_memberships(found["membersAtHead"], "membersAtHead"),
        suspended=frozenset(
            value_from_json("bytes32", item, place) for place, item in _list(found["suspended"], "suspended")
        ),
        queue_position=value_from_json("uint48", found["queuePosition"], "queuePosition"),
        ended_epoch=_optional("uint32", found["endedEpoch"], "endedEpoch"),
        fulfils=tables.obligations.mask(_codes(found["fulfils"], "fulfils"), field="fulfils"),
        tables=tables.digest,
    )


def evidence_from_json(data: object, path: str) -> Evidence:
    """Return one document with its slots. Raise InvalidTerms, with ``path`` before the name of the member."""
    names = "id type document via final head revocationPending uses usedAt"
    found = members(data, names, path)
    kind = _TYPES.get(_text(found["type"], path + "type"))
    if kind is None:
        raise InvalidTerms("Grant or Delegation.", field=path + "type")
    document: Document = from_json(kind, found["document"], path + "document.")
    via = [from_json(Delegation, item, f"{place}.") for place, item in _list(found["via"], path + "via")]
    prepared = prepare(document, via)
    if value_from_json("bytes32", found["id"], path + "id") != prepared.consent_id:
        raise InvalidTerms("The id is not the hash of the document.", field=path + "id")
    return Evidence(
        prepared,
        _slot(found["final"], path + "final."),
        _slot(found["head"], path + "head."),
        value_from_json("bool", found["revocationPending"], path + "revocationPending"),
        Taken(
            value_from_json("uint32", found["uses"], path + "uses"),
            tuple(
                value_from_json("uint40", item, place)
                for place, item in _list(found["usedAt"], path + "usedAt")
            ),
        ),
    )


def members(data: object, names: str, path: str, *, optional: str = "") -> Mapping[str, Any]:
    """Return the object. Raise InvalidTerms unless it has these members, and no others."""
    if not isinstance(data, Mapping):
        raise InvalidTerms("A JSON object is needed.", field=path.rstrip(".") or "request")
    needed, known = names.split(), {*names.split(), *optional.split()}
    for name in data:
        if name not in known:
            raise InvalidTerms("There is no such member.", field=f"{path}{name!s:.40}" or "request")
    for name in needed:
        if name not in data:
            raise InvalidTerms("The member is missing.", field=path + name)
    return data


def _segment(data: object, tables: Tables) -> Segment:
    found = members(data, "categories sensitivities dataFrom dataTo references", "segment.")
    categories, sensitivities = (
        table.mask(_codes(found[name], f"segment.{name}"), field=f"segment.{name}")
        for name, table in (("categories", tables.categories), ("sensitivities", tables.sensitivities))
    )
    references = _list(found["references"], "segment.references")
    start, end = (_integer(found[name], f"segment.{name}") for name in ("dataFrom", "dataTo"))
    if end <= start:
        raise InvalidTerms("The window ends before it begins, or is empty.", field="segment.dataTo")
    return Segment(
        categories,
        sensitivities,
        UnixSeconds(start),
        UnixSeconds(end),
        frozenset(value_from_json("bytes32", item, place) for place, item in references),
    )


def _view(data: object) -> LedgerView:
    # Hashes, the head's time and the chain are the caller's concern; the decision compares heights only.
    found = members(data, "final head", "view.")
    final, head = (value_from_json("uint48", found[name], f"view.{name}") for name in ("final", "head"))
    none = Bytes32(bytes(32))
    return LedgerView(0, BlockNumber(head), none, UnixSeconds(0), BlockNumber(final), none)


def _subject(data: object, path: str) -> SubjectEvidence:
    found = members(data, "controller epoch count opened", path)
    return SubjectEvidence(
        value_from_json("address", found["controller"], path + "controller"),
        value_from_json("uint32", found["epoch"], path + "epoch"),
        value_from_json("uint32", found["count"], path + "count"),
        value_from_json("bool", found["opened"], path + "opened"),
        (),
    )


def _teams(data: object, path: str) -> tuple[Team, ...]:
    if not isinstance(data, Mapping):
        raise InvalidTerms("A JSON object is needed.", field=path)
    return tuple(
        Team(value_from_json("bytes32", name, path), _optional("bytes32", value, f"{path}.{name}"))
        for name, value in data.items()
    )


def _memberships(data: object, path: str) -> dict[MemberId, Membership]:
    if not isinstance(data, Mapping):
        raise InvalidTerms("A JSON object is needed.", field=path)
    found = {}
    for name, value in data.items():
        member = value_from_json("bytes32", name, path)
        inner = f"{path}.{name}."
        one = members(value, "standing expiry", inner)
        standing = _text(one["standing"], inner + "standing").upper()
        if standing not in MemberStanding.__members__:
            raise InvalidTerms("unknown, active, suspended or removed.", field=inner + "standing")
        expiry = value_from_json("uint40", one["expiry"], inner + "expiry")
        found[MemberId(member)] = Membership(MemberStanding[standing], expiry)
    return found


def _slot(data: object, path: str) -> ConsentSlot:
    if data is None:
        return EMPTY_SLOT
    kinds = {
        "subject": "uint96", "kind": "uint8", "epoch": "uint32",
        "revokedAt": "uint40", "notAfter": "uint40", "notBefore": "uint40",
    }  # fmt: skip
    found = members(data, " ".join(kinds), path)
    return ConsentSlot(*(value_from_json(kind, found[name], path + name) for name, kind in kinds.items()))


def _optional(kind: str, value: object, path: str) -> Any:
    return None if value is None else value_from_json(kind, value, path)


def _integer(value: object, path: str) -> int:
    # Data may be older than 1970.
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**40:
        raise InvalidTerms("Unix seconds, as a number.", field=path)
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidTerms("A string is needed.", field=path)
    return value


def _codes(value: object, path: str) -> Sequence[str]:
    return [_text(item, place) for place, item in _list(value, path)]


def _list(value: object, path: str) -> Iterator[tuple[str, Any]]:
    """Return the items of a list, each with its place."""
    if not isinstance(value, list):
        raise InvalidTerms("A list is needed.", field=path)
    return ((f"{path}[{number}]", item) for number, item in enumerate(value))

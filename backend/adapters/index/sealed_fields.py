"""Every member of the index that ``DocumentSealer`` sealed: whose it is, its place, its share.

``fsck`` opens what stands here, and a rotation of the keys seals it anew. A member that is missing here would
be lost with the old keys; a test compares the table with all that a whole deployment seals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from backend.adapters.index.consent_index import request_of
from backend.adapters.index.identity_store import place_of_name as staff_name
from backend.adapters.index.member_names import place_of as member_name
from backend.consent import care_team_shelf, evidence_store, paper_types, requests, revocations
from backend.consent import service as consents
from backend.erasure import holds
from backend.identity.people import CLAIM_PLACE, PERSON_PLACE
from backend.keystore import KeyName, KeyStore, Secret
from backend.notices import contact_book, delivering, endpoints
from backend.records import manifest, slot_book, storing
from backend.recovery.types import case_place, policy_place
from backend.research.board import case_book, documents
from backend.research.jobs import types as job_types
from backend.research.money import claims, payees, payouts
from backend.research.types import StudyId
from backend.types import Bytes32, ConsentId, MemberId, SubjectId

Document: TypeAlias = Mapping[str, Any]


class Sealed(NamedTuple):
    """A sealed document, and what opens it beside its owner's key."""

    document: bytes
    subject: SubjectId | None
    place: str
    share: Secret | None


@dataclass(frozen=True, slots=True)
class SealedField:
    """``member``: its path, as the index takes it. ``kind``: of acts, the kind that has it. ``optional``:
    whether it may be empty."""

    collection: str
    member: str
    owner: Callable[[Document], SubjectId | None]
    place: Callable[[Document], str]
    share: Callable[[Document], KeyName] | None = None
    kind: str | None = None
    optional: bool = False

    def is_of(self, document: Document) -> bool:
        """Whether this document has the member."""
        return self.kind is None or document["kind"] == self.kind

    def found(self, document: Document, keys: KeyStore) -> Sealed | None:
        """Return what is sealed, None where it is empty.

        Raises SecretNotFound where its share was erased, and what reading a malformed document raises.
        """
        value: Any = document
        for name in self.member.split("."):
            value = value[name]
        if self.optional and not value:
            return None
        share = None if self.share is None else keys.get(*self.share(document))
        return Sealed(bytes(value), self.owner(document), self.place(document), share)

    def exchanged(self, document: Document, sealed: bytes) -> dict[str, Any]:
        """Return the document with other bytes in this member."""
        first, _, rest = self.member.partition(".")
        return {**document, first: {**document[first], rest: sealed} if rest else sealed}


def _by_subject(document: Document) -> SubjectId:
    return SubjectId(int(document["subject"], 16))


def _by_id(document: Document) -> SubjectId:
    return SubjectId(int(document["_id"], 16))


def _by_receiver(document: Document) -> SubjectId:
    return SubjectId(int(document["receiver"], 16))


def _of_act(document: Document) -> SubjectId:
    return _by_subject(document["data"])


def _custodian(_: Document) -> None:
    return None


def _at(place: Callable[[str], str]) -> Callable[[Document], str]:
    """A place that is named after the document."""
    return lambda document: place(document["_id"])


def _care_team(document: Document) -> str:
    team, _, digest = document["_id"].partition("/")
    return care_team_shelf.place_of(MemberId(bytes.fromhex(team)), Bytes32(bytes.fromhex(digest)))


def _study(name: str) -> StudyId:
    return StudyId(bytes.fromhex(name))


def _protocol(document: Document) -> str:
    study, _, digest = document["_id"].partition("/")
    return documents.place_of(_study(study), bytes.fromhex(digest))


def _payee(document: Document) -> str:
    study = document["study"]  # of a row in hex
    return payees.place_of(bytes.fromhex(study) if isinstance(study, str) else study, _by_subject(document))


def _consent(name: str) -> str:
    return evidence_store.place_of(ConsentId(bytes.fromhex(name)))


def _stop(part: str) -> SealedField:
    """A document that came with a revocation."""
    return SealedField(
        "acts",
        f"data.{part}",
        _of_act,
        lambda document: revocations.place_of(document["data"]["digest"], part),
        kind=revocations.ACT,
        optional=True,
    )


SEALED_FIELDS: Final = (
    SealedField("enrolments", "person", _by_id, lambda _: PERSON_PLACE),
    SealedField("enrolments", "claim_message", _by_id, lambda _: CLAIM_PLACE, optional=True),
    SealedField(
        "records",
        "manifest",
        _by_subject,
        _at(manifest.place_of),
        share=lambda document: manifest.manifest_share_of(document["_id"]),
    ),
    SealedField("key_slots", "sealed", _by_subject, _at(slot_book.place_of)),
    SealedField("consents", "sealed", _by_subject, _at(_consent)),
    SealedField(
        "consent_requests", "sealed", _by_subject, lambda document: requests.place_of(request_of(document))
    ),
    SealedField("papers", "sealed", _by_subject, _at(paper_types.place_of)),
    SealedField("papers", "scan", _by_subject, _at(paper_types.scan_place_of)),
    SealedField(
        "recovery_policies",
        "sealed",
        _by_subject,
        lambda document: policy_place(Bytes32(bytes.fromhex(document["_id"]))),
    ),
    SealedField("recovery_cases", "sealed", _by_subject, _at(case_place)),
    SealedField("legal_holds", "signed", _by_subject, _at(holds.place_of)),
    SealedField("payees", "sealed", _by_subject, _payee),
    SealedField(
        "payment_leaves",
        "sealed",
        _by_subject,
        lambda document: payouts.place_of(bytes.fromhex(document["_id"])),
    ),
    SealedField(
        "contacts", "sealed", _by_id, lambda document: contact_book.place_of(SubjectId(_by_id(document)))
    ),
    SealedField("mails", "sealed", _by_receiver, _at(delivering.place_of), optional=True),  # over: no text
    SealedField("deliveries", "sealed", _custodian, _at(delivering.place_of)),
    SealedField("webhooks", "sealed", _custodian, _at(endpoints.place_of)),
    SealedField("staff", "name", _custodian, _at(staff_name)),
    SealedField(
        "member_names",
        "name",
        _custodian,
        lambda document: member_name(MemberId(bytes.fromhex(document["_id"]))),
    ),
    SealedField(
        "board_cases", "sealed", _custodian, lambda document: case_book.place_of(_study(document["_id"]))
    ),
    SealedField("study_documents", "sealed", _custodian, _protocol),
    SealedField("care_teams", "sealed", _custodian, _care_team),
    SealedField(
        "care_team_lists",
        "sealed",
        _custodian,
        lambda document: care_team_shelf.list_place_of(int(document["revision"])),
    ),
    SealedField("research_jobs", "result", _custodian, _at(job_types.place_of), optional=True),
    SealedField("research_jobs", "prepared", _custodian, _at(job_types.place_of), optional=True),
    # What acts hold is kept when they are over.
    SealedField(
        "acts",
        "data.sealed",
        _of_act,
        lambda document: _consent(document["act_id"]),
        kind=consents.ACT,
    ),
    SealedField(
        "acts",
        "data.manifest",
        _of_act,
        lambda document: manifest.place_of(document["act_id"]),
        share=lambda document: manifest.manifest_share_of(document["act_id"]),
        kind=storing.ACT,
    ),
    SealedField("acts", "data.sealed", _of_act, lambda document: _payee(document["data"]), kind=payees.ACT),
    SealedField(
        "acts",
        "data.sealed",
        _custodian,
        lambda document: claims.place_of_claim(document["act_id"]),
        kind=claims.ACT,
        optional=True,  # over: nothing
    ),
    _stop("document"),
    _stop("via"),
)


def fields_by_collection() -> Mapping[str, Sequence[SealedField]]:
    found: dict[str, list[SealedField]] = defaultdict(list)
    for field in SEALED_FIELDS:
        found[field.collection].append(field)
    return found

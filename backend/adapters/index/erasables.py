"""Everything in the index that is about a person, class by class, and how each is erased.

A collection that nothing here claims must stand in ``NOTHING_ABOUT_A_PERSON`` with the reason; a test
compares both with the collections that the adapters make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pymongo import ASCENDING
from pymongo.database import Database

from backend.adapters.index.failures import translated
from backend.adapters.index.joining_store import JoinedPatients
from backend.adapters.index.marks import Purpose
from backend.adapters.index.record_index import row_of
from backend.adapters.index.release_store import ReleaseMembers
from backend.adapters.index.values import text_values
from backend.erasure.ports import Erasable
from backend.erasure.types import Scope
from backend.keystore import KeyName
from backend.records.ports import VersionRow
from backend.research.releases.types import Mark
from backend.research.types import StudyId
from backend.types import SubjectId, subject_text

LATER: Final = frozenset({"revocations"})
"""Classes of which there may be some after an erasure: nothing blocks a revocation."""

_WRITING: Final = [
    "record",
    "consent",
    "key_binding",
    "payee",
    "recovery",
]  # kinds of acts that write rows about a person
# What waits for a time, or restricts: an erasure does not wait for it.
_STOPPING: Final = ["revocation", "key_withdrawal", "recovery_completion"]
Query: TypeAlias = dict[str, Any]
_Database: TypeAlias = Database[dict[str, Any]]

NOTHING_ABOUT_A_PERSON: Final[Mapping[str, str]] = MappingProxyType(
    {
        "erasures": "what stays of a person: a pseudonym, dates and counts, so that a restore erases again",
        "audit_bundles": "leaves of entries: salted commitments under audit keys, which are destroyed",
        "audit_bodies": "entries under audit keys, which are destroyed: nobody reads them",
        "audit_state": "size and root of the log",
        "audit_checkpoints": "signed sizes and roots of the log",
        "audit_log_keys": "public keys that sign checkpoints",
        "schema": "in which form the index was written",
        "idempotency": "keyed hashes of a caller, a route and a key: found by nobody who has not all three",
        "used_once": "nonces of sign-ins, purged when they expire",
        "sign_in_attempts": "counters of staff's sign-ins",
        "contact_counters": "counters under keyed hashes, purged when they expire",
        "staff": "accounts of staff",
        "clients": "systems of members",
        "webhooks": "where systems of members want their messages",
        "signing_keys": "states of keys",
        "care_teams": "staff and systems, in versions that entries of other patients' logs rest on",
        "care_team_lists": "which version of each care team counts",
        "member_names": "names of organisations",
        "notices": "published texts",
        "notice_cursor": "how far the log was read",
        "chain_positions": "how far the chain was read",
        "studies": "proposals of researchers",
        "board_cases": "what an ethics board said of a study, and who of it signed",
        "study_documents": "protocols of studies",
        "study_stops": "which acts of the board stop a study",
        "study_runs": "which results of studies were released, by their digests",
        "result_removals": "which studies' results were removed",
        "catalogue_drawings": "figures about groups, noised",
        "catalogue_turns": "who draws them, and how far that is",
        "research_releases": "which studies got a table, of how many, and what it promised",
        "research_answers": "figures about groups, noised",
        "escrow_fundings": "deposits of the payments office",
        "study_results": "hashes of studies' results and how many patients they are about",
        "payout_trees": "hashes of payments over random salts, which lie under the patients' keys",
        "research_thresholds": "rounded counts of eleven patients or more",
        "privacy_balances": "what was spent of the custodian's privacy budget",
        "privacy_charges": "by which study, in order",
    }
)


class Rows:
    """The documents of one collection that a query finds; of a person alone, unless ``of_records``."""

    def __init__(
        self,
        database: _Database,
        name: str,
        collection: str,
        query: Callable[[Scope], Query | None],
        *,
        of_records: bool = False,
    ) -> None:
        self.name = name
        self.collections = frozenset({collection})
        self._rows = database[collection]
        self._query = query
        self._of_records = of_records

    def keys_of(self, scope: Scope) -> Iterable[KeyName]:  # noqa: ARG002 - rows have no key of their own
        return ()

    def count(self, scope: Scope) -> int:
        query = self._wanted(scope)
        if query is None:
            return 0
        with translated():
            return self._rows.count_documents(query)

    def erase(self, scope: Scope) -> None:
        query = self._wanted(scope)
        if query is not None:
            with translated():
                self._rows.delete_many(query)

    def _wanted(self, scope: Scope) -> Query | None:
        return self._query(scope) if scope.is_person or self._of_records else None


class Messages:
    """Messages to members' systems, sealed under the custodian's key: each is opened to see whom it is about.

    ``opened``: a message's body by its document; None for one that does not open.
    """

    name = "messages"
    collections = frozenset({"deliveries"})

    def __init__(self, database: _Database, opened: Callable[[Mapping[str, Any]], bytes | None]) -> None:
        self._database = database
        self._deliveries = database["deliveries"]
        self._opened = opened

    def keys_of(self, scope: Scope) -> Iterable[KeyName]:  # noqa: ARG002
        return ()

    def count(self, scope: Scope) -> int:
        return len(self._about(scope))

    def erase(self, scope: Scope) -> None:
        about = self._about(scope)
        if about:
            with translated():
                self._deliveries.delete_many({"_id": {"$in": about}})

    def _about(self, scope: Scope) -> list[str]:
        if not scope.is_person:
            return []
        with translated():
            artefacts = self._database["abdm_artefacts"].find({"subject": scope.subject_hex}, {"_id": 1})
            named = [subject_text(scope.subject), *(str(found["_id"]) for found in artefacts)]
            documents = list(self._deliveries.find({}))
        words = [name.encode() for name in named]
        bodies = ((str(document["_id"]), self._opened(document)) for document in documents)
        return [name for name, body in bodies if body is not None and any(word in body for word in words)]


class PersonKeys:
    """The secrets that a person's documents, slots and log entries hang on."""

    name = "person_keys"
    collections: frozenset[str] = frozenset()

    def __init__(self, *names_of: Callable[[SubjectId], Iterable[KeyName]]) -> None:
        self._names_of = names_of

    def keys_of(self, scope: Scope) -> Iterable[KeyName]:
        if scope.is_person:
            for names_of in self._names_of:
                yield from names_of(scope.subject)

    def count(self, scope: Scope) -> int:  # noqa: ARG002 - counted among the keys
        return 0

    def erase(self, scope: Scope) -> None:
        """Keys are destroyed together, with those of everything else."""


class RecordVersions:
    """Implements ``backend.erasure.ports.RecordRows`` and ``backend.erasure.retention.Retained``."""

    def __init__(self, database: _Database) -> None:
        self._rows = database["records"]

    def versions(self, scope: Scope) -> Sequence[VersionRow]:
        with translated():
            return [row_of(found) for found in self._rows.find(_records(scope)).sort("_id", ASCENDING)]

    def subjects(self) -> Sequence[SubjectId]:
        """Everybody who has a record."""
        with translated():
            return sorted(SubjectId(int(subject, 16)) for subject in text_values(self._rows, "subject"))


def erasables(
    database: _Database,
    *,
    opened: Callable[[Mapping[str, Any]], bytes | None],
    names_of: Sequence[Callable[[SubjectId], Iterable[KeyName]]],
    mark_of: Callable[[StudyId, SubjectId], Mark],
    marked: Callable[[Purpose], Callable[[dict[str, Any]], dict[str, Any]]],
    released: Erasable,
) -> tuple[Erasable, ...]:
    """Return all classes, in the order in which they are erased: what finds others comes after them."""

    def rows(name: str, collection: str, query: Callable[[Scope], Query | None]) -> Rows:
        return Rows(database, name, collection, query)

    return (
        # The doors first: nobody comes back in.
        rows("sessions", "token_families", lambda scope: _sessions(database, scope)),
        rows("enrolments", "enrolments", _by_id),
        rows("contacts", "contacts", _by_id),
        rows("mails", "mails", lambda scope: {"receiver": scope.subject_hex}),
        Messages(database, opened),
        rows("reminders", "reminders", _by_subject),
        rows("revocation_notices", "revocation_notices", _by_subject),
        rows(
            "abdm_notifications",
            "abdm_notifications",
            lambda scope: _of_consents(database, scope, "consent_id"),
        ),
        rows("abdm_artefacts", "abdm_artefacts", _by_subject),
        rows("consent_uses", "consent_uses", lambda scope: _of_consents(database, scope, "_id")),
        rows("papers_recorded", "acts", lambda scope: _paper_acts(database, scope)),
        rows("papers", "papers", _by_subject),
        rows("recovery_policies", "recovery_policies", _by_subject),
        rows("recovery_cases", "recovery_cases", _by_subject),
        rows("consents", "consents", _by_subject),
        rows("requests", "consent_requests", _by_subject),
        rows("blocked_requesters", "requester_blocks", _by_subject),
        rows("research_uses", "research_uses", _by_subject),
        # An export opens as a whole or not at all: with one of its patients, or a record of theirs, it goes.
        Rows(
            database,
            "research_exports",
            "research_exports",
            lambda scope: {"subjects": scope.subject_hex},
            of_records=True,
        ),
        rows("payees", "payees", _by_subject),
        rows("payments", "payment_leaves", _by_subject),
        rows("payment_shares", "payment_shares", _by_subject),
        JoinedPatients(database, marked("privacy_marks")),
        released,
        ReleaseMembers(database, mark_of=mark_of, marked=marked("release_members")),
        rows("key_slots", "key_slots", _by_subject),
        rows("encryption_keys", "recipient_keys", lambda scope: {"holder": f"subject/{scope.subject_hex}"}),
        rows("legal_holds", "legal_holds", _by_subject),
        Rows(database, "acts", "acts", _acts, of_records=True),
        rows("revocations", "acts", _revocations),
        Rows(database, "record_versions", "records", _records, of_records=True),
        PersonKeys(*names_of),
    )


def under_way(database: _Database) -> Callable[[Scope], bool]:
    """Return what tells whether an act that writes rows about a scope has not come to its end.

    Revocations do not count: they write nothing but to the chain, and nothing may wait for them.
    """
    acts, papers = database["acts"], database["papers"]

    def writing(scope: Scope) -> bool:
        unfinished: Query = {"over": False, "kind": {"$in": _WRITING}}
        if not scope.is_person:
            unfinished["kind"] = "record"
        with translated():
            found = list(acts.find({**unfinished, "data.subject": scope.subject_hex}))
            if not scope.is_person:
                wanted = {record.hex() for record in scope.records}
                return any(act["act_id"].partition("/")[0] in wanted for act in found)
            if found:
                return True
            on_paper = list(acts.find({"over": False, "kind": "paper"}))
            return any(
                papers.find_one({"_id": act["act_id"], "subject": scope.subject_hex}) for act in on_paper
            )

    return writing


def _by_subject(scope: Scope) -> Query:
    return {"subject": scope.subject_hex}


def _by_id(scope: Scope) -> Query:
    return {"_id": scope.subject_hex}


def _records(scope: Scope) -> Query:
    if scope.is_person:
        return _by_subject(scope)
    return {**_by_subject(scope), "record_id": {"$in": [record.hex() for record in scope.records]}}


def _acts(scope: Scope) -> Query:
    """What the outbox keeps of documents that were stored, and of consents and keys that were recorded."""
    if scope.is_person:
        return {"over": True, "kind": {"$in": _WRITING}, "data.subject": scope.subject_hex}
    versions = [
        # '0' follows '/': every version of the record.
        {"act_id": {"$gte": f"{record.hex()}/", "$lt": f"{record.hex()}0"}}
        for record in scope.records
    ]
    return {"over": True, "kind": "record", "data.subject": scope.subject_hex, "$or": versions}


def _revocations(scope: Scope) -> Query:
    return {"over": True, "kind": {"$in": _STOPPING}, "data.subject": scope.subject_hex}


def _sessions(database: _Database, scope: Scope) -> Query | None:
    """Sign-ins of the wallet that is enrolled; a guardian's are the guardian's own."""
    with translated():
        found = database["enrolments"].find_one({"_id": scope.subject_hex})
    if found is None or found["account"] is None or found["is_child"]:
        return None
    return {"principal": f"wallet:{found['account']}"}


def _of_consents(database: _Database, scope: Scope, field: str) -> Query:
    with translated():
        found = database["consents"].find(_by_subject(scope), {"_id": 1})
        return {field: {"$in": [str(document["_id"]) for document in found]}}


def _paper_acts(database: _Database, scope: Scope) -> Query:
    with translated():
        found = database["papers"].find(_by_subject(scope), {"_id": 1})
        return {
            "over": True,
            "kind": "paper",
            "act_id": {"$in": [str(document["_id"]) for document in found]},
        }

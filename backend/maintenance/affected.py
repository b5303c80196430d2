"""``assent audit affected``: whom a breach concerns, from the log of a stopped service."""

from __future__ import annotations

from typing import Any

from backend.adapters.index.blind import BlindIndex
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.index.identity_store import MongoStaffStore
from backend.api.affected import affected_view, suspect_of
from backend.consent.tables import load_tables
from backend.errors import NotFound
from backend.identity.people import People
from backend.identity.seal import Sealer
from backend.keystore import SecretNotFound
from backend.maintenance.audit_replay import kept_by
from backend.maintenance.stopped_log import StoppedLog
from backend.records.affected import BreachSearch
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import MemberId, SubjectId


def find_affected(
    stores: Stores,
    *,
    token: str | None,
    session: str | None,
    client: str | None,
    user: str | None,
    member: MemberId | None,
    start_ms: int | None,
    end_ms: int | None,
    record_numbers: bool,
) -> dict[str, Any]:
    """Return the answer as the API's, with ``record_numbers`` one for each patient who has one.

    ``user``: a user name or staff id. Raises NotFound for a user name that nobody has, else as
    ``BreachSearch.affected``.
    """
    staff = None if user is None else _staff_id(stores, user)
    suspect = suspect_of(token=token, session=session, client=client, user=staff, member=member)
    log = StoppedLog(stores, reader="audit-affected")
    try:
        search = BreachSearch(search=log.search, manifest_of=kept_by(stores).manifests.kept)
        found = search.affected(suspect, start_ms, end_ms)
        for subject in sorted({*found.concerned, *found.refused}):
            log.note(subject)
        log.note(None, whole=True)
    finally:
        log.close()
    plain = affected_view(found, load_tables()).model_dump(mode="json")
    if record_numbers:
        for patient in (*plain["patients"], *plain["refused"]):
            patient["record_number"] = _record_number(stores, SubjectId(int(patient["subject"], 16)))
    return plain


def _staff_id(stores: Stores, user: str) -> str:
    """Return the id of a user name; what is no user name may be the id of an account that is gone."""
    staff = MongoStaffStore(
        stores.database, blind=BlindIndex(stores.keys, "staff"), documents=DocumentSealer(stores.keys)
    )
    found = staff.by_username(user.strip().lower())
    if found is not None:
        return Sealer(stores.keys).check(found).staff_id
    if len(user) == 32 and set(user) <= set("0123456789abcdef"):
        return user
    raise NotFound(f"There is no account {user}.", field="user")


def _record_number(stores: Stores, subject: SubjectId) -> str | None:
    enrolment = MongoEnrolmentStore(stores.database).get(subject)
    if enrolment is None:
        return None
    people = People(keys=stores.keys, documents=DocumentSealer(stores.keys))
    try:
        return people.open(Sealer(stores.keys).check(enrolment).person, subject).record_number
    except SecretNotFound:
        return None  # erased since

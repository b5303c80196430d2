"""Requests for consent: a provider asks, the patient answers by signing a grant (narrower if so wished) or a
refusal. A request lapses after thirty days; one is open per requester, subject and purpose.

A patient may block a requester. Its requests are then taken as ever and lapse unseen: an answer that told of
the block would tell what the patient thinks of the requester, who may be the one to fear.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.errors import InvalidTerms
from backend.consent.evidence_store import ConsentIndex, RequestRow
from backend.consent.states import State
from backend.consent.subset import Asked, check_answers
from backend.consent.tables import Tables
from backend.consent.terms import EVERYONE, UNBOUNDED, ZERO32, Grant, Kind
from backend.errors import Conflict, NotFound
from backend.sealed import DocumentSealer, require_schema
from backend.types import Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

SCHEMA_VERSION: Final = 1
LAPSE_SECONDS: Final = 30 * 24 * 3600
MAX_MESSAGE_CHARACTERS: Final = 1_000
BLOCKED: Final = "requester_blocked"  # reason in the log, which the patient reads and the requester does not


class RequestUnknown(NotFound):
    code = "request_unknown"
    remedy = "Check the request's id; GET /v1/consent-requests lists those you may see."


class RequestOpen(Conflict):
    code = "request_open"
    remedy = "There is an open request for one of these purposes. Wait for the answer, or until it lapses."


class RequestOver(Conflict):
    code = "request_over"
    remedy = "The request was answered or has lapsed. The provider can ask again."


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """A request as its parties see it. ``message`` is the requester's own words to the patient; ``source``
    the request in the words of the standard it came in, as JSON, or nothing."""

    request_id: Bytes32
    asked: Asked
    message: str
    created_at: UnixSeconds
    lapses_at: UnixSeconds
    state: State  # REQUESTED, GRANTED, REFUSED or LAPSED
    consent_id: ConsentId | None
    source: str = ""


class RequestService:
    """Keeps requests and says whether a grant answers one."""

    def __init__(
        self,
        *,
        index: ConsentIndex,
        sealer: DocumentSealer,
        audit: AuditLog,
        tables: Tables,
        clock: Callable[[], int],
    ) -> None:
        self._index = index
        self._sealer = sealer
        self._audit = audit
        self._tables = tables
        self._clock = clock
        # Only one process writes the audit log, and so takes requests: a lock in it is enough.
        self._asking = threading.Lock()

    def ask(
        self,
        asked: Asked,
        message: str,
        *,
        requester: Agent,
        source: str = "",
        request_id: Bytes32 | None = None,
    ) -> ConsentRequest:
        """Keep a request and return it. Raises InvalidTerms and RequestOpen.

        ``request_id``: of a try that may be repeated; a request that was kept with it is returned.
        """
        kept = None if request_id is None else self._index.request(request_id)
        if kept is not None:
            self._asked(kept, requester)
            return self._open(kept)
        self._check(asked, message)
        now = UnixSeconds(self._clock())
        request_id = request_id or Bytes32(secrets.token_bytes(32))
        encoded = _encode(asked, message, source)
        bare = RequestRow(
            request_id=request_id,
            subject=asked.subject,
            requester=asked.grantee,
            purposes=asked.purposes,
            sealed=b"",
            created_at=now,
            lapses_at=UnixSeconds(now + LAPSE_SECONDS),
            state=State.REQUESTED.value,
        )
        row = replace(bare, sealed=self._sealer.seal(encoded, subject=asked.subject, place=place_of(bare)))
        with self._asking:
            others = self._index.open_requests(asked.subject, asked.grantee, now=now)
            if any(other.purposes & asked.purposes for other in others):
                raise RequestOpen
            if not self._index.put_request(row):
                raise RequestOpen
        self._asked(row, requester)
        return self._open(row)

    def _asked(self, row: RequestRow, requester: Agent) -> None:
        # As an act of the request's name, so that a try after a crash finds the entry or makes it.
        blocked = self.is_blocked(row.subject, row.requester)
        self._audit.append(
            AuditEvent(
                type=codes.CONSENT_REQUESTED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=row.created_at * 1000,
                actor=requester,
                organisation=row.requester,
                subject=row.subject,
                reasons=(BLOCKED,) if blocked else (),
                detail={"request": bytes(row.request_id)},
            ),
            act=bytes(row.request_id[:16]),
        )

    def get(self, request_id: Bytes32) -> ConsentRequest:
        """Return a request; the caller has to be one of its parties. Raises RequestUnknown."""
        row = self._index.request(request_id)
        if row is None:
            raise RequestUnknown
        return self._open(row)

    def of_subject(self, subject: SubjectId, *, limit: int) -> list[ConsentRequest]:
        """Those the patient is to see: none that waits for an answer and is of a blocked requester."""
        unwanted = [member for member, _ in self.blocked(subject)]
        rows = self._index.requests_of(subject=subject, requester=None, limit=limit, but_open_from=unwanted)
        return [self._open(row) for row in rows]

    def of_requester(self, requester: MemberId, *, limit: int) -> list[ConsentRequest]:
        rows = self._index.requests_of(subject=None, requester=requester, limit=limit)
        return [self._open(row) for row in rows]

    def block(self, subject: SubjectId, requester: MemberId, *, by: Agent) -> None:
        """Keep this requester's requests from the patient, from now on and those that wait. Repeatable."""
        if requester == EVERYONE:
            raise InvalidTerms("Name one member.", field="member")
        if self._index.block(subject, requester, at=UnixSeconds(self._clock())):
            self._log(codes.REQUESTER_BLOCKED, subject, requester, by)

    def unblock(self, subject: SubjectId, requester: MemberId, *, by: Agent) -> None:
        """Let them through again, also those that wait still. Repeatable."""
        if self._index.unblock(subject, requester):
            self._log(codes.REQUESTER_UNBLOCKED, subject, requester, by)

    def blocked(self, subject: SubjectId) -> Sequence[tuple[MemberId, UnixSeconds]]:
        """Return the requesters this patient blocks, and since when."""
        return self._index.blocked(subject)

    def is_blocked(self, subject: SubjectId, requester: MemberId) -> bool:
        return any(member == requester for member, _ in self.blocked(subject))

    def _log(self, code: str, subject: SubjectId, requester: MemberId, by: Agent) -> None:
        self._audit.append(
            AuditEvent(
                type=code,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1000,
                actor=by,
                subject=subject,
                detail={"requester": bytes(requester)},
            )
        )

    def check_answers(self, grant: Grant) -> None:
        """Raise RequestUnknown, RequestOver or WiderThanRequest unless the grant answers its request.

        A grant without a request is the patient's own initiative.
        """
        if grant.request == ZERO32:
            if grant.kind == Kind.REFUSAL:
                raise InvalidTerms("A refusal answers a request.", field="request")
            return
        request = self.get(grant.request)
        if request.state != State.REQUESTED:
            raise RequestOver
        check_answers(grant, request.asked)

    def answered(self, grant: Grant, consent_id: ConsentId) -> None:
        """Note the answer. Repeating is harmless."""
        if grant.request != ZERO32:
            state = State.GRANTED if grant.kind == Kind.PERMIT else State.REFUSED
            self._index.answer_request(grant.request, state=state.value, consent_id=consent_id)

    def _check(self, asked: Asked, message: str) -> None:
        for name in ("purposes", "categories", "sensitivities", "actions"):
            table = getattr(self._tables, name)
            table.check(getattr(asked, name), field=name)
        for name in ("purposes", "categories", "actions"):
            if not getattr(asked, name):
                raise InvalidTerms("Ask for one thing at least.", field=name)
        if len(message) > MAX_MESSAGE_CHARACTERS:
            raise InvalidTerms(f"At most {MAX_MESSAGE_CHARACTERS} characters.", field="message")
        for start, end in (("data_from", "data_to"), ("not_before", "not_after")):
            if not 0 <= getattr(asked, start) < getattr(asked, end) <= UNBOUNDED:
                raise InvalidTerms("The window ends before it begins.", field=end)
        if asked.not_after <= self._clock():
            raise InvalidTerms("The time asked for is over.", field="not_after")

    def _open(self, row: RequestRow) -> ConsentRequest:
        opened = self._sealer.open(row.sealed, subject=row.subject, place=place_of(row))
        asked, message, source = _decode(opened, row.subject, row.requester)
        lapsed = row.state == State.REQUESTED and row.lapses_at <= self._clock()
        return ConsentRequest(
            request_id=row.request_id,
            asked=asked,
            message=message,
            created_at=row.created_at,
            lapses_at=row.lapses_at,
            state=State.LAPSED if lapsed else State(row.state),
            consent_id=row.consent_id,
            source=source,
        )


def _encode(asked: Asked, message: str, source: str) -> bytes:
    plain = {name: value for name, value in asdict(asked).items() if name not in ("subject", "grantee")}
    return json.dumps(
        {"schema": SCHEMA_VERSION, "asked": plain, "message": message, "source": source}
    ).encode()


def _decode(encoded: bytes, subject: SubjectId, grantee: MemberId) -> tuple[Asked, str, str]:
    value = json.loads(encoded)
    require_schema(value["schema"], SCHEMA_VERSION)
    return (
        Asked(subject=subject, grantee=grantee, **value["asked"]),
        value["message"],
        value.get("source", ""),
    )


def place_of(row: RequestRow) -> str:
    """Return what the sealed part of a request is bound to: all of the row that never changes."""
    unchanging = (
        row.request_id.hex(),
        row.requester.hex(),
        f"{row.purposes:016x}",
        row.created_at,
        row.lapses_at,
    )
    return "consent_requests/" + "/".join(map(str, unchanging))

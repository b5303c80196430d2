"""What is expected when a document of each collection of the index is changed.

A collection that is not here fails the test: whoever adds one says what depends on its documents, and gives a
reason for each change that ``fsck`` cannot see or after which an answer is another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """``asked``: the beginnings of the questions whose answers depend on a document, given the document.

    ``checked``: by which part of ``fsck``, "" for none. ``named``: what of the document ``fsck`` says.
    ``unseen``: changes (a pattern over "member how") of which ``fsck`` says nothing, and why that harms nobody.
    ``differs``: changes after which an answer is another one, without a refusal, and why that harms nobody.
    """

    asked: Callable[[Document], tuple[str, ...]]
    checked: str
    named: Callable[[Document], str]
    unseen: Mapping[str, str] = field(default_factory=dict)
    differs: Mapping[str, str] = field(default_factory=dict)


def reason(excuses: Mapping[str, str], how: str) -> str | None:
    """Return the pattern that excuses a change."""
    return next((pattern for pattern in excuses if re.fullmatch(pattern, how)), None)


def _nothing(_: Document) -> tuple[str, ...]:
    return ()


def _reads(document: Document) -> tuple[str, ...]:
    return (f"read {document['subject']}",)


def _own(document: Document) -> tuple[str, ...]:
    return f"read {document['subject']}", f"own {document['subject']}"


def _always(*questions: str) -> Callable[[Document], tuple[str, ...]]:
    return lambda _: questions


def _by_id(collection: str) -> Callable[[Document], str]:
    return lambda document: f"{collection} {document['_id']}"


def documents(
    collection: str,
    asked: Callable[[Document], tuple[str, ...]],
    unseen: Mapping[str, str] | None = None,
    differs: Mapping[str, str] | None = None,
) -> Stored:
    """A collection whose documents ``backend.maintenance.documents`` opens."""
    return Stored(asked, "documents", _by_id(collection), unseen or {}, differs or {})


def unprotected(
    why: str, asked: Callable[[Document], tuple[str, ...]] = _nothing, *, differs: str = ""
) -> Stored:
    """A collection that ``fsck`` does not look at."""
    return Stored(asked, "", lambda document: "", {".*": why}, {".*": differs} if differs else {})


STORED: Final[dict[str, Stored]] = {
    "records": Stored(_reads, "records", lambda row: row["_id"]),
    "key_slots": documents("key_slots", _reads),
    "consents": Stored(_own, "consents", lambda row: row["_id"]),
    "consent_uses": unprotected("x", _always("read")),
    "consent_requests": documents("consent_requests", lambda row: (f"own {row['subject']} consent-requests", "system requests")),
    "requester_blocks": unprotected("x", _own),
    "care_teams": Stored(_always("staff teams", "read"), "care teams", lambda row: row["_id"].split("/")[1]),
    "care_team_lists": Stored(_always("staff teams", "read"), "care teams", lambda row: "list of care teams"),
    "enrolments": documents("enrolments", lambda row: (f"own {row['_id']}", f"read {row['_id']}", f"find {row['_id']}")),
    "contacts": documents("contacts", lambda row: (f"own {row['_id']} contact",)),
    "staff": documents("staff", _always("staff users", "staff sign-in", "staff teams")),
    "clients": documents("clients", _always("staff clients", "system")),
    "token_families": documents("token_families", _always("staff users", "staff paper", "system requests", "study list")),
    "signing_keys": documents("signing_keys", _always("staff users", "staff sign-in")),
    "webhooks": documents("webhooks", _always("system webhook")),
    "deliveries": documents("deliveries", _always("staff deliveries")),
    "mails": documents("mails", _nothing),
    "member_names": documents("member_names", _always("staff members")),
    "notices": documents("notices", _always("system notices")),
    "papers": documents("papers", _always("staff paper", "staff scan")),
    "studies": documents("studies", _always("study list")),
    "acts": documents("acts", _always("read", "own")),
    "revocation_notices": unprotected("x", lambda row: (f"own {row['subject']}",)),
    "reminders": unprotected("x"),
    "notice_cursor": unprotected("x"),
    "contact_counters": unprotected("x"),
    "sign_in_attempts": unprotected("x", _always("staff sign-in")),
    "used_once": unprotected("x"),
    "idempotency": unprotected("x"),
    "abdm_artefacts": unprotected("x"),
    "abdm_notifications": unprotected("x"),
    "research_answers": unprotected("x"),
    "research_uses": unprotected("x", lambda row: (f"own {row['subject']} studies/uses",)),
    "privacy_marks": unprotected("x"),
    "privacy_charges": documents("privacy_charges", _nothing),
    "erasures": unprotected("x", _own),
    "legal_holds": unprotected("x"),
    "audit_bundles": Stored(_nothing, "audit", lambda row: ""),
    "audit_checkpoints": Stored(_nothing, "audit", lambda row: f"checkpoint {int(row['_id'])}"),
    "audit_state": Stored(_nothing, "audit", lambda row: "audit log"),
}  # fmt: skip

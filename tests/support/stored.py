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

    ``checked``: by which part of ``fsck``, "" for none. ``named``: what ``fsck`` calls it, one of.
    ``excused``: changes (a pattern over "member how") of which ``fsck`` says nothing, or after which an
    answer is another one without a refusal, and why.
    """

    asked: Callable[[Document], tuple[str, ...]]
    checked: str
    named: Callable[[Document], tuple[str, ...]]
    excused: Mapping[str, str] = field(default_factory=dict)


def reason(excuses: Mapping[str, str], how: str) -> str | None:
    """Return the pattern that excuses a change."""
    return next((pattern for pattern in excuses if re.fullmatch(pattern, how)), None)


def _nothing(_: Document) -> tuple[str, ...]:
    return ()


def _reads(document: Document) -> tuple[str, ...]:
    return (f"read {document['subject']}",)


def _own(document: Document) -> tuple[str, ...]:
    return f"read {document['subject']}", f"own {document['subject']} consents"


def _always(*questions: str) -> Callable[[Document], tuple[str, ...]]:
    return lambda _: questions


def _by_id(collection: str) -> Callable[[Document], tuple[str, ...]]:
    return lambda document: (f"{collection} {document['_id']}",)


def documents(
    collection: str,
    asked: Callable[[Document], tuple[str, ...]],
    excused: Mapping[str, str] | None = None,
) -> Stored:
    """A collection whose documents ``backend.maintenance.documents`` opens."""
    return Stored(asked, "documents", _by_id(collection), excused or {})


def unprotected(why: str, asked: Callable[[Document], tuple[str, ...]] = _nothing) -> Stored:
    """A collection that ``fsck`` does not look at."""
    return Stored(asked, "", _by_id(""), {".*": why})


DELETED: Final = "a door that is gone opens for nobody"
ORDER: Final = "a time by which lists are ordered"
COUNTER: Final = "the number that compare-and-swap compares: a change that was begun is begun again"
QUEUE: Final = "the queue of what is to be told: what is told is sealed, and the log has it, too"
MARK: Final = "a mark that is kept for a time only"
FINDS: Final = "finds, and permits nothing: what it leads to is checked itself"
MISSED: Final = "not found and so counted as missing: no payout is built until that is explained"
OVER: Final = "of an act that is over nobody reads more than that it is; its entry stands in the log"

STORED: Final[dict[str, Stored]] = {
    "records": Stored(
        _reads,
        "records",
        lambda row: (row["_id"], row["commitment"].hex()),
        excused={"created_at .*": ORDER, "current changed": "of two current versions the newer is read"},
    ),
    "key_slots": documents(
        "key_slots",
        _reads,
        {"revision .*": COUNTER, "deleted": "named where it is missed, with the segment that needs it"},
    ),
    "consents": Stored(
        _own,
        "consents",
        lambda row: (row["_id"],),
        excused={
            "received_at .*": ORDER,
            "delegate .*": "finds whom an account acts for; the chain decides",
            "(block|transaction) .*": "repeats the chain for the list, and named",
            "deleted|subject .*|swapped with its sibling": (
                "not listed, and named; decisions count the documents on the chain and refuse"
            ),
        },
    ),
    "consent_uses": Stored(
        _always("read", "image"), "log and uses", lambda row: (f"uses of consent {row['_id']}",)
    ),
    "consent_requests": documents(
        "consent_requests",
        lambda row: (f"own {row['subject']} consent-requests", "system requests"),
        {
            "(state|consent_id) .*": "repeats the grant that answers: 'assent reindex' writes it again",
            "(requester|subject) .*|swapped with its sibling": "found by nobody it is not for, and named",
            "slot .*": "keeps a second request of the same kind away",
            "rolled back.*": "before it was answered: 'assent reindex' writes it again",
            "deleted": DELETED,
        },
    ),
    "requester_blocks": unprotected("keeps requests from a patient's sight; it permits nothing"),
    "care_teams": Stored(
        _always("staff teams"),
        "care teams",
        lambda row: (row["_id"].split("/")[1],),
        {"deleted": "a version of the past; those that count are listed"},
    ),
    "care_team_lists": Stored(_always("staff teams"), "care teams", lambda row: ("list of care teams",)),
    "enrolments": documents(
        "enrolments",
        lambda row: (f"own {row['_id']} consents", f"find {row['_id']}"),
        {
            "account .*|swapped with its sibling": "found by nobody it is not for, and named",
            "opened .*": "repeats the chain; a claim is completed once more, which changes nothing",
            "claimed .*": "finds claims to complete",
            "attempts .*": "counts wrong codes, of which each is 40 bits or more",
            "deleted": DELETED,
        },
    ),
    "chain_positions": documents(
        "chain_positions",
        _nothing,
        {"deleted": "the chain is read from the beginning, and nothing is logged twice"},
    ),
    "contacts": documents(
        "contacts",
        lambda row: (f"own {row['_id']} contact",),
        {
            "token .*": "stops mails to an address and can do nothing else",
            "revision .*": COUNTER,
            "rolled back.*": "an address of before, which the patient had given",
            "deleted": DELETED,
        },
    ),
    "staff": documents(
        "staff", _always("staff users", "staff sign-in"), {"swapped with its sibling|deleted": DELETED}
    ),
    "clients": documents("clients", _always("staff clients", "system"), {"deleted": DELETED}),
    "token_families": documents(
        "token_families",
        _always("staff users", "staff paper", "system requests"),
        {"ended .*": "outlived by no token: a quarter of an hour", "deleted": DELETED},
    ),
    "signing_keys": documents("signing_keys", _always("staff users"), {"deleted": DELETED}),
    "webhooks": documents("webhooks", _always("system webhook"), {"deleted": DELETED}),
    "deliveries": documents(
        "deliveries", _always("staff deliveries"), {"(?!_id|sealed (flipped|truncated)).*": QUEUE}
    ),
    "mails": documents("mails", _nothing, {"(?!_id|sealed (flipped|truncated)).*": QUEUE}),
    "member_names": documents("member_names", _always("staff members"), {"deleted": "a name to show"}),
    "notices": documents(
        "notices",
        _always("system notices"),
        {"published_at .*": ORDER, "deleted": "its hash stands in the terms"},
    ),
    "papers": documents(
        "papers", _always("staff paper", "staff scan"), {"revision .*": COUNTER, "deleted": DELETED}
    ),
    "recovery_policies": documents(
        "recovery_policies",
        lambda row: (f"own {row['subject']} recovery", "recovery"),
        {"deleted": "missed, and nobody is named in its place: the chain has its hash"},
    ),
    "recovery_cases": documents(
        "recovery_cases",
        lambda row: (f"own {row['subject']} recovery", "recovery"),
        {
            "(subject|controller) .*": "found by nobody it is not for, and named",
            "revision .*": COUNTER,
            "rolled back.*|deleted": "whose signature is gone signs once more",
        },
    ),
    "studies": documents(
        "studies",
        _always("study list"),
        {
            "(schema|researcher|state|reason|version|conditions|proposed_at|changed_at) .*|rolled back.*|"
            "deleted": ("says how far a proposal got; what it may do is the permit's on the chain")
        },
    ),
    "board_cases": documents(
        "board_cases",
        _always("board"),
        {
            "rolled back.*|deleted": (
                "what was said since is in the log; what was permitted is on the chain, with its conditions"
            ),
        },
    ),
    "study_documents": documents(
        "study_documents",
        _always("board"),
        {
            "stored_at .*": ORDER,
            "study .*|swapped with its sibling|deleted": "missed, and asked for again; and named",
        },
    ),
    "study_runs": unprotected("repeats the log for the board's list", _always("board list")),
    "escrow_fundings": documents(
        "escrow_fundings",
        _always("money escrows"),
        {"escrow .*|deleted": "a reference to show, which is not found; the deposit is on the chain"},
    ),
    "study_results": documents(
        "study_results",
        _always("money results", "money payouts"),
        {"study .*|deleted": "not found: nobody is paid for it, and fsck misses it among those on the chain"},
    ),
    "payment_shares": documents(
        "payment_shares",
        lambda row: (f"own {row['subject']} payments", "money results"),
        {"(run|subject) .*|swapped with its sibling|deleted": MISSED},
    ),
    "payment_leaves": documents(
        "payment_leaves",
        lambda row: (f"own {row['subject']} payments", "money results"),
        {"(round|subject) .*|swapped with its sibling|deleted": MISSED},
    ),
    "payout_trees": documents(
        "payout_trees",
        _always("money payouts"),
        {"study .*|deleted": "not found: nobody is paid by it, and fsck misses it among those on the chain"},
    ),
    "payees": documents(
        "payees",
        lambda row: (f"own {row['subject']} payments",),
        {"rolled back.*": "an account of before, which the patient had signed", "deleted": "asked again"},
    ),
    "acts": documents("acts", _nothing, {".*": OVER}),
    "revocation_notices": unprotected(QUEUE, lambda row: (f"own {row['subject']} notices-of-revocation",)),
    "reminders": unprotected(QUEUE),
    "notice_cursor": unprotected(QUEUE),
    "contact_counters": unprotected(MARK),
    "sign_in_attempts": unprotected(MARK),
    "used_once": unprotected(MARK),
    "idempotency": unprotected(MARK),
    "schema": unprotected("says in which form the rest was written: another number, and nothing starts"),
    "abdm_artefacts": unprotected(FINDS),
    "abdm_notifications": unprotected(QUEUE),
    "research_jobs": documents(
        "research_jobs",
        _nothing,
        {"(?!_id|result (flipped|truncated)).*": "says how far a run got; what it may do is the permit's"},
    ),
    "catalogue_drawings": unprotected("figures about groups, noised"),
    "result_removals": documents("result_removals", _nothing, {"deleted": "the log has its entry"}),
    "study_stops": unprotected("stops a study until the chain has it; the file and the state say so, too"),
    "catalogue_turns": unprotected("says how far a draw got; that it is charged once is the ledger's"),
    "research_answers": unprotected("figures about groups, noised"),
    "research_uses": unprotected(
        "what a patient is shown of studies", lambda row: (f"own {row['subject']} studies/uses",)
    ),
    "privacy_marks": Stored(_nothing, "log and uses", lambda row: ("privacy marks",)),
    "research_releases": Stored(_nothing, "log and uses", lambda row: ("release ledger",)),
    "release_members": Stored(_nothing, "log and uses", lambda row: ("release ledger",)),
    "research_exports": unprotected("sealed to the researcher's key, whose client finds what was altered"),
    "research_thresholds": unprotected("figures about groups, rounded"),
    "privacy_balances": Stored(
        _nothing,
        "log and uses",
        lambda row: ("privacy ledger",),
        {"schema .*": "form", "recent truncated": "what the history has, too"},
    ),
    "privacy_charges": Stored(
        _nothing,
        "log and uses",
        lambda row: ("privacy ledger",),
        {"schema .*|_id .*|swapped with its sibling": "form: what counts is the place of each charge"},
    ),
    "erasures": unprotected(
        "what was destroyed stays destroyed; a lock that is lifted in the index is a gap"
    ),
    "legal_holds": unprotected("delays an erasure"),
    "recipient_keys": unprotected("bound on the chain"),
    "audit_bundles": Stored(
        _nothing, "audit", lambda row: ("audit log",), {"token .*": COUNTER, "v .*": "form"}
    ),
    "audit_bodies": Stored(_nothing, "audit", lambda row: ("audit log",)),
    "audit_log_keys": Stored(
        _nothing,
        "audit",
        lambda row: ("audit log",),
        {"deleted": "the first key is stated anew; a later one is missed"},
    ),
    "audit_checkpoints": Stored(
        _nothing,
        "audit",
        lambda row: ("audit log",),
        {"(signed_at|anchor).*": "repeats the note and the chain", "deleted": "the next one says as much"},
    ),
    "audit_state": Stored(
        _nothing,
        "audit",
        lambda row: ("audit log",),
        {
            "(token|holder|expires_ms|signed_at|anchor|note).*": "a lease, and copies of checkpoints",
            "(size|root) .*|deleted|rolled back.*": "of the copies of the newest checkpoints",
        },
    ),
}

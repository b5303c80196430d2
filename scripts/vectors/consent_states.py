"""What counts when: windows, revocations, epochs and what replaces what, written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backend.adapters.ledger.headers import grant_header
from backend.consent.terms import (
    DelegatedRevoke,
    Kind,
    Revoke,
    RevokeAll,
)
from backend.consent.typed_data import consent_id
from scripts.vectors import world as w
from scripts.vectors.commands import consent_signature, given, registry
from scripts.vectors.deployment import returned
from scripts.vectors.story import UNRECORDED, Story, SubjectTruth, Truth
from scripts.vectors.story_steps import NEVER, delegation, grant, revoke


def stories() -> Iterator[Story]:
    yield from (
        _window(),
        _recorded_late(),
        _without_end(),
        _deny_and_refusal(),
        _revoked(),
        _revoked_before_it_begins(),
        _revoked_ahead(),
        _revoked_by_delegate(),
        _revoke_all(),
        _superseded(),
        _superseded_by_a_later_one(),
    )


def _window() -> Story:
    story = Story("window", "A permit counts from its first second to the one before its end.")
    permit = story.document("permit", grant(100, 200))
    story.see(9, SubjectTruth(), permit=UNRECORDED)
    story.do(10, given(permit), "grant")
    for after, live in ((10, False), (99, False), (100, True), (199, True), (200, False), (201, False)):
        story.see(after, SubjectTruth(count=1), permit=Truth(100, 200, live))
    return story


def _recorded_late() -> Story:
    story = Story("recorded_late", "Nothing counts before the block that records it, whatever it says.")
    permit = story.document("permit", grant(0, 200))
    story.see(49, SubjectTruth(), permit=UNRECORDED)
    story.do(50, given(permit), "grant what began 50 seconds ago")
    story.see(50, SubjectTruth(count=1), permit=Truth(50, 200, live=True))
    story.refused(60, given(permit), "grant again", "AlreadyRecorded", story.id("permit"))
    story.see(199, SubjectTruth(count=1), permit=Truth(50, 200, live=True))
    story.see(200, SubjectTruth(count=1), permit=Truth(50, 200, live=False))
    return story


def _without_end() -> Story:
    story = Story("without_end", "2**40-1 means without end.")
    permit = story.document("permit", grant(0, NEVER))
    story.do(10, given(permit), "grant")
    for after in (10, 30 * 365 * w.DAY):
        story.see(after, SubjectTruth(count=1), permit=Truth(10, NEVER, live=True))
    return story


def _deny_and_refusal() -> Story:
    story = Story("deny_and_refusal", "Each kind counts in its window, and only as the kind it is.")
    deny = story.document("deny", grant(100, 200, Kind.DENY))
    refusal = story.document("refusal", grant(50, 150, Kind.REFUSAL))
    story.do(10, given(deny), "deny")
    story.see(10, SubjectTruth(count=1), deny=Truth(100, 200, live=False), refusal=UNRECORDED)
    story.do(20, given(refusal), "refuse")
    for after, denies, refuses in ((49, False, False), (50, False, True), (99, False, True)):
        truths = {"deny": Truth(100, 200, denies), "refusal": Truth(50, 150, refuses)}
        story.see(after, SubjectTruth(count=2), **truths)
    for after, denies, refuses in ((100, True, True), (149, True, True), (150, True, False)):
        truths = {"deny": Truth(100, 200, denies), "refusal": Truth(50, 150, refuses)}
        story.see(after, SubjectTruth(count=2), **truths)
    for after, denies in ((199, True), (200, False)):
        truths = {"deny": Truth(100, 200, denies), "refusal": Truth(50, 150, live=False)}
        story.see(after, SubjectTruth(count=2), **truths)
    return story


def _revoked() -> Story:
    story = Story("revoked", "A revocation counts from its own second; a second one changes nothing.")
    permit = story.document("permit", grant(0, 1000))
    story.do(10, given(permit), "grant")
    story.see(99, SubjectTruth(count=1), permit=Truth(10, 1000, live=True))
    story.do(100, revoke(story.id("permit")), "revoke")
    story.see(100, SubjectTruth(count=1), permit=Truth(10, 1000, live=False, revoked=100))
    story.do(150, revoke(story.id("permit")), "revoke again")
    story.see(150, SubjectTruth(count=1), permit=Truth(10, 1000, live=False, revoked=100))
    story.refused(160, given(permit), "grant again", "AlreadyRevoked", story.id("permit"))
    story.see(160, SubjectTruth(count=1), permit=Truth(10, 1000, live=False, revoked=100))
    return story


def _revoked_before_it_begins() -> Story:
    story = Story("revoked_before_it_begins", "What was revoked before its first second never counts.")
    permit = story.document("permit", grant(500, 1000))
    story.do(10, given(permit), "grant")
    story.do(100, revoke(story.id("permit")), "revoke")
    for after in (100, 499, 500, 501):
        story.see(after, SubjectTruth(count=1), permit=Truth(500, 1000, live=False, revoked=100))
    return story


def _revoked_ahead() -> Story:
    story = Story("revoked_ahead", "What was revoked before it was recorded never is, and is not counted.")
    permit = grant(0, 1000)
    story.document("permit", permit)
    signature = consent_signature("patient", Revoke(consent_id(permit)))
    answer = returned("ConsentRegistry", "revokeAhead", consent_id(permit))
    story.see(19, SubjectTruth(), permit=UNRECORDED)
    story.do(20, registry("revokeAhead", grant_header(permit), signature, answer=answer), "revoke ahead")
    story.see(20, SubjectTruth(), permit=Truth(0, 1000, live=False, revoked=20))
    story.refused(30, given(permit), "grant", "AlreadyRevoked", story.id("permit"))
    story.see(31, SubjectTruth(), permit=Truth(0, 1000, live=False, revoked=20))
    return story


def _revoked_by_delegate() -> Story:
    story = Story("revoked_by_delegate", "A delegate ends a permit, not its own power.")
    mother = story.document("mother", delegation(0, 900))
    permit = story.document("permit", grant(0, 1000))
    story.do(10, given(mother), "delegate to the mother")
    story.do(20, given(permit), "grant")
    truths = {"mother": Truth(10, 900, live=True), "permit": Truth(20, 1000, live=True)}
    story.see(99, SubjectTruth(count=2), **truths)
    command = DelegatedRevoke(story.id("permit"), story.id("mother"))
    signature = consent_signature("mother", command)
    step = registry("revokeByDelegate", command.consent, story.chain("mother"), signature)
    story.do(100, step, "the mother revokes")
    truths["permit"] = Truth(20, 1000, live=False, revoked=100)
    story.see(100, SubjectTruth(count=2), **truths)
    return story


def _revoke_all() -> Story:
    about = "Permits and delegations end with the epoch; denies, refusals and guardianships stand."
    story = Story("revoke_all", about)
    named: dict[str, Any] = {
        "permit": grant(0, 1000),
        "deny": grant(0, 1000, Kind.DENY),
        "refusal": grant(0, 1000, Kind.REFUSAL),
        "delegation": delegation(0, 1000),
        "guardianship": delegation(0, 1000, Kind.GUARDIANSHIP),
    }
    for place, (label, document) in enumerate(named.items()):
        story.do(10 + place, given(story.document(label, document)), f"record the {label}")
    begun = {label: 10 + place for place, label in enumerate(named)}

    def truths(*ended: str) -> dict[str, Truth | None]:
        return {label: Truth(begun[label], 1000, label not in ended) for label in named}

    stale = RevokeAll(w.SUBJECT, 0)
    step = registry("revokeAll", w.SUBJECT, 0, consent_signature("patient", stale))
    story.see(99, SubjectTruth(count=5), **truths())
    story.do(100, step, "revoke all of epoch 0")
    story.see(100, SubjectTruth(epoch=1, count=5), **truths("permit", "delegation"))
    story.do(150, step, "send the same again, which does nothing")
    story.see(150, SubjectTruth(epoch=1, count=5), **truths("permit", "delegation"))
    later = grant(0, 1000, label="of the old epoch")
    story.refused(160, given(later), "grant in the old epoch", "EpochNotCurrent", 0, 1)
    renewed = story.document("renewed", grant(0, 1000, epoch=1, label="renewed"))
    story.do(170, given(renewed), "grant in the new epoch")
    now: dict[str, Truth | None] = {"renewed": Truth(170, 1000, live=True)}
    story.see(170, SubjectTruth(epoch=1, count=6), **truths("permit", "delegation"), **now)
    ended = {label: Truth(begun[label], 1000, live=False) for label in named}
    story.see(1000, SubjectTruth(epoch=1, count=6), **ended, renewed=Truth(170, 1000, live=False))
    return story


def _superseded() -> Story:
    story = Story("superseded", "What replaces a permit ends it in the same second.")
    old = story.document("old", grant(0, 1000))
    new = story.document("new", grant(0, 800, label="new", supersedes=consent_id(old)))
    missing = "SupersededUnknown"
    story.refused(5, given(new), "replace what is not recorded", missing, story.id("old"))
    story.do(10, given(old), "grant")
    story.see(99, SubjectTruth(count=1), old=Truth(10, 1000, live=True), new=UNRECORDED)
    story.do(100, given(new), "grant what replaces it")
    ended = Truth(10, 1000, live=False, revoked=100)
    story.see(100, SubjectTruth(count=2), old=ended, new=Truth(100, 800, live=True))
    story.see(799, SubjectTruth(count=2), old=ended, new=Truth(100, 800, live=True))
    story.see(800, SubjectTruth(count=2), old=ended, new=Truth(100, 800, live=False))
    return story


def _superseded_by_a_later_one() -> Story:
    about = "A permit that begins later ends the one it replaces at once: in between nothing counts."
    story = Story("superseded_by_a_later_one", about)
    old = story.document("old", grant(0, 1000))
    new = story.document("new", grant(300, 1000, label="new", supersedes=consent_id(old)))
    story.do(10, given(old), "grant")
    story.do(100, given(new), "grant what replaces it from second 300 on")
    ended = Truth(10, 1000, live=False, revoked=100)
    for after, live in ((100, False), (299, False), (300, True)):
        story.see(after, SubjectTruth(count=2), old=ended, new=Truth(300, 1000, live))
    return story

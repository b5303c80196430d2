"""What counts when somebody misused an office, lost a key or grew up, written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from backend.adapters.ledger.headers import delegation_header
from backend.consent.recovery_terms import DelegatedEndForCause
from backend.consent.terms import (
    Kind,
)
from backend.types import UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.commands import Recoveries, consent_signature, given, guardianship_of_child, registry
from scripts.vectors.deployment import account, returned
from scripts.vectors.story import UNRECORDED, Story, SubjectTruth, Truth
from scripts.vectors.story_steps import delegation, for_cause, given_under, grant, revoke


def stories() -> Iterator[Story]:
    yield from (
        _ended_for_cause(),
        _ended_for_cause_after_all(),
        _ended_by_guardian(),
        _recovered(),
        _lapsed(),
        _child(),
    )


def _given_by_mother(story: Story) -> None:
    """The mother gives a permit and a deny under her delegation, and the patient a permit."""
    mother = story.document("mother", delegation(0, 1000))
    story.do(10, given(mother), "delegate to the mother")
    permit = story.document("permit", grant(0, 900))
    story.do(20, given_under(story, permit, "mother", "mother"), "the mother grants")
    deny = story.document("deny", grant(0, 900, Kind.DENY))
    story.do(30, given_under(story, deny, "mother", "mother"), "the mother denies")
    own = story.document("own", grant(0, 900, label="own"))
    story.do(40, given(own), "the patient grants")


def _ended_for_cause() -> Story:
    about = "With a delegation that is ended for cause end the permits given under it; denies stand."
    story = Story("ended_for_cause", about)
    _given_by_mother(story)
    truths = {
        "mother": Truth(10, 1000, live=True),
        "permit": Truth(20, 900, live=True, given_under="mother"),
        "deny": Truth(30, 900, live=True, given_under="mother"),
        "own": Truth(40, 900, live=True),
    }
    story.see(99, SubjectTruth(count=4), **truths)
    story.do(100, for_cause(story, "mother"), "end for cause")
    truths["mother"] = Truth(10, 1000, live=False, revoked=100)
    truths["permit"] = Truth(20, 900, live=False, revoked=100)
    story.see(100, SubjectTruth(count=4), **truths)
    story.do(150, for_cause(story, "mother"), "end for cause again, which does nothing")
    story.see(150, SubjectTruth(count=4), **truths)
    return story


def _ended_for_cause_after_all() -> Story:
    about = "A delegation that is revoked leaves its permits; ended for cause later, they end then."
    story = Story("ended_for_cause_after_all", about)
    _given_by_mother(story)
    story.do(100, revoke(story.id("mother")), "revoke the delegation")
    truths = {
        "mother": Truth(10, 1000, live=False, revoked=100),
        "permit": Truth(20, 900, live=True, given_under="mother"),
        "deny": Truth(30, 900, live=True, given_under="mother"),
        "own": Truth(40, 900, live=True),
    }
    story.see(100, SubjectTruth(count=4), **truths)
    story.see(199, SubjectTruth(count=4), **truths)
    story.do(200, for_cause(story, "mother"), "end it for cause")
    truths["permit"] = Truth(20, 900, live=False, revoked=200)
    story.see(200, SubjectTruth(count=4), **truths)
    story.do(250, revoke(story.id("deny")), "revoke the deny")
    truths["deny"] = Truth(30, 900, live=False, revoked=250)
    story.see(250, SubjectTruth(count=4), **truths)
    return story


def _ended_by_guardian() -> Story:
    story = Story("ended_by_guardian", "A guardian ends a delegation for cause.")
    guardian = story.document("guardian", delegation(0, 1000, Kind.GUARDIANSHIP, delegate=w.MOTHER, depth=0))
    carer = story.document("carer", delegation(0, 1000, label="carer", delegate=w.CARER, powers=5, depth=0))
    story.do(10, given(guardian), "name the mother as guardian")
    story.do(20, given(carer), "delegate to the carer")
    permit = story.document("permit", grant(0, 900))
    story.do(30, given_under(story, permit, "carer", "carer"), "the carer grants")
    truths = {
        "guardian": Truth(10, 1000, live=True),
        "carer": Truth(20, 1000, live=True),
        "permit": Truth(30, 900, live=True, given_under="carer"),
    }
    story.see(99, SubjectTruth(count=3), **truths)
    command = DelegatedEndForCause(story.id("carer"), story.id("guardian"))
    signature = consent_signature("mother", command)
    step = registry("endForCauseByGuardian", command.ended, story.chain("guardian"), signature)
    story.do(100, step, "the guardian ends the carer's delegation for cause")
    truths["carer"] = Truth(20, 1000, live=False, revoked=100)
    truths["permit"] = Truth(30, 900, live=False, revoked=100)
    story.see(100, SubjectTruth(count=3), **truths)
    return story


def _recovered() -> Story:
    about = "Another controller takes over: what was given stays, and the old key is worth nothing."
    story = Story("recovered", about)
    the, delay, far = Recoveries(), 72 * 3600, 100 * w.DAY
    story.document("guardian", the.guardian)
    ends = w.END - w.START
    permit = story.document("permit", grant(0, far))
    story.do(10, given(the.guardian), "name the mother as guardian")
    story.do(20, the.set_policy(20), "let her alone recover")
    story.do(30, given(permit), "grant")
    story.do(100, the.propose(100, with_desk=False), "the mother proposes the carer")
    later = grant(0, far, label="while pending")
    story.refused(110, given(later), "grant while that is pending", "RecoveryPending", w.SUBJECT)
    deny = story.document("deny", grant(0, far, Kind.DENY))
    story.do(120, given(deny), "deny while that is pending")
    truths = {
        "guardian": Truth(10, ends, live=True),
        "permit": Truth(30, far, live=True),
        "deny": Truth(120, far, live=True),
    }
    story.see(120, SubjectTruth("patient", count=3), **truths)
    complete = the.step(0, "completeRecovery", w.SUBJECT)
    early = ("RecoveryTooEarly", w.START + 100 + delay)
    story.refused(99 + delay, complete, "complete a second early", *early)
    story.see(99 + delay, SubjectTruth("patient", count=3), **truths)
    story.do(100 + delay, complete, "complete")
    story.see(100 + delay, SubjectTruth("carer", count=3), **truths)
    refused = ("SignatureInvalid", account("carer"))
    story.refused(200 + delay, revoke(story.id("permit")), "revoke with the old key", *refused)
    story.see(200 + delay, SubjectTruth("carer", count=3), **truths)
    story.do(300 + delay, revoke(story.id("permit"), "carer"), "revoke with the new key")
    truths["permit"] = Truth(30, far, live=False, revoked=300 + delay)
    story.see(300 + delay, SubjectTruth("carer", count=3), **truths)
    return story


def _lapsed() -> Story:
    story = Story("lapsed", "A recovery that nobody completes lapses, and permits are recorded again.")
    the, lapse, far = Recoveries(), 10 * w.DAY, 100 * w.DAY  # the delay, and seven days
    story.document("guardian", the.guardian)
    truth = Truth(10, w.END - w.START, live=True)
    permit = story.document("permit", grant(0, far))
    story.do(10, given(the.guardian), "name the mother as guardian")
    story.do(20, the.set_policy(20), "let her alone recover")
    story.do(100, the.propose(100, with_desk=False), "the mother proposes the carer")
    pending = ("RecoveryPending", w.SUBJECT)
    story.refused(99 + lapse, given(permit), "grant in the last second in which it is pending", *pending)
    story.see(99 + lapse, SubjectTruth(count=1), guardian=truth, permit=UNRECORDED)
    story.do(100 + lapse, given(permit), "grant")
    recorded = Truth(100 + lapse, far, live=True)
    story.see(100 + lapse, SubjectTruth(count=2), guardian=truth, permit=recorded)
    return story


def _child() -> Story:
    story = Story("child", "A subject under a guardian: what the guardian gave outlives its office.")
    story.subject = w.OTHER_SUBJECT
    guardian = guardianship_of_child(w.START, UnixSeconds(w.START + 1000))
    story.document("guardian", guardian)
    nobody = SubjectTruth(None, opened=False)
    story.see(9, nobody, guardian=UNRECORDED)
    answer = returned("ConsentRegistry", "openSubjectUnderGuardian", story.id("guardian"))
    arguments = (delegation_header(guardian), consent_signature("mother", guardian))
    step = registry("openSubjectUnderGuardian", *arguments, sender="hospital", answer=answer)
    story.do(10, step, "the hospital opens the child's subject under the mother")
    permit = story.document("permit", grant(0, 900, subject=w.OTHER_SUBJECT))
    truths = {"guardian": Truth(10, 1000, live=True), "permit": UNRECORDED}
    story.see(10, SubjectTruth(None, count=1), **truths)
    story.do(20, given_under(story, permit, "guardian", "mother"), "the mother grants")
    truths["permit"] = Truth(20, 900, live=True, given_under="guardian")
    story.see(99, SubjectTruth(None, count=2), **truths)
    step = registry("endGuardianship", story.id("guardian"), sender="hospital")
    story.do(100, step, "the hospital ends the guardianship")
    truths["guardian"] = Truth(10, 1000, live=False, revoked=100)
    story.see(100, SubjectTruth(None, count=2), **truths)
    step = registry("endForCause", story.id("guardian"), b"", sender="hospital")
    story.do(200, step, "the hospital ends it for cause")
    truths["permit"] = Truth(20, 900, live=False, revoked=200)
    story.see(200, SubjectTruth(None, count=2), **truths)
    return story

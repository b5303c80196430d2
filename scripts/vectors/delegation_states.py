"""What counts when: delegations, passed on and ended, written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from backend.adapters.ledger.headers import delegation_header
from backend.consent.terms import (
    DelegatedRevoke,
    Revoke,
)
from backend.consent.typed_data import consent_id
from scripts.vectors import world as w
from scripts.vectors.commands import consent_signature, given, registry
from scripts.vectors.deployment import returned
from scripts.vectors.story import UNRECORDED, Story, SubjectTruth, Truth
from scripts.vectors.story_steps import delegation, passed_on, revoke


def stories() -> Iterator[Story]:
    yield from (_delegations(), _parent_revoked(), _resigned(), _ended_from_above(), _delegation_ahead())


def _family(story: Story) -> None:
    """The patient delegates to the mother at second 10, who passes it on to the carer at second 60."""
    mother = story.document("mother", delegation(50, 500))
    carer = delegation(0, 400, label="carer", delegate=w.CARER, powers=5, depth=1, parent=consent_id(mother))
    story.document("carer", carer, "mother")
    story.do(10, given(mother), "delegate to the mother")
    story.refused(
        *(20, passed_on(story, carer, "mother", "mother"), "pass it on before it counts"),
        *("DelegationNotLive", story.id("mother")),
    )
    story.do(60, passed_on(story, carer, "mother", "mother"), "the mother passes it on to the carer")


def _delegations() -> Story:
    story = Story("delegations", "A chain counts while each of its links does.")
    mother = story.document("mother", delegation(50, 500))
    carer = delegation(80, 400, label="carer", delegate=w.CARER, powers=5, depth=1, parent=consent_id(mother))
    story.document("carer", carer, "mother")
    story.do(10, given(mother), "delegate to the mother")
    for after, live in ((49, False), (50, True), (59, True)):
        story.see(after, SubjectTruth(count=1), mother=Truth(50, 500, live), carer=UNRECORDED)
    story.do(60, passed_on(story, carer, "mother", "mother"), "the mother passes it on to the carer")
    for after, by_mother, by_carer in ((60, True, False), (79, True, False), (80, True, True)):
        truths = {"mother": Truth(50, 500, by_mother), "carer": Truth(80, 400, by_carer)}
        story.see(after, SubjectTruth(count=2), **truths)
    for after, by_mother, by_carer in ((399, True, True), (400, True, False), (500, False, False)):
        truths = {"mother": Truth(50, 500, by_mother), "carer": Truth(80, 400, by_carer)}
        story.see(after, SubjectTruth(count=2), **truths)
    return story


def _parent_revoked() -> Story:
    story = Story("parent_revoked", "With a delegation ends what it passed on, though that stays as it was.")
    _family(story)
    truths = {"mother": Truth(50, 500, live=True), "carer": Truth(60, 400, live=True)}
    story.see(99, SubjectTruth(count=2), **truths)
    story.do(100, revoke(story.id("mother")), "revoke the mother's delegation")
    truths = {"mother": Truth(50, 500, live=False, revoked=100), "carer": Truth(60, 400, live=False)}
    story.see(100, SubjectTruth(count=2), **truths)
    return story


def _resigned() -> Story:
    story = Story("resigned", "A delegate resigns; what is above stands.")
    _family(story)
    carer = story.id("carer")
    signature = consent_signature("carer", DelegatedRevoke(carer, carer))
    story.do(100, registry("endDelegation", story.chain("carer"), 0, signature), "the carer resigns")
    truths = {"mother": Truth(50, 500, live=True), "carer": Truth(60, 400, live=False, revoked=100)}
    story.see(100, SubjectTruth(count=2), **truths)
    mother = story.id("mother")
    signature = consent_signature("mother", DelegatedRevoke(mother, mother))
    story.do(150, registry("endDelegation", story.chain("mother"), 0, signature), "the mother resigns")
    truths["mother"] = Truth(50, 500, live=False, revoked=150)
    story.see(150, SubjectTruth(count=2), **truths)
    return story


def _ended_from_above() -> Story:
    story = Story("ended_from_above", "Who passed a delegation on may end it again.")
    _family(story)
    signature = consent_signature("mother", DelegatedRevoke(story.id("carer"), story.id("mother")))
    step = registry("endDelegation", story.chain("carer"), 1, signature)
    story.see(99, SubjectTruth(count=2), mother=Truth(50, 500, live=True), carer=Truth(60, 400, live=True))
    story.do(100, step, "the mother ends the carer's delegation")
    ended = Truth(60, 400, live=False, revoked=100)
    story.see(100, SubjectTruth(count=2), mother=Truth(50, 500, live=True), carer=ended)
    return story


def _delegation_ahead() -> Story:
    story = Story("delegation_ahead", "A delegation that was revoked before it was recorded never can be.")
    mother = delegation(0, 500)
    story.document("mother", mother)
    answer = returned("ConsentRegistry", "revokeDelegationAhead", consent_id(mother))
    signature = consent_signature("patient", Revoke(consent_id(mother)))
    step = registry("revokeDelegationAhead", delegation_header(mother), signature, answer=answer)
    story.do(20, step, "revoke ahead")
    story.refused(30, given(mother), "delegate", "AlreadyRevoked", story.id("mother"))
    story.see(30, SubjectTruth(), mother=Truth(0, 500, live=False, revoked=20))
    return story

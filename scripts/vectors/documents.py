"""Grants and delegations of every sort, for the vectors of typed data and of summaries."""

from __future__ import annotations

from collections.abc import Iterator

from backend.consent.summary import with_summary
from backend.consent.terms import (
    ABSENT,
    EVERYONE,
    UNBOUNDED,
    BreakGlass,
    Document,
    Kind,
    ResearchTerms,
    Rule,
)
from backend.consent.typed_data import consent_id
from backend.types import UnixSeconds
from scripts.vectors import world as w


def documents() -> Iterator[tuple[str, Document]]:
    """Yield the documents that are signed, with their names."""
    yield "permit", with_summary(w.grant(label="permit", notice=w.salt("notice")), w.TABLES)
    rules = (
        Rule(permit=False, sensitivities=w.sensitivities("MH", "PSY")),
        Rule(
            permit=True,
            categories=w.categories("medications"),
            sensitivities=w.sensitivities("MH"),
            grantees=(w.DOCTOR,),
            data_from=w.DATA_TIME,
            obligations=w.obligations("no_export", "notify"),
        ),
        Rule(permit=False, references=(w.salt("record"),), data_to=w.DATA_TIME, actions=w.actions("use")),
        Rule(permit=True, purposes=w.purposes("COC")),
    )
    yield (
        "permit_with_rules",
        with_summary(
            w.grant(
                Kind.PERMIT,
                *rules,
                label="rules",
                purposes=w.purposes("TREAT", "COC"),
                sensitivities=w.sensitivities("MH", "PSY"),
                data_from=w.DATA_TIME,
                data_to=w.NOW,
                erase_by=w.END,
                max_uses=12,
                break_glass=BreakGlass.LIMIT,
                break_glass_categories=w.categories("allergies", "medications"),
                redelegation_depth=1,
                request=w.salt("request"),
                supersedes=consent_id(w.grant(label="permit")),
                language="de",
            ),
            w.TABLES,
        ),
    )
    research = ResearchTerms(("DUO:0000007:MONDO_0005148", "DUO:0000046"), 20, 1_500_000, 2**70)
    yield (
        "permit_for_research",
        with_summary(
            w.grant(
                label="research",
                grantee=w.UNIVERSITY,
                purposes=w.purposes("HRESCH", "DSRCH"),
                actions=w.actions("compute"),
                research=research,
                not_after=UNBOUNDED,
                break_glass=BreakGlass.FORBID,
            ),
            w.TABLES,
        ),
    )
    at_once = w.grant(label="at once", not_before=UnixSeconds(0))
    yield "permit_at_once", with_summary(at_once, w.TABLES)
    often = w.grant(label="often", max_uses=50, uses_per_period=2, period_seconds=36 * 3600)
    yield "permit_with_a_frequency", with_summary(often, w.TABLES)
    yield "deny_everyone", with_summary(w.grant(Kind.DENY, label="deny", not_after=UNBOUNDED), w.TABLES)
    narrow = w.grant(
        Kind.DENY,
        label="deny narrow",
        grantee=w.CLINIC,
        purposes=w.purposes("MLTRAINING"),
        sensitivities=w.sensitivities("HIV"),
        data_to=w.NOW,
    )
    yield "deny_one", with_summary(narrow, w.TABLES)
    yield "refusal", with_summary(w.grant(Kind.REFUSAL, label="refusal", language="de"), w.TABLES)
    open_refusal = w.grant(Kind.REFUSAL, label="refusal of all", grantee=EVERYONE)
    yield "refusal_of_all", with_summary(open_refusal, w.TABLES)
    for_good = w.grant(Kind.DENY, label="at once, for good", not_before=UnixSeconds(0), not_after=UNBOUNDED)
    yield "deny_at_once_for_good", with_summary(for_good, w.TABLES)
    yield "delegation", with_summary(w.delegation(label="mother", powers=15, depth=2), w.TABLES)
    guardian = w.delegation(
        Kind.GUARDIANSHIP, label="guardian", relationship="Mutter {allein}", language="de", parent=ABSENT
    )
    yield "guardianship", with_summary(guardian, w.TABLES)
    yield (
        "carer",
        with_summary(
            w.delegation(delegate=w.CARER, powers=4, parent=consent_id(guardian), evidence=bytes(32)),
            w.TABLES,
        ),
    )

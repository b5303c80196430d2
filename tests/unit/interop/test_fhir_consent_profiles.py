"""An import decides as the engine it comes from, and never permits what that engine would not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from backend.consent.decision import decide
from backend.consent.decision_types import Answer, Requester, Segment
from backend.consent.drafting import Drafter, Wish
from backend.consent.notices import BuiltInNotices
from backend.consent.terms import Kind
from backend.errors import InvalidInput
from backend.interop.fhir_consent import codes, errors
from scripts.vectors import world as w
from tests.unit.interop import engines
from tests.unit.interop.artefacts import NAMES, actors, bundle, labels, provision, purposes, r4, r5, read
from tests.unit.interop.engines import Request

SETTINGS = settings(max_examples=400, suppress_health_check=list(HealthCheck))
DRAFTER = Drafter(tables=w.TABLES, notices=BuiltInNotices())
ACTORS = ["Organization/clinic", "Practitioner/doctor"]
PURPOSES = ["TREAT", "HPAYMT", "HMARKT"]
LABELS = ["HIV", "PSY"]
TIMES = ["2022-01-01T00:00:00Z", "2022-06-30T11:59:59Z", "2022-12-31T23:59:59Z", "2023-05-05T05:05:05Z"]
DATES = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]
YEAR = {"start": TIMES[0], "end": TIMES[2]}

some = {
    "actor": st.lists(st.sampled_from(ACTORS), min_size=1, max_size=2, unique=True).map(lambda n: actors(*n)),
    "purpose": st.lists(st.sampled_from(PURPOSES), min_size=1, max_size=2, unique=True).map(
        lambda n: purposes(*n)
    ),
    "securityLabel": st.lists(st.sampled_from(LABELS), min_size=1, unique=True).map(lambda n: labels(*n)),
    "dataPeriod": st.sampled_from([YEAR, {"end": TIMES[1]}]),
}
exceptions = st.builds(
    lambda kind, elements: provision(kind, **elements),
    st.sampled_from(["permit", "deny"]),
    st.fixed_dictionaries({}, optional=some),
)


@st.composite
def consents(draw: st.DrawFn, **changes: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["permit", "deny"]))
    elements: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"purpose": some["purpose"]},
            optional={
                "dataPeriod": some["dataPeriod"],
                "period": st.sampled_from([YEAR, {"start": DATES[0]}]),
            },
        )
    )
    elements["actor"] = draw(some["actor"] if kind == "permit" else st.one_of(st.none(), some["actor"]))
    if kind == "permit" and draw(st.booleans()):
        elements["securityLabel"] = labels("N", *draw(st.lists(st.sampled_from(LABELS), unique=True)))
    resource = r4(kind, *draw(st.lists(exceptions, max_size=2)), **elements)
    return {**resource, **changes, "dateTime": draw(st.sampled_from(DATES))}


requests = st.builds(
    Request,
    actor=st.sampled_from(ACTORS),
    purpose=st.sampled_from(PURPOSES),
    label=st.sampled_from([None, *LABELS]),
    when=st.sampled_from(TIMES),
    now=st.sampled_from([TIMES[1], "2026-06-01T00:00:00Z"]),
)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def ours(wishes: tuple[Wish, ...], request: Request) -> str | None:
    """Decide over the wishes as if the patient had signed every one."""
    grants = [DRAFTER.grant(wish, subject=w.SUBJECT, epoch=0, now=w.NOW, language="en") for wish in wishes]
    moment = seconds(request.when)
    asked = w.ask(
        *(w.final(grant, final=_begun(grant), head=_begun(grant)) for grant in grants),
        requester=Requester(NAMES.members[request.actor]),
        purpose=w.purposes(request.purpose),
        segment=Segment(
            w.categories("laboratory"),
            w.sensitivities(request.label) if request.label else 0,
            moment,  # type: ignore[arg-type]
            moment + 1,  # type: ignore[arg-type]
        ),
        now=seconds(request.now),
    )
    return {Answer.PERMIT: "permit", Answer.DENY: "deny"}.get(decide(asked).answer)


def _begun(grant: Any) -> Any:
    """Return the slot of a consent recorded long ago."""
    return w.slot_of(grant, not_before=grant.not_before or 1)


def imported(resource: Any, profile: str) -> tuple[Wish, ...]:
    try:
        return read(resource, profile).wishes
    except (
        errors.FhirConsentNotExpressible,
        errors.FhirConsentContradiction,
        errors.FhirConsentIncomplete,
    ) as refusal:
        event(f"{profile}: {refusal.code}")
        assume(False)
        raise


@SETTINGS
@given(consents(), requests)
def test_pcf_decides_the_same(resource: dict[str, Any], request: Request) -> None:
    answer = ours(imported(resource, "pcf"), request)
    theirs = engines.typed(resource, request)
    event(f"{theirs}")
    assert (answer == "permit") == (theirs == "permit")


@SETTINGS
@given(consents(policyRule=codes.concept(codes.ACT_CODE, "OPTIN")), requests, st.booleans())
def test_optin_optout_never_permits_more(resource: dict[str, Any], request: Request, out: bool) -> None:
    resource["provision"].pop("type")
    resource["policyRule"] = codes.concept(codes.ACT_CODE, "OPTOUT" if out else "OPTIN")
    answer = ours(imported(resource, "r4-optin-optout"), request)
    theirs = engines.optin_optout(resource, request)
    assert answer != "permit" or theirs == "permit"
    if not out and _within(resource["provision"], request):
        assert (answer == "permit") == (theirs == "permit")
    if out:
        assert answer == theirs


@SETTINGS
@given(consents(), requests)
def test_flip_base_never_permits_more(resource: dict[str, Any], request: Request) -> None:
    answer = ours(imported(resource, "flip-base"), request)
    theirs = engines.flip_base(resource, request)
    assert answer != "permit" or theirs == "permit"
    if resource["provision"]["type"] == "permit" and _within(resource["provision"], request):
        assert (answer == "permit") == (theirs == "permit")


@SETTINGS
@given(st.lists(consents(), min_size=1, max_size=3), requests)
def test_most_recent_wins_never_permits_more(resources: list[dict[str, Any]], request: Request) -> None:
    assume(len({each["dateTime"] for each in resources}) == len(resources))
    answer = ours(imported(bundle(*resources), "most-recent-wins"), request)
    theirs = engines.most_recent(resources, request)
    assert answer != "permit" or theirs == "permit"


def _within(base: dict[str, Any], request: Request) -> bool:
    """Whether the base provision is about the request: some engines do not look at it."""
    return (
        engines.typed({"status": "active", "provision": {**base, "type": "permit", "provision": []}}, request)
        == "permit"
    )


# Where the engines part from FHIR, one by one; docs/fhir_consent.md has the table.
FLIPPED = provision("permit", actor=actors("Practitioner/doctor"))
ASKED = Request("Practitioner/doctor", "TREAT", None, TIMES[0], "2026-06-01T00:00:00Z")


def test_flip_base_reads_a_permission_inside_a_permit_as_a_prohibition() -> None:
    resource = r4("permit", FLIPPED, actor=actors(*ACTORS))
    assert (engines.typed(resource, ASKED), engines.flip_base(resource, ASKED)) == ("permit", "deny")
    assert ours(read(resource).wishes, ASKED) == "permit"
    assert ours(read(resource, "flip-base").wishes, ASKED) == "deny"


def test_flip_base_would_permit_what_a_prohibition_inside_a_deny_forbids_so_it_is_refused() -> None:
    resource = r4("deny", provision("deny", actor=actors("Practitioner/doctor")), actor=None)
    assert engines.flip_base(resource, ASKED) == "permit"
    with pytest.raises(errors.FhirConsentContradiction):
        read(resource, "flip-base")
    assert ours(read(resource).wishes, ASKED) == "deny"


def test_flip_base_redacts_again_once_a_deny_was_turned_round_so_that_is_refused() -> None:
    redaction = provision("permit", securityLabel=labels("HIV"))
    with pytest.raises(errors.FhirConsentNotExpressible) as refusal:
        read(r4("deny", FLIPPED, redaction, actor=None), "flip-base")
    assert refusal.value.field == "Consent.provision.provision[1]"
    (wish,) = read(r4("deny", redaction, actor=None), "flip-base").wishes
    assert (wish.kind, wish.rules) == (Kind.DENY, ())


def test_optout_loses_its_exceptions_there() -> None:
    rule = {"policyRule": codes.concept(codes.ACT_CODE, "OPTOUT")}
    resource = {**r4(None, FLIPPED, actor=None), **rule}
    (wish,) = read(resource, "r4-optin-optout").wishes
    assert (wish.kind, wish.purposes, wish.rules) == (Kind.DENY, 0, ())


def test_policy_rule_without_a_type_is_refused_by_pcf() -> None:
    with pytest.raises(errors.FhirConsentIncomplete):
        read({**r4(None), "policyRule": codes.concept(codes.ACT_CODE, "OPTIN")})


def test_optin_and_optout_at_once_and_neither_are_refused() -> None:
    both = {"coding": [{"system": codes.ACT_CODE, "code": code} for code in ("OPTIN", "OPTOUT")]}
    with pytest.raises(errors.FhirConsentContradiction):
        read({**r4(None), "policyRule": both}, "r4-optin-optout")
    with pytest.raises(errors.FhirConsentIncomplete):
        read(r4(None), "r4-optin-optout")
    with pytest.raises(errors.FhirConsentUnsupported):
        read(r5("deny"), "r4-optin-optout")


def test_value_set_in_the_place_of_the_code_system_is_read_by_their_profiles_only() -> None:
    resource = r4(purpose=purposes("TREAT", system=codes.PURPOSE_VALUE_SET))
    assert read(resource, "flip-base").wishes[0].purposes == w.purposes("TREAT")
    with pytest.raises(errors.FhirConsentUnknownCode):
        read(resource)


def dated(resource: dict[str, Any], place: int) -> dict[str, Any]:
    return {**resource, "dateTime": DATES[place]}


def test_newer_permit_of_all_its_purposes_replaces_an_older_deny() -> None:
    imported_of_both = read(
        bundle(dated(r4("deny", actor=None), 0), dated(r4("permit"), 1)), "most-recent-wins"
    )
    assert [wish.kind for wish in imported_of_both.wishes] == [Kind.PERMIT]
    assert imported_of_both.notes[-1].field == "Bundle.entry"


def test_newer_permit_of_some_of_its_purposes_is_refused() -> None:
    newer = dated(r4("permit", purpose=purposes("TREAT")), 1)
    with pytest.raises(errors.FhirConsentNotExpressible):
        read(bundle(dated(r4("deny", actor=None), 0), newer), "most-recent-wins")


def test_newer_deny_replaces_an_older_permit() -> None:
    (wish,) = read(
        bundle(dated(r4("permit"), 0), dated(r4("deny", actor=None), 1)), "most-recent-wins"
    ).wishes
    assert wish.kind == Kind.DENY


def test_opposite_consents_of_one_moment_are_a_contradiction() -> None:
    with pytest.raises(InvalidInput) as refusal:
        read(bundle(r4("permit"), r4("deny", actor=None)), "most-recent-wins")
    assert isinstance(refusal.value, errors.FhirConsentContradiction)

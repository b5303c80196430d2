"""What other systems' consents become, and why some are refused. Nothing is ever read as wider."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from backend.consent.drafting import Drafter, Wish
from backend.consent.notices import BuiltInNotices
from backend.consent.terms import EVERYONE, UNBOUNDED, BreakGlass, Kind, Rule
from backend.consent.validation import check_grant
from backend.errors import InvalidInput
from backend.interop.fhir_consent import codes, errors
from backend.interop.fhir_consent.importing import Importer
from backend.interop.fhir_consent.names import Names
from scripts.vectors import world as w
from tests.unit.interop.artefacts import (
    RECORD,
    actors,
    bundle,
    claiming,
    data,
    labels,
    provision,
    purposes,
    r4,
    r5,
    read,
)

ALL = w.TABLES
TPO = w.purposes("TREAT", "HPAYMT")
TREAT = w.purposes("TREAT")
DENY_DOCTOR = provision("deny", actor=actors("Practitioner/doctor"))


def one(resource: object, **changes: Any) -> Wish:
    (wish,) = read(resource, **changes).wishes
    return wish


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_basic_permit_covers_what_it_names_and_reads_only() -> None:
    imported = read(claiming("Basic", r4()))
    assert imported.grant is None
    assert imported.wishes == (
        Wish(
            kind=Kind.PERMIT,
            grantee=w.CLINIC,
            purposes=TPO,
            categories=ALL.categories.all_bits,
            sensitivities=ALL.sensitivities.all_bits,
            actions=w.actions("access"),
            break_glass=BreakGlass.FORBID,
        ),
    )
    assert [note.field for note in imported.notes] == ["Consent", *["Consent.provision"] * 3]


def test_every_wish_can_be_drafted_as_a_valid_grant() -> None:
    drafter = Drafter(tables=w.TABLES, notices=BuiltInNotices())
    resource = r4("deny", provision("permit", purpose=purposes("TREAT")), actor=actors("Practitioner/doctor"))
    for wish in read(resource).wishes:
        check_grant(drafter.grant(wish, subject=w.SUBJECT, epoch=0, now=w.NOW, language="en"), w.TABLES)


def test_several_recipients_are_a_permit_each() -> None:
    wishes = read(r4(actor=actors("Organization/clinic", "Practitioner/doctor"))).wishes
    assert [wish.grantee for wish in wishes] == [w.CLINIC, w.DOCTOR]


def test_recipient_by_identifier() -> None:
    actor = actors("x")
    actor[0]["reference"] = {"identifier": {"system": "urn:oid:1.2.3", "value": "77"}}
    assert one(r4(actor=actor)).grantee == w.HOSPITAL


def test_dissent_denies_everyone_unless_it_names_somebody() -> None:
    assert one(r4("deny", actor=None)).grantee == EVERYONE
    wish = one(r4("deny"))
    assert (wish.kind, wish.grantee, wish.purposes, wish.categories) == (Kind.DENY, w.CLINIC, TPO, 0)


def test_exceptions_become_rules() -> None:
    wish = one(
        claiming(
            "Intermediate",
            r4(
                "permit",
                DENY_DOCTOR,
                provision(
                    "deny", dataPeriod={"start": "2022-01-01T00:00:00Z", "end": "2022-12-31T23:59:59Z"}
                ),
                provision("deny", data=data("instance", "Observation/weight")),
                provision("deny", data=data("authoredby", "Practitioner/doctor"), purpose=purposes("HPAYMT")),
            ),
        )
    )
    year = {"data_from": seconds("2022-01-01T00:00:00Z"), "data_to": seconds("2023-01-01T00:00:00Z")}
    assert wish.rules == (
        Rule(permit=False, grantees=(w.DOCTOR,)),
        Rule(permit=False, **year),  # type: ignore[arg-type]
        Rule(permit=False, references=(RECORD + bytes(16),)),  # type: ignore[arg-type]
        Rule(permit=False, purposes=w.purposes("HPAYMT"), references=(w.DOCTOR,)),  # type: ignore[arg-type]
    )


def test_exception_outside_the_permit_is_left_out_and_one_partly_outside_is_cut() -> None:
    marketing = provision("deny", purpose=purposes("HMARKT"))
    partly = provision("deny", purpose=purposes("HMARKT", "TREAT"))
    imported = read(r4("permit", marketing, partly))
    assert imported.wishes[0].rules == (Rule(permit=False, purposes=TREAT),)
    assert imported.notes[-1].field == "Consent.provision.provision[0]"


@pytest.mark.parametrize(
    ("named", "mask"),
    [
        (("N",), 0),
        (("N", "HIV", "PSY"), w.sensitivities("HIV", "PSY")),
        (("V",), ALL.sensitivities.all_bits),
    ],
)
def test_labels_of_a_permit(named: tuple[str, ...], mask: int) -> None:
    assert one(claiming("Advanced", r4(securityLabel=labels(*named)))).sensitivities == mask


def test_normal_data_but_not_restricted_is_normal_data() -> None:
    wish = one(r4("permit", provision("deny", securityLabel=labels("R")), securityLabel=labels("N")))
    assert (wish.sensitivities, wish.rules) == (0, ())


def test_focused_labels_are_added_to_the_permit() -> None:
    wish = one(
        r4("permit", provision("permit", securityLabel=labels("PSY", "SEX")), securityLabel=labels("N"))
    )
    assert wish.sensitivities == w.sensitivities("PSY", "SEX")


def test_labels_added_for_one_purpose_are_a_permit_of_its_own() -> None:
    focused = provision("permit", securityLabel=labels("PSY"), purpose=purposes("TREAT"))
    whole, more = read(r4("permit", focused, DENY_DOCTOR, securityLabel=labels("N"))).wishes
    assert (whole.sensitivities, whole.purposes) == (0, TPO)
    assert (more.sensitivities, more.purposes) == (w.sensitivities("PSY"), TREAT)
    assert whole.rules == more.rules == (Rule(permit=False, grantees=(w.DOCTOR,)),)


def test_prohibition_with_an_exception_is_a_deny_first_and_a_permit() -> None:
    deny, permit = read(
        r4(
            "deny",
            provision("permit", actor=actors("Practitioner/doctor"), purpose=purposes("TREAT")),
            actor=None,
        )
    ).wishes
    assert (deny.kind, deny.grantee) == (Kind.DENY, EVERYONE)
    access = w.actions("access")
    assert deny.rules == (Rule(permit=True, purposes=TREAT, actions=access, grantees=(w.DOCTOR,)),)
    assert (permit.kind, permit.grantee, permit.purposes, permit.actions) == (
        Kind.PERMIT,
        w.DOCTOR,
        TREAT,
        access,
    )


def test_dissent_except_break_glass_leaves_that_to_the_emergency_policy() -> None:
    imported = read(r4("deny", provision("permit", purpose=purposes("BTG")), actor=None))
    (wish,) = imported.wishes
    assert wish.rules == ()
    assert "emergency policy" in imported.notes[-1].text


def test_r5_exceptions_alternate() -> None:
    scope = {"actor": actors("Organization/clinic"), "purpose": purposes("TREAT")}
    deny, permit = read(r5("deny", {**scope, "provision": [{"actor": actors("Practitioner/doctor")}]})).wishes
    assert deny.kind == Kind.DENY
    assert permit.rules == (Rule(permit=False, grantees=(w.DOCTOR,)),)


def test_dates_are_read_in_the_zone_that_is_given() -> None:
    east = timezone(timedelta(hours=2))
    wish = one(r4(dataPeriod={"start": "2022-01", "end": "2022-12"}, period={"end": "2026-03-28"}), zone=east)
    assert wish.data_from == seconds("2022-01-01T00:00:00+02:00")
    assert wish.data_to == seconds("2023-01-01T00:00:00+02:00")
    assert wish.not_after == seconds("2026-03-29T00:00:00+02:00")


def test_end_to_the_millisecond_is_a_whole_second() -> None:
    wish = one(r4(period={"start": "2026-01-01T00:00:00.000Z", "end": "2026-12-31T23:59:59.999Z"}))
    assert (wish.not_before, wish.not_after) == (
        seconds("2026-01-01T00:00:00Z"),
        seconds("2027-01-01T00:00:00Z"),
    )


def test_extension_of_others_is_kept() -> None:
    extension = {"url": "http://example.org/x", "valueString": "y"}
    assert read({**r4(), "extension": [extension]}).kept == (extension,)


# What is refused: error, path, resource
P = "Consent.provision"
FIRST = f"{P}.provision[0]"
MODIFIER = [{"url": "http://example.org/not", "valueBoolean": True}]
REFUSED: list[tuple[type[InvalidInput], str, Any]] = [
    (errors.FhirConsentMalformed, "resourceType", {"resourceType": "Patient"}),
    (errors.FhirConsentMalformed, "resourceType", []),
    (errors.FhirConsentMalformed, f"{P}.actor", r4(actor=[])),
    (errors.FhirConsentMalformed, f"{P}.purpose", r4(purpose={})),
    (errors.FhirConsentMalformed, f"{P}.purpose", r4(purpose="TREAT")),
    (errors.FhirConsentMalformed, f"{P}.period.from", r4(period={"from": "2026"})),
    (errors.FhirConsentMalformed, f"{P}.period.end", r4(period={"end": "2026-02-30T00:00:00Z"})),
    (errors.FhirConsentMalformed, f"{P}.period.end", r4(period={"end": "soon"})),
    (errors.FhirConsentUnsupported, "Consent.modifierExtension[0]", {**r4(), "modifierExtension": MODIFIER}),
    (errors.FhirConsentUnsupported, f"{P}.modifierExtension", r4(modifierExtension=MODIFIER)),
    (
        errors.FhirConsentUnsupported,
        f"{P}.actor[0].modifierExtension",
        r4(actor=[{**actors("Organization/clinic")[0], "modifierExtension": MODIFIER}]),
    ),
    (errors.FhirConsentUnsupported, "Consent.implicitRules", {**r4(), "implicitRules": "http://x"}),
    (errors.FhirConsentUnsupported, f"{P}.code", r4(code=[codes.concept(codes.LOINC, "1")])),
    (errors.FhirConsentUnsupported, f"{P}[0].expression", r5("deny", {"expression": {"language": "x"}})),
    (errors.FhirConsentUnsupported, f"{P}[0].type", r5("deny", provision("permit"))),
    (errors.FhirConsentUnsupported, "Consent.decision", {**r4(), "decision": "permit"}),
    (errors.FhirConsentUnsupported, "resourceType", bundle(r4())),
    (
        errors.FhirConsentUnsupported,
        "Consent.scope",
        {**r4(), "scope": codes.concept(codes.CONSENT_SCOPE, "adr")},
    ),
    (
        errors.FhirConsentTooDeep,
        f"{FIRST}.provision",
        r4("permit", provision("deny", provision=[DENY_DOCTOR])),
    ),
    (
        errors.FhirConsentTooDeep,
        f"{P}[0].provision",
        r5("permit", {"purpose": purposes("TREAT"), "provision": [{"purpose": purposes("TREAT")}]}),
    ),
    (errors.FhirConsentTooManyRules, f"{P}.provision", r4("permit", *[DENY_DOCTOR] * 17)),
    (errors.FhirConsentUnknownCode, f"{P}.type", r4("allow")),
    (errors.FhirConsentUnknownCode, f"{P}.purpose[0].code", r4(purpose=purposes("TREATMENT"))),
    (
        errors.FhirConsentUnknownCode,
        f"{P}.purpose[0].system",
        r4(purpose=purposes("TREAT", system=codes.PURPOSE_VALUE_SET)),
    ),
    (errors.FhirConsentUnknownCode, f"{P}.class[0].system", r4(**{"class": [{"system": "x", "code": "y"}]})),
    (errors.FhirConsentUnknownCode, f"{P}.securityLabel[0]", r4(securityLabel=labels("X"))),
    (errors.FhirConsentUnknownCode, f"{P}.securityLabel[0].code", r4(securityLabel=labels("NOPE"))),
    (
        errors.FhirConsentUnknownCode,
        f"{P}.actor[0].role",
        r4(actor=[{"role": codes.concept(codes.PARTICIPATION, "AUT"), "reference": {"reference": "x"}}]),
    ),
    (
        errors.FhirConsentUnknownCode,
        f"{P}.action[0].coding[0].code",
        r4(action=[codes.concept(codes.CONSENT_ACTION, "copy")]),
    ),
    (
        errors.FhirConsentUnknownCode,
        f"{FIRST}.data[0].meaning",
        r4("permit", provision("deny", data=data("about", "Observation/weight"))),
    ),
    (errors.FhirConsentUnresolved, f"{P}.actor[0].reference", r4(actor=actors("Organization/unknown"))),
    (
        errors.FhirConsentUnresolved,
        f"{FIRST}.data[0].reference",
        r4("permit", provision("deny", data=data("instance", "Observation/unknown"))),
    ),
    (errors.FhirConsentOtherSubject, "Consent.patient", {**r4(), "patient": {"reference": "Patient/53"}}),
    (
        errors.FhirConsentOtherSubject,
        "Consent.patient",
        {**r4(), "patient": {"reference": "Patient/52", "identifier": {"system": "x", "value": "53"}}},
    ),
    (errors.FhirConsentIncomplete, "Consent.patient", {k: v for k, v in r4().items() if k != "patient"}),
    (errors.FhirConsentIncomplete, f"{P}.type", r4(None)),
    (
        errors.FhirConsentIncomplete,
        f"{FIRST}.type",
        r4("permit", provision(actor=actors("Practitioner/doctor"))),
    ),
    (errors.FhirConsentIncomplete, "Consent.decision", r5(None)),
    (errors.FhirConsentIncomplete, f"{P}.actor", r4(actor=None)),
    (errors.FhirConsentIncomplete, f"{P}.purpose", r4(purpose=None)),
    (errors.FhirConsentContradiction, "Consent.subject", {**r4(), "subject": {"reference": "Patient/52"}}),
    (errors.FhirConsentContradiction, FIRST, r4("permit", provision("deny"))),
    (errors.FhirConsentMalformed, f"{FIRST}.actor", r4("permit", provision("deny", actor=[]))),
    (
        errors.FhirConsentContradiction,
        f"{P}.provision[1]",
        r4("permit", DENY_DOCTOR, {**DENY_DOCTOR, "type": "permit"}),
    ),
    (
        errors.FhirConsentContradiction,
        f"{P}.type",
        {**r4(), "policyRule": codes.concept(codes.ACT_CODE, "OPTOUT")},
    ),
    (
        errors.FhirConsentWindow,
        f"{P}.period.end",
        r4(period={"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}),
    ),
    (errors.FhirConsentWindow, f"{P}.dataPeriod.start", r4(dataPeriod={"start": "1969-12-31T23:59:59Z"})),
    (errors.FhirConsentWindow, f"{P}.dataPeriod.start", r4(dataPeriod={"start": "1970-01-01T00:00:00Z"})),
    (errors.FhirConsentWindow, f"{P}.period.end", r4(period={"end": "2026-01-01T00:00:00.5Z"})),
    (errors.FhirConsentZoneMissing, f"{P}.period.end", r4(period={"end": "2026-12-31"})),
    (errors.FhirConsentZoneMissing, f"{P}.period.end", r4(period={"end": "2026-12-31T00:00:00"})),
    (errors.FhirConsentNotExpressible, f"{P}.data", r4(data=data("instance", "Observation/weight"))),
    (errors.FhirConsentNotExpressible, f"{P}.securityLabel", r4(securityLabel=labels("N", "R"))),
    (errors.FhirConsentNotExpressible, f"{P}.securityLabel", r4(securityLabel=labels("HIV"))),
    (
        errors.FhirConsentNotExpressible,
        f"{FIRST}.securityLabel",
        r4("permit", provision("deny", securityLabel=labels("R"))),
    ),
    (
        errors.FhirConsentNotExpressible,
        f"{FIRST}.period",
        r4("permit", provision("deny", period={"end": "2026-01-01T00:00:00Z"})),
    ),
    (
        errors.FhirConsentNotExpressible,
        f"{FIRST}.data",
        r4("permit", provision("deny", data=data("related", "Encounter/1"))),
    ),
    (
        errors.FhirConsentNotExpressible,
        f"{FIRST}.purposes",
        r4("permit", provision("permit", purpose=purposes("HMARKT"))),
    ),
    (
        errors.FhirConsentNotExpressible,
        f"{P}.securityLabel",
        r4("deny", securityLabel=labels("R")),
    ),
    (errors.FhirConsentProfile, f"{P}.dataPeriod", claiming("Basic", r4(dataPeriod={"end": "2026"}))),
    (errors.FhirConsentProfile, f"{P}.provision", claiming("Basic", r4("permit", DENY_DOCTOR))),
    (
        errors.FhirConsentProfile,
        f"{P}.securityLabel",
        claiming("Intermediate", r4(securityLabel=labels("N"))),
    ),
    (
        errors.FhirConsentProfile,
        f"{P}.action",
        claiming("Advanced", r4(action=[codes.concept(codes.CONSENT_ACTION, "access")])),
    ),
    (
        errors.FhirConsentProfile,
        "Consent.verification",
        claiming("Basic", {**r4(), "verification": [{"a": 1}]}),
    ),
    (errors.FhirConsentIncomplete, f"{P}.type", claiming("Basic", r4(None))),
    (errors.FhirConsentNotActive, "Consent.status", {**r4(), "status": "inactive"}),
    (errors.FhirConsentNotActive, "Consent.status", {**r4(), "status": "rejected"}),
    (errors.FhirConsentUnknownCode, "profile", None),
]


@pytest.mark.parametrize(("error", "field", "resource"), REFUSED)
def test_refused_naming_the_element(error: type[InvalidInput], field: str, resource: Any) -> None:
    profile = "nobody's" if resource is None else "pcf"
    with pytest.raises(InvalidInput) as refusal:
        read(resource, profile)
    assert (type(refusal.value), refusal.value.field) == (error, field)


def test_every_error_of_the_package_is_tested() -> None:
    raised = {error for error, _, _ in REFUSED} | {errors.FhirConsentAltered}  # altered: round trip
    declared = {each for each in vars(errors).values() if isinstance(each, type) and each is not InvalidInput}
    assert declared == raised


def test_ids_of_ours_need_no_entry() -> None:
    own = Importer(Names(w.SUBJECT), w.TABLES)
    actor = actors("x")
    actor[0]["reference"] = {"identifier": {"system": codes.MEMBER, "value": "0x" + w.CLINIC.hex()}}
    resource = r4(actor=actor)
    resource["patient"] = {"identifier": {"system": codes.SUBJECT, "value": f"0x{w.SUBJECT:024x}"}}
    (wish,) = own.read(resource).wishes
    assert wish.grantee == w.CLINIC
    assert wish.not_after == UNBOUNDED

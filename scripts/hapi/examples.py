"""What the validator is shown: exports of every form and level, and resources that it has to refuse."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.consent.decision_types import reference_of_record
from backend.consent.terms import UNBOUNDED, BreakGlass, Grant, Kind, ResearchTerms, Rule
from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.export_r4 import export_r4, pcf_level
from backend.interop.fhir_consent.frame import Evidence, Frame
from backend.types import Bytes32, RecordId
from scripts.hapi import audit_examples
from scripts.vectors import world as w

Json = dict[str, Any]
WALLET = Frame(w.HOSPITAL, w.START, evidence=Evidence("wallet", w.PATIENT, w.salt("digest")))
GUARDIAN = Frame(w.HOSPITAL, w.START, "ended", Evidence("guardian", w.MOTHER, w.salt("digest")))
RECORD = reference_of_record(RecordId(bytes(range(16))))


def write_good(folder: Path) -> list[Path]:
    """Write exports of every kind, level and form; return their files."""
    shown = [
        (f"{name}-{form}", export_r4(grant, frame, w.TABLES, pcf=form == "pcf"))
        for name, grant in _grants()
        for form, frame in (("pcf", WALLET), ("plain", WALLET), ("ended", GUARDIAN))
    ]
    shown += [(f"audit-{name}", audit_examples.shown(event)) for name, event in audit_examples.events()]
    shown += [(f"audit-{name}", resource) for name, resource in audit_examples.answers()]
    return [_write(folder, name, resource) for name, resource in shown]


def write_bad(folder: Path) -> dict[Path, str]:
    """Write resources that break R4, PCF or our extensions, one rule each; return where, by file."""
    broken = (*_broken(), *audit_examples.broken())
    return {_write(folder, name, resource): place for name, place, resource in broken}


def _grants() -> Iterator[tuple[str, Grant]]:
    all_data: Json = {
        "categories": w.TABLES.categories.all_bits,
        "sensitivities": w.TABLES.sensitivities.all_bits,
        "actions": w.actions("access"),
    }
    window = Rule(permit=False, data_from=w.START, data_to=w.NOW)
    record = Rule(permit=False, references=(RECORD,), grantees=(w.DOCTOR,))
    psychiatry = Rule(
        permit=False, sensitivities=w.sensitivities("PSY"), references=(Bytes32(w.DOCTOR), Bytes32(w.CLINIC))
    )
    notify = Rule(permit=True, purposes=w.purposes("TREAT"), obligations=w.obligations("notify"))
    yield "basic", w.grant(**all_data)
    yield "basic-unlimited", w.grant(**all_data, not_before=0, not_after=UNBOUNDED)
    yield "basic-narrowed", w.grant(**{**all_data, "categories": w.categories("laboratory")}, max_uses=2)
    yield "intermediate", w.grant(Kind.PERMIT, window, record, **all_data, data_to=w.NOW)
    yield "advanced", w.grant(Kind.PERMIT, psychiatry, notify, sensitivities=w.sensitivities("HIV"))
    yield "other-labels", w.grant(sensitivities=w.sensitivities("MH", "UNLABELLED"))
    yield "deny", w.grant(Kind.DENY, Rule(permit=True, grantees=(w.DOCTOR,)))
    yield "deny-clinic", w.grant(Kind.DENY, grantee=w.CLINIC, purposes=w.purposes("HMARKT"))
    yield "refusal", w.grant(Kind.REFUSAL)
    yield (
        "research",
        w.grant(
            purposes=w.purposes("HRESCH"),
            research=ResearchTerms(("DUO:0000042",), 10, 500_000, 2**200),
            break_glass=BreakGlass.LIMIT,
            break_glass_categories=w.categories("allergies"),
        ),
    )


def _broken() -> Iterator[tuple[str, str, Json]]:
    """Yield a name, where the error has to be, and the resource."""
    shown = {name: export_r4(grant, WALLET, w.TABLES) for name, grant in _grants()}
    levels = {pcf_level(grant, w.TABLES) for _, grant in _grants()}
    if levels != {"Basic", "Intermediate", "Advanced", None}:
        raise ValueError("the examples do not show every level")

    def changed(name: str, **elements: Any) -> Json:
        resource = copy.deepcopy(shown[name])
        resource["provision"] |= elements
        return resource

    kind = [{"system": codes.CATEGORY, "code": "laboratory"}]
    research = [{"system": codes.ACT_REASON, "code": "HRESCH"}]
    other = [{"system": codes.ACT_CODE, "code": "MH"}]
    twice = [shown["intermediate"]["provision"]["provision"][1]["data"][0]] * 2
    deeper = [{"type": "deny", "provision": [{"type": "permit"}]}]
    base = "Consent.provision"
    yield "basic-with-class", base, changed("basic", **{"class": kind})
    yield "basic-with-period", base, changed("basic", dataPeriod={"end": "2026-01-01"})
    yield "basic-with-research", f"{base}.purpose", changed("basic", purpose=research)
    yield "basic-with-exception", base, changed("basic", provision=[{"type": "deny"}])
    yield "intermediate-with-label", base, changed("intermediate", securityLabel=other)
    yield (
        "intermediate-with-two-records",
        base,
        changed("intermediate", provision=[{"type": "deny", "data": twice}]),
    )
    yield "advanced-with-other-label", f"{base}.securityLabel", changed("advanced", securityLabel=other)
    yield "too-deep", f"{base}.provision", changed("advanced", provision=deeper)
    yield "without-type", base, changed("basic", type=None)
    yield "with-verification", "Consent", {**shown["basic"], "verification": [{"verified": True}]}
    optin = codes.concept(codes.ACT_CODE, "OPTIN")
    yield "with-policy-rule", "Consent", {**shown["basic"], "policyRule": optin}
    yield "wrong-status", "Consent.status", {**shown["basic"], "status": "not-done"}
    modifier = "Consent.modifierExtension"
    for name, extension in (
        ("extension-with-a-value", {"url": codes.CONDITIONS_EXTENSION, "valueString": "none"}),
        ("extension-with-another-part", _conditions({"url": "more", "valueString": "1"})),
        ("extension-with-a-number", _conditions({"url": "maxUses", "valueInteger": 1})),
        ("extension-unknown", {"url": "urn:example:other", "valueBoolean": True}),
    ):
        yield name, modifier, {**shown["basic"], "modifierExtension": [extension]}


def _conditions(part: Json) -> Json:
    return {"url": codes.CONDITIONS_EXTENSION, "extension": [part]}


def _write(folder: Path, name: str, resource: Json) -> Path:
    if "provision" in resource:
        resource["provision"] = {key: part for key, part in resource["provision"].items() if part is not None}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(resource))
    return path

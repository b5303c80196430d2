"""Every grant comes back from FHIR as it went out, and an altered export is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.R4B.consent import Consent as ConsentR4
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.consent.terms import UNBOUNDED, BreakGlass, Grant, Kind, Rule
from backend.errors import InvalidInput
from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.export_r4 import export_r4, pcf_level
from backend.interop.fhir_consent.export_r5 import export_r5
from backend.interop.fhir_consent.extensions import names_in
from backend.interop.fhir_consent.frame import Evidence, Frame
from backend.interop.fhir_consent.importing import Importer
from backend.interop.fhir_consent.names import Names
from scripts.vectors import world as w
from tests.unit.interop.grants import ALL_LABELS, grants

SETTINGS = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
FRAME = Frame(w.HOSPITAL, w.START, evidence=Evidence("wallet", w.PATIENT, w.salt("digest")))
IMPORTER = Importer(Names(w.SUBJECT), w.TABLES)
FORMS: dict[str, Any] = {
    "pcf": lambda grant, frame=FRAME: export_r4(grant, frame, w.TABLES),
    "r4": lambda grant, frame=FRAME: export_r4(grant, frame, w.TABLES, pcf=False),
    "r5": lambda grant, frame=FRAME: export_r5(grant, frame, w.TABLES),
}
WHOLE = {
    "categories": w.TABLES.categories.all_bits,
    "sensitivities": ALL_LABELS,
    "actions": w.actions("access"),
}


@SETTINGS
@given(grants(), st.sampled_from(list(FORMS)))
def test_grant_through_fhir_is_the_same_grant(grant: Grant, form: str) -> None:
    resource = json.loads(json.dumps(FORMS[form](grant)))
    imported = IMPORTER.read(resource)
    assert imported.grant == grant
    assert imported.kept == ()


@SETTINGS
@given(grants(), st.sampled_from(list(FORMS)))
def test_everything_emitted_is_valid_for_an_independent_validator(grant: Grant, form: str) -> None:
    (ConsentR5 if form == "r5" else ConsentR4).model_validate(FORMS[form](grant))


@SETTINGS
@given(grants())
def test_r4_to_r5_and_back_is_the_same_resource(grant: Grant) -> None:
    through = IMPORTER.read(FORMS["pcf"](grant)).grant
    assert through is not None
    again = IMPORTER.read(FORMS["r5"](through)).grant
    assert again is not None
    assert FORMS["pcf"](again) == FORMS["pcf"](grant)


@pytest.mark.parametrize("form", FORMS)
def test_rule_that_forbids_everything_comes_back(form: str) -> None:
    rules = (Rule(permit=False), Rule(permit=True, categories=w.categories("laboratory")))
    grant = w.grant(Kind.PERMIT, *rules, **WHOLE)
    assert IMPORTER.read(FORMS[form](grant)).grant == grant


@SETTINGS
@given(grants(), st.sampled_from(list(FORMS)), st.randoms(use_true_random=False))
def test_export_with_a_value_changed_is_refused(grant: Grant, form: str, chance: Any) -> None:
    resource = FORMS[form](grant)
    changed = copy.deepcopy(resource)
    paths = list(_meaningful(changed))
    holder, key = chance.choice(paths)
    holder[key] = _another(holder[key])
    with pytest.raises(InvalidInput):
        IMPORTER.read(changed)


@pytest.mark.parametrize("kind", [Kind.PERMIT, Kind.DENY])
@pytest.mark.parametrize("form", FORMS)
def test_export_with_the_base_decision_turned_round_is_refused(form: str, kind: Kind) -> None:
    resource = FORMS[form](w.grant(kind, **WHOLE))
    holder, key = (resource, "decision") if form == "r5" else (resource["provision"], "type")
    holder[key] = _another(holder[key])
    with pytest.raises(InvalidInput):
        IMPORTER.read(resource)


def _meaningful(resource: dict[str, Any]) -> Any:
    """Yield every place of a value inside the provisions and inside the conditions."""
    pending = [resource.get("provision"), resource.get("modifierExtension")]
    pending += [
        part for part in resource["extension"][0]["extension"] if not part["url"].startswith("evidence")
    ]
    while pending:
        held = pending.pop()
        for key, value in held.items() if isinstance(held, dict) else enumerate(held or ()):
            if isinstance(value, dict | list):
                pending.append(value)
            elif key != "type" or held is resource.get("provision"):  # Reference.type is a hint
                yield held, key


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return {"permit": "deny", "deny": "permit"}.get(value, value + "1")


def pcf(**changes: Any) -> str | None:
    return pcf_level(w.grant(Kind.PERMIT, *changes.pop("rules", ()), **{**WHOLE, **changes}), w.TABLES)


def test_pcf_level_is_the_lowest_that_the_terms_need() -> None:
    assert pcf() == "Basic"
    assert pcf(purposes=w.purposes("TREAT", "BTG")) == "Basic"
    assert pcf(purposes=w.purposes("TREAT", "HRESCH")) == "Intermediate"
    assert pcf(data_to=w.NOW) == "Intermediate"
    assert pcf(rules=(Rule(permit=False, grantees=(w.DOCTOR,)),)) == "Intermediate"
    two = (w.DOCTOR, w.CLINIC)
    assert pcf(rules=(Rule(permit=False, references=two),)) == "Advanced"
    assert pcf(sensitivities=0) == "Advanced"
    assert pcf(sensitivities=w.sensitivities("HIV")) == "Advanced"
    assert pcf(sensitivities=w.sensitivities("MH")) is None, "MH is not in the value set of PCF"


def test_permit_that_pcf_can_say_has_no_conditions_beside_it() -> None:
    resource = FORMS["pcf"](w.grant(**WHOLE))
    assert resource["meta"]["profile"] == [codes.PCF + "Basic"]
    assert "modifierExtension" not in resource
    assert "action" not in resource["provision"]
    assert "class" not in resource["provision"]


def test_conditions_that_fhir_cannot_say_are_a_modifier_and_listed() -> None:
    grant = w.grant(max_uses=3, erase_by=w.END, break_glass=BreakGlass.FORBID)
    for export in FORMS.values():
        resource = export(grant)
        assert {"maxUses", "eraseBy", "breakGlass", "salt"} <= set(names_in(resource))
        assert resource["modifierExtension"][0]["url"] == codes.CONDITIONS_EXTENSION


def test_period_end_is_the_last_second_that_is_included() -> None:
    resource = FORMS["pcf"](w.grant(not_before=1, not_after=2, data_to=86_400))
    assert resource["provision"]["period"] == {"start": "1970-01-01T00:00:01Z", "end": "1970-01-01T00:00:01Z"}
    assert resource["provision"]["dataPeriod"] == {"end": "1970-01-01T23:59:59Z"}
    unlimited = FORMS["pcf"](w.grant(not_before=0, not_after=UNBOUNDED))
    assert "period" not in unlimited["provision"]


def test_r5_deny_of_a_part_is_read_as_a_deny_of_all_without_our_extension() -> None:
    resource = FORMS["r5"](w.grant(Kind.DENY, purposes=w.purposes("HMARKT")))
    assert resource["decision"] == "deny"
    assert "provision" not in resource
    assert "purposes" in names_in(resource)


def test_refusal_is_rejected_and_leads_to_no_wish_once_ended() -> None:
    ended = Frame(w.HOSPITAL, w.START, "ended")
    assert FORMS["pcf"](w.grant(Kind.REFUSAL))["status"] == "rejected"
    assert FORMS["r5"](w.grant(Kind.REFUSAL))["status"] == "not-done"
    imported = IMPORTER.read(FORMS["pcf"](w.grant(), ended))
    assert imported.grant == w.grant()
    assert imported.wishes == ()


def test_guardian_signs_as_related_person_and_evidence_is_kept() -> None:
    frame = Frame(w.HOSPITAL, w.START, evidence=Evidence("guardian", w.MOTHER, w.salt("digest")))
    r4, r5 = FORMS["pcf"](w.grant(), frame), FORMS["r5"](w.grant(), frame)
    assert r4["performer"][0]["identifier"]["value"] == r5["grantor"][0]["identifier"]["value"] == w.MOTHER
    assert r5["verification"][0]["verificationType"]["coding"][0]["code"] == "guardian"
    assert "verification" not in r4
    assert {"evidenceMethod", "evidenceSigner", "evidenceDigest"} <= set(names_in(r4))

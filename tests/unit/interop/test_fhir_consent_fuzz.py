"""Whatever arrives as a Consent is read or refused with an error of ours; nothing else is raised."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.interop.fhir_consent.export_r4 import export_r4
from backend.interop.fhir_consent.export_r5 import export_r5
from backend.interop.fhir_consent.frame import Frame
from backend.interop.fhir_consent.profiles import PROFILES
from scripts.vectors import world as w
from tests.unit.interop.artefacts import actors, bundle, data, labels, provision, purposes, r4, r5, read
from tests.unit.interop.grants import grants

SETTINGS = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
FRAME = Frame(w.HOSPITAL, w.START)
EXCEPTION = provision(
    "deny",
    actor=actors("Practitioner/doctor"),
    data=data("instance", "Observation/weight"),
    dataPeriod={"start": "2022-01-01T00:00:00Z"},
)
SEEDS: list[Any] = [
    r4("permit", EXCEPTION, securityLabel=labels("N", "HIV")),
    r4("deny", provision("permit", purpose=purposes("TREAT"))),
    r5("deny", {"actor": actors("Organization/clinic"), "purpose": purposes("TREAT")}),
    bundle(r4(), r4("deny")),
]
exports = st.builds(
    lambda grant, r5: export_r5(grant, FRAME, w.TABLES) if r5 else export_r4(grant, FRAME, w.TABLES),
    grants(),
    st.booleans(),
)
junk = st.sampled_from([None, "", [], {}, [[]], [{}], {"url": []}, 0, -1, 2**70, True, "x", "٣", ["x"]])


@SETTINGS
@given(st.one_of(st.sampled_from(SEEDS), exports), st.data(), st.sampled_from(list(PROFILES)))
def test_any_change_is_read_or_refused(seed: Any, chosen: st.DataObject, profile: str) -> None:
    resource = copy.deepcopy(seed)
    places: list[tuple[Any, Any]] = []
    pending = [resource]
    while pending:
        held = pending.pop()
        for key, value in list(held.items()) if isinstance(held, dict) else enumerate(held):
            places.append((held, key))
            if isinstance(value, dict | list):
                pending.append(value)
    holder, key = chosen.draw(st.sampled_from(places))
    holder[key] = chosen.draw(junk)
    with contextlib.suppress(InvalidInput):
        read(resource, profile)


@pytest.mark.parametrize("held", [None, 0, "x", {}, [0], [None], [["x"]]])
def test_modifier_extensions_of_a_provision_that_are_none_are_refused(held: Any) -> None:
    inner = {"type": "deny", "modifierExtension": held}
    with pytest.raises(InvalidInput):
        read(r4("permit", inner), "pcf")


@settings(max_examples=200)
@given(
    st.recursive(
        junk, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner)
    )
)
def test_any_json_is_refused(value: Any) -> None:
    with contextlib.suppress(InvalidInput):
        read({**r4(), "provision": value})

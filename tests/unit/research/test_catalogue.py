"""The catalogue's counts are charged before they are drawn, drawn once, and of whom may be counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backend.consent.tables import load_tables
from backend.research.catalogue.discovery import CONSENT_KINDS, fitting, kind_of
from backend.research.catalogue.drawing import CatalogueDrawer, CataloguePolicy
from backend.research.catalogue.matcher import Cost, quote
from backend.research.catalogue.offers import Catalogue, CatalogueInvalid, load_catalogue
from backend.research.catalogue.synthetic import Format, encode, sample
from backend.research.catalogue.types import Counts, Drawing
from backend.research.dp import noisy_counts
from backend.research.duo import parse_use
from backend.research.errors import BudgetExceeded, CatalogueDisabled, StudyInvalid
from backend.research.extraction import PatientRecords, extract
from backend.research.study import Proposal
from backend.research.study_terms import Basis, Price
from backend.research.types import NO_EPSILON_CAP, Candidate, NanoRho, Opened, ResearchTerms
from backend.research.variables import MISSING, Kind, Variable
from backend.types import Address, SubjectId, UnixSeconds
from scripts.generate_bundles import generate
from tests.support.memory_drawings import MemoryDrawings

TABLES = load_tables()
GRU, HMB, NRES, DS = "DUO:0000042", "DUO:0000006", "DUO:0000004", "DUO:0000007:MONDO_1"
NCU, IRB, GS, PUB = "DUO:0000046", "DUO:0000021", "DUO:0000022:DE", "DUO:0000019"
MONTH = 30 * 86_400
People = Callable[..., Candidate]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(None, TABLES)


@dataclass
class Scene:
    world: Any
    catalogue: Catalogue
    store: MemoryDrawings
    policy: CataloguePolicy
    people: list[Candidate]
    progress: list[tuple[int, int]] = field(default_factory=list)

    def draw(self) -> Drawing:
        drawer = CatalogueDrawer(
            catalogue=self.catalogue,
            store=self.store,
            budget=self.world.budget,
            draws=self.world.draws,
            policy=self.policy,
            clock=lambda: self.world.now[0],
        )
        return drawer.draw(
            drawer.period, self.discoverable, lambda done, of: self.progress.append((done, of))
        )

    def discoverable(self, variables: tuple[Variable, ...]) -> list[Candidate]:
        names = frozenset(variable.name for variable in variables)
        return [replace(person, allowed=person.allowed & names) for person in self.people]

    def counts(self, name: str) -> dict[str, int]:
        found = next(counts for counts in self.store.newest("x").counts if counts.name == name)  # type: ignore[union-attr]
        return dict(zip(found.levels, found.values, strict=True))


@pytest.fixture
def scene(world: Any, catalogue: Catalogue, candidate_with: People) -> Scene:
    everything = frozenset(offer.variable.name for offer in catalogue.offers)
    people = [person_with(candidate_with(number), everything, catalogue) for number in range(1, 401)]
    return Scene(world, catalogue, MemoryDrawings(), CataloguePolicy(2_000_000, MONTH), people)


def person_with(candidate: Candidate, allowed: frozenset[str], catalogue: Catalogue) -> Candidate:
    opened = candidate.resources
    return replace(candidate, allowed=allowed, resources=lambda: PatientRecords(opened(), catalogue.views))


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise, so that what was counted shows."""

    def bare(counts: Any, *, sensitivity_squared: int, rho: NanoRho) -> Any:
        return replace(noisy_counts(counts, sensitivity_squared=sensitivity_squared, rho=rho), values=counts)

    monkeypatch.setattr("backend.research.catalogue.drawing.noisy_counts", bare)


def test_draw_counts_each_patient_once_in_each_offer(scene: Scene, exact: None) -> None:
    scene.people += scene.people[:50]
    drawing = scene.draw()
    assert scene.counts("sex")["female"] == scene.counts("sex")["male"] == 200
    assert scene.counts("age")[MISSING] == 0
    assert all(sum(counts.values) == 400 for counts in drawing.counts)
    assert sum(drawing.consents.values) == 400
    assert scene.progress[-1] == (400, 400)


def test_draw_is_noisy_with_its_error_and_costs_what_it_says(scene: Scene) -> None:
    drawing = scene.draw()
    assert drawing.rho == scene.world.budget_store.entries[0].rho > 0
    counts = scene.counts("sex")
    error = drawing.counts[0].error_95
    assert error > 0
    assert abs(counts["female"] - 200) <= 4 * error
    assert any(value for level, value in counts.items() if level not in ("female", "male"))


def test_draw_again_in_the_period_is_the_same_and_free_and_new_in_the_next(scene: Scene) -> None:
    first = scene.draw()
    scene.people = scene.people[:10]
    counted = len(scene.progress)
    assert scene.draw() is first
    assert len(scene.progress) == counted  # and opens nothing
    assert len(scene.world.budget_store.entries) == 1
    scene.world.now[0] += MONTH
    assert scene.draw().period == first.period + 1
    assert len(scene.world.budget_store.entries) == 2


def test_crash_between_charge_and_draw_never_refunds_and_never_pays_twice(
    scene: Scene, crash: type[BaseException]
) -> None:
    scene.store.crash = crash
    for _ in range(3):
        with pytest.raises(crash):
            scene.draw()
    assert len(scene.world.budget_store.entries) == 1
    scene.store.crash = None
    drawing = scene.draw()
    assert len(scene.world.budget_store.entries) == 1
    assert scene.store.kept == {drawing.period: drawing}


def test_of_two_draws_at_once_the_first_kept_is_the_only_one_seen(scene: Scene) -> None:
    other: list[Drawing] = []
    find = scene.store.find

    def meanwhile(ledger: str, period: int) -> Drawing | None:
        found = find(ledger, period)
        if not other:
            other.append(replace(scene_drawing(scene), period=period))
            scene.store.kept[period] = other[0]
        return found

    scene.store.find = meanwhile  # type: ignore[method-assign]
    assert scene.draw() is other[0]


def scene_drawing(scene: Scene) -> Drawing:
    nothing = Counts("consents", CONSENT_KINDS, (0,) * len(CONSENT_KINDS), 1)
    return Drawing("hospital", 0, b"", NanoRho(1), UnixSeconds(1), "2026-01-01", nothing, ())


def test_draw_without_budget_left_opens_and_charges_nothing(scene: Scene) -> None:
    opened: list[int] = []
    scene.people = [replace(person, resources=lambda: opened.append(1) or ()) for person in scene.people]
    scene.world.policy = replace(scene.world.policy, epsilon=100_000)
    with pytest.raises(BudgetExceeded):
        scene.draw()
    scene.policy = replace(scene.policy, epsilon=0)
    with pytest.raises(CatalogueDisabled):
        scene.draw()
    assert not opened
    assert not scene.world.budget_store.entries


def test_draw_counts_only_whose_terms_allow_discovery(scene: Scene, exact: None) -> None:
    def some(low: int, high: int, **terms: Any) -> list[Candidate]:
        return [replace(p, terms=replace(p.terms, **terms)) for p in scene.people[low:high]]

    scene.people = [
        *some(0, 100, duo=((GRU,),)),
        *some(100, 150, duo=((DS,),)),
        *some(150, 170, duo=((GRU, GS),)),
        *some(170, 200, duo=((HMB, NCU),)),
        *some(200, 210, epsilon_cap=0),
        *some(210, 220, minimum_cohort=10_000),
    ]
    drawing = scene.draw()
    assert dict(zip(drawing.consents.levels, drawing.consents.values, strict=True)) == dict.fromkeys(
        CONSENT_KINDS, 0
    ) | {"GRU without conditions": 100, "HMB with conditions": 30}


def test_variable_that_is_not_permitted_counts_as_missing(scene: Scene, exact: None) -> None:
    scene.people = [replace(person, allowed=frozenset({"sex"})) for person in scene.people]
    scene.draw()
    assert scene.counts("age")[MISSING] == scene.counts("asthma")[MISSING] == 400
    assert scene.counts("sex")["female"] == 200


@pytest.mark.parametrize(
    ("duo", "kind"),
    [
        (((GRU,),), "GRU without conditions"),
        (((NRES, IRB),), "NRES without conditions"),
        (((NRES,), (HMB,)), "HMB without conditions"),
        (((GRU, NCU),), "GRU with conditions"),
        (((GRU,), (NRES, PUB)), "GRU with conditions"),
        (((HMB, GRU),), "GRU without conditions"),  # alternatives: the wider counts
        (((DS,),), None),
        (((GRU,), (DS,)), None),
        (((GRU, GS),), None),
        (((NCU,),), None),
        (((GRU, "DUO:9999999"),), None),
        (((),), None),
        ((), None),
    ],
)
def test_kind_of_consent_is_the_narrowest_and_none_without_discovery(
    duo: tuple[tuple[str, ...], ...], kind: str | None
) -> None:
    assert kind_of(ResearchTerms(duo, 0, NO_EPSILON_CAP)) == kind


def test_fitting_kinds_follow_the_duo_match() -> None:
    surely, perhaps = fitting(parse_use([HMB]))
    assert surely == {f"{name} without conditions" for name in ("NRES", "GRU", "HMB")}
    assert perhaps == {f"{name} with conditions" for name in ("NRES", "GRU", "HMB")}
    assert fitting(parse_use(["DUO:0000011"]))[0] == {"NRES without conditions", "GRU without conditions"}


def test_quote_says_why_terms_fit_what_remains_price_and_error(
    scene: Scene, exact: None, proposal_with: Callable[..., Proposal]
) -> None:
    proposal = proposal_with()
    assert quote(proposal, None, delta_exponent=6).remaining is None
    drawing = scene.draw()
    found = quote(proposal, drawing, delta_exponent=6)
    verdicts = {fit.shorthand: fit for fit in found.terms}
    assert len(verdicts) == 23
    assert verdicts["HMB"].fits
    assert verdicts["NCU"].fits  # the proposal states it
    assert not verdicts["DS"].fits
    assert not verdicts["PUB"].fits
    assert all(fit.reason for fit in found.terms)
    remaining = found.remaining
    assert remaining is not None
    assert remaining.patients.low <= 400 <= remaining.patients.high
    assert remaining.of.low <= 400 <= remaining.of.high
    assert dict(remaining.variables).keys() == {"sex"}  # its age has other bins: another variable
    assert float(found.epsilon) > 0
    assert all(question.expected_error > 0 for question in found.plan.questions)
    assert len(scene.world.budget_store.entries) == 1
    with pytest.raises(StudyInvalid):
        quote(proposal_with(duo=()), drawing, delta_exponent=6)


def test_quote_says_what_all_runs_may_cost(
    scene: Scene, exact: None, proposal_with: Callable[..., Proposal]
) -> None:
    each = Price(Address("0x" + "ab" * 20), 7, Basis.PATIENT)
    together = replace(each, basis=Basis.STUDY)
    assert (
        quote(proposal_with(price=each), None, delta_exponent=6).cost is None
    )  # nobody knows yet for how many
    assert quote(proposal_with(price=together), None, delta_exponent=6).cost == Cost(7, 7)
    drawing = scene.draw()
    assert quote(proposal_with(), drawing, delta_exponent=6).cost is None
    found = quote(proposal_with(price=each, runs=2), drawing, delta_exponent=6)
    assert found.remaining is not None
    patients = found.remaining.patients
    assert found.cost == Cost(2 * 7 * patients.low, 2 * 7 * (patients.high - 1))


def test_quote_leaves_out_consents_that_do_not_fit(
    scene: Scene, exact: None, proposal_with: Callable[..., Proposal]
) -> None:
    def people(duo: str, *more: str) -> list[Candidate]:
        return [replace(p, terms=replace(p.terms, duo=((duo, *more),))) for p in scene.people]

    def shifted(candidates: list[Candidate], by: int) -> list[Candidate]:
        return [replace(person, subject=SubjectId(person.subject + by)) for person in candidates]

    scene.people = people(GRU) + shifted(people(HMB), 1_000) + shifted(people(GRU, NCU), 2_000)
    drawing = scene.draw()
    drawing = replace(drawing, consents=replace(drawing.consents, error_95=0))

    def remaining(*duo: str) -> tuple[int, int]:
        found = quote(proposal_with(duo=duo), drawing, delta_exponent=6).remaining
        assert found is not None
        return found.patients.low, found.patients.high

    assert remaining(GRU) == (400, 810)  # 400 surely, 400 more if it is not commercial
    assert remaining(HMB) == (800, 1210)


def test_default_offers_have_values_in_generated_bundles(catalogue: Catalogue) -> None:
    assert {offer.variable.kind for offer in catalogue.offers} == set(Kind)
    everything = TABLES.categories.all_bits
    variables = [offer.variable for offer in catalogue.at("2025-06-30")]
    found: dict[str, set[str]] = {variable.name: set() for variable in variables}
    for bundle in generate(30, 5):
        opened = [
            Opened(TABLES.categories.mask(code_of(entry["resource"])), entry["resource"])
            for entry in bundle["entry"]
        ]
        row = extract(variables, frozenset(found), PatientRecords(opened, catalogue.views))
        for variable in variables:
            found[variable.name].add(variable.level_of(row[variable.name]))
    assert everything
    empty = {name for name, levels in found.items() if levels <= {MISSING, "absent"}}
    assert empty <= {"postal_region", "state", "smoking", "emergency_visit"}  # not in these bundles


def code_of(resource: dict[str, Any]) -> list[str]:
    if resource["resourceType"] == "Observation":
        category = resource["category"][0]["coding"][0]["code"]
        return ["vital_signs" if category == "vital-signs" else "laboratory"]
    return {
        "Patient": ["demographics", "contact", "identifiers"],
        "Condition": ["conditions"],
        "Encounter": ["encounters"],
        "Procedure": ["procedures"],
        "Immunization": ["immunizations"],
        "AllergyIntolerance": ["allergies"],
        "MedicationRequest": ["medications"],
    }.get(resource["resourceType"], ["other"])


def write(directory: Path, view: dict[str, Any] | None, offers: Any) -> Path:
    (directory / "views").mkdir()
    if view is not None:
        (directory / "views" / "own.json").write_text(json.dumps(view))
    (directory / "offers.json").write_text(offers if isinstance(offers, str) else json.dumps(offers))
    return directory


def test_own_directory_adds_and_replaces(tmp_path: Path, catalogue: Catalogue) -> None:
    own = catalogue.documents["encounters"] | {"title": "Ours"}
    offer = {
        "name": "sex",
        "title": "Stays in hospital",
        "kind": "view",
        "source": {"view": "encounters", "column": "class", "take": "any", "where": [["class", "IMP"]]},
    }
    found = load_catalogue(write(tmp_path, dict(own), {"offers": [offer]}), TABLES)
    assert found.views["encounters"].title == "Ours"
    assert len(found.offers) == len(catalogue.offers)
    assert next(o.variable.kind for o in found.offers if o.variable.name == "sex") is Kind.VIEW


@pytest.mark.parametrize(
    "offers",
    [
        "not json",
        {"offers": {}},
        {"offers": [{"name": "x"}]},
        {"offers": [{"name": "x", "title": "X", "kind": "sex"}]},
        {"offers": [{"name": "x", "title": "X", "kind": "sex", "role": "quasi", "extra": 1}]},
        {
            "offers": [
                {
                    "name": "x",
                    "title": "X",
                    "kind": "view",
                    "source": {"view": "y", "column": "z", "take": "any"},
                }
            ]
        },
    ],
)
def test_catalogue_that_cannot_be_read_names_its_file(tmp_path: Path, offers: Any) -> None:
    with pytest.raises(CatalogueInvalid, match=r"offers\.json"):
        load_catalogue(write(tmp_path, None, offers), TABLES)


def test_view_of_an_unknown_category_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    odd = dict(catalogue.documents["encounters"])
    odd["extension"] = [{"url": "urn:assent:category", "valueCode": "everything"}]
    odd["name"] = "odd"
    with pytest.raises(CatalogueInvalid, match=r"own\.json"):
        load_catalogue(write(tmp_path, odd, {"offers": []}), TABLES)


def test_sample_has_the_schema_and_is_the_same_for_the_same_seed(catalogue: Catalogue) -> None:
    variables = [offer.variable for offer in catalogue.at("2026-01-01")][:12]
    table = sample(variables, rows=500, seed=1)
    assert table.columns == ["patient", *(variable.name for variable in variables)]
    assert table.height == 500
    assert table["patient"].n_unique() == 500
    for variable in variables:
        assert set(table[variable.name]) <= set(variable.domain)
    assert table.equals(sample(variables, rows=500, seed=1))
    assert not table.equals(sample(variables, rows=500, seed=2))
    assert pl.read_csv(encode(table, Format.CSV), infer_schema=False).equals(table)
    assert pl.read_parquet(encode(table, Format.PARQUET)).equals(table)


def test_sample_that_cannot_be_made_is_refused(catalogue: Catalogue) -> None:
    one = catalogue.offers[0].variable
    for variables, rows in (([], 1), ([one, one], 1), ([replace(one, name="patient")], 1), ([one], 0)):
        with pytest.raises(StudyInvalid):
            sample(variables, rows=rows, seed=1)

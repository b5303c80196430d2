"""The report on a release: every figure with one sentence that says what it means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from backend.research.anonymize.domains import Ints
from backend.research.anonymize.meanings import MEANINGS
from backend.research.anonymize.overlaps import people_inside
from backend.research.anonymize.population import Uniqueness, uniqueness
from backend.research.anonymize.published import classes_of
from backend.research.anonymize.quality import QUANTILES, Quality, quality
from backend.research.anonymize.reached import Reached
from backend.research.anonymize.refusals import TableInvalid
from backend.research.anonymize.release import Release, Request
from backend.research.anonymize.risk import THRESHOLDS, Risk, Risks, risks, unique_share
from backend.research.anonymize.schema import Schema
from backend.research.anonymize.types import DiversityKind, PrivacyModel

ENGINE_VERSION = (
    "1"  # of the form of releases and of this report; rises when a release can come out otherwise
)
_DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """What is known of the population a table was drawn from: its size, and perhaps the quasi-identifiers of
    all of it (as ``read_population`` gives them)."""

    size: int
    table: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything measured on a release. ``sizes`` are the class sizes in patients, for the plots."""

    request: Request
    quality: Quality
    reached: Mapping[str, Reached]
    risks: Risks
    unique_before: float
    unique_after: float
    uniqueness: Uniqueness | None
    sizes: Ints
    schema: Schema
    k: int
    digest: str

    def as_json(self) -> dict[str, Any]:
        """The report for programs; ``meanings`` explains each figure by its path, ``*`` being any name."""
        return {
            "schema": 1,
            "engine_version": ENGINE_VERSION,
            "release_sha256": self.digest,
            "privacy": _privacy(self),
            "rows": _rows(self.quality),
            "classes": _classes(self.quality),
            "sensitive": {
                name: _sensitive(found, self.request.model) for name, found in self.reached.items()
            },
            "loss": _loss(self.quality),
            "shift": _shift(self.quality),
            "risk": _risk(self),
            "meanings": dict(MEANINGS),
        }


def report_on(
    before: pl.DataFrame,
    schema: Schema,
    request: Request,
    release: Release,
    *,
    digest: str,
    population: Population | None = None,
) -> Report:
    """Measure a release of the table ``before``; ``digest`` is the SHA-256 of the released file, in hex."""
    classes = release.verified.classes
    columns = [*schema.quasi, *schema.sensitive]
    original = classes_of(
        before.select(schema.quasi),
        release.domains,
        before[schema.patient] if schema.patient is not None else None,
    )
    return Report(
        request=request,
        quality=quality(
            before.select(columns),
            release.table.select(columns),
            release.kept,
            classes=classes,
            domains=release.domains,
            k=request.model.k,
        ),
        reached=release.verified.reached,
        risks=risks(classes.people, _population_sizes(release, population)),
        unique_before=unique_share(original.people),
        unique_after=unique_share(classes.people),
        uniqueness=uniqueness(original.people, population.size) if population is not None else None,
        sizes=classes.people,
        schema=schema,
        k=release.verified.k,
        digest=digest,
    )


def _population_sizes(release: Release, population: Population | None) -> Ints | None:
    """How many people of the population have a place in each class.

    Raises TableInvalid when it has fewer than the release: then it is another population.
    """
    if population is None or population.table is None:
        return None
    distinct = population.table.group_by(list(release.domains)).len()
    values = {name: domain.value_codes(distinct[name]) for name, domain in release.domains.items()}
    count = distinct["len"].to_numpy().astype(np.int64)
    classes = release.verified.classes
    sizes = people_inside(classes, release.domains, values, count)
    if bool((sizes < classes.people).any()):
        raise TableInvalid("the population has fewer people in a class than the table: it is another one")
    return sizes


def _privacy(report: Report) -> dict[str, Any]:
    model, request = report.request.model, report.request
    diversity = None
    if model.diversity is not None:
        diversity = {"kind": model.diversity.kind.value, "l": model.diversity.l, "c": model.diversity.c}
    return {
        "k": model.k,
        "k_reached": report.k,
        "l": diversity,
        "t": model.t,
        "ground_distance": "equal",
        "mode": request.mode.value,
        "suppression_limit": request.suppression,
        "protected": list(request.protected or (report.schema.sensitive if model.needs_sensitive else ())),
        "pseudonyms": request.pseudonym_key is not None,
    }


def _rows(found: Quality) -> dict[str, Any]:
    return {
        "before": found.rows_before,
        "released": found.rows_released,
        "suppressed": found.rows_suppressed,
        "cells_suppressed": found.cells_suppressed,
        "cells_at_root": found.cells_at_root,
    }


def _classes(found: Quality) -> dict[str, Any]:
    sizes = found.sizes
    return {
        "count": sizes.classes,
        "least": sizes.least,
        "mean": _round(sizes.mean),
        "quantiles": {f"{share:.0%}": size for share, size in zip(QUANTILES, sizes.quantiles, strict=True)},
        "most": sizes.most,
        "c_avg": _round(sizes.c_avg),
        "nested_share": _round(found.nested_share),
    }


def _sensitive(found: Reached, model: PrivacyModel) -> dict[str, Any]:
    asked = model.diversity
    answer: dict[str, Any] = {
        "distinct_l": found.distinct,
        "entropy_l": _round(found.entropy),
        "t": _round(found.distance),
    }
    if asked is not None and asked.kind is DiversityKind.RECURSIVE:
        needed = found.recursive(int(asked.l))
        answer["recursive_c"] = None if math.isinf(needed) else _round(needed)
    return answer


def _loss(found: Quality) -> dict[str, Any]:
    return {
        "mean": _round(found.loss),
        "entropy_mean": _round(found.entropy),
        "discernibility": found.discernibility,
        "columns": {
            name: {
                "loss": _round(column.loss),
                "entropy": _round(column.entropy),
                "levels": list(column.levels),
            }
            for name, column in found.columns.items()
        },
    }


def _shift(found: Quality) -> dict[str, Any]:
    return {
        "columns": {name: _round(column.shift) for name, column in found.columns.items()},
        "correlation_mean": _round(found.correlation_shift),
        "correlations": [
            {"columns": [pair.one, pair.other], "before": _round(pair.before), "after": _round(pair.after)}
            for pair in found.correlations
        ],
    }


def _risk(report: Report) -> dict[str, Any]:
    found = report.risks
    estimate = report.uniqueness
    return {
        "prosecutor": _one_risk(found.prosecutor),
        "journalist": _one_risk(found.journalist),
        "journalist_from_population": found.from_population,
        "marketer": _round(found.marketer),
        "unique_before": _round(report.unique_before),
        "unique_after": _round(report.unique_after),
        "population_uniqueness": None
        if estimate is None
        else {
            "pitman": _round(estimate.pitman),
            "zayatz": _round(estimate.zayatz),
            "dankar": _round(estimate.dankar),
            "chosen": estimate.chosen,
        },
    }


def _one_risk(found: Risk) -> dict[str, Any]:
    return {
        "highest": _round(found.highest),
        "average": _round(found.average),
        "records_at_risk": {
            f"{threshold:g}": _round(share)
            for threshold, share in zip(THRESHOLDS, found.at_risk, strict=True)
        },
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)

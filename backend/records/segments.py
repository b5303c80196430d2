"""Segments: the parts of a record that are encrypted, permitted and released as a whole.

Resources with the same category mask and sensitivity mask, dated in the same calendar month (UTC), make one
segment. A consent covers a segment only if its data window contains the segment's whole interval, so nothing
outside the window is ever released; the month bounds what is withheld besides (docs/labelling.md has the
numbers behind the choice). A resource that reaches over several months goes with others that begin and end in
the same months, so that one long care plan does not drag a month of measurements with it.

Payload of a FHIR segment, byte for byte (UTF-8, no byte-order mark, no white space but the source's own)::

    {"resourceType":"Bundle","type":"collection","entry":[E,...]}    E in the order of the source bundle
    E = {"fullUrl":U,"resource":R}  or  {"resource":R}               where the source entry has no fullUrl

U is the fullUrl as a JSON string as ``json.dumps(ensure_ascii=False)`` writes it; R is the source's own text
of the resource, unchanged. What else an entry or the bundle holds (request, search, link, signature) is not
kept.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from backend.records.fhir_bundle import Bundle, Resource
from backend.records.fhir_dates import ALL_TIME, Span, resource_span
from backend.records.label_loading import label_tables
from backend.records.label_tables import LabelTables
from backend.records.labels import Label, label_bundle

FHIR_MEDIA_TYPE: Final = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a record.

    ``kind`` names category and sensitivity ("laboratory", "conditions/BH+MH") and is the same for every
    period: keys are sealed to readers by kind. ``data_from``, ``data_to``: unix seconds, half open;
    (0, 2**40-1) where no time is known. ``resources`` counts; an attachment is one.
    """

    kind: str
    categories: int
    sensitivities: int
    data_from: int
    data_to: int
    resources: int
    media_type: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    resource: Resource
    label: Label
    span: Span


def segment(bundle: Bundle, tables: LabelTables | None = None) -> tuple[Segment, ...]:
    """Split a bundle into segments, each resource in exactly one.

    The order is by category mask, sensitivity mask, months, and is the same on every run.
    """
    tables = tables or label_tables()
    groups: dict[tuple[int, int, int, int], list[_Part]] = defaultdict(list)
    for resource, label in zip(bundle.resources, label_bundle(bundle, tables), strict=True):
        span = resource_span(resource.content, tables)
        first, last = _months(span)
        groups[label.categories, label.sensitivities, first, last].append(_Part(resource, label, span))
    return tuple(_segment(groups[key], tables) for key in sorted(groups))


def kind_name(categories: int, sensitivities: int, tables: LabelTables) -> str:
    """Return the stable name of a segment kind: codes in bit order, sensitivities after a slash."""
    name = "+".join(tables.names(categories, tables.category_bits))
    if sensitivities:
        name += "/" + "+".join(tables.names(sensitivities, tables.sensitivity_bits))
    return name


def collection(entries: Iterable[tuple[str | None, str]]) -> bytes:
    """Return the payload for (fullUrl, resource text) pairs, as the module's description fixes it."""
    parts = (
        f'{{"fullUrl":{json.dumps(url, ensure_ascii=False)},"resource":{text}}}'
        if url
        else f'{{"resource":{text}}}'
        for url, text in entries
    )
    return ('{"resourceType":"Bundle","type":"collection","entry":[' + ",".join(parts) + "]}").encode()


def _segment(parts: list[_Part], tables: LabelTables) -> Segment:
    label = parts[0].label
    return Segment(
        kind=kind_name(label.categories, label.sensitivities, tables),
        categories=label.categories,
        sensitivities=label.sensitivities,
        data_from=min(part.span[0] for part in parts),
        data_to=max(part.span[1] for part in parts),
        resources=len(parts),
        media_type=FHIR_MEDIA_TYPE,
        payload=collection((part.resource.full_url, part.resource.text) for part in parts),
    )


def _months(span: Span) -> tuple[int, int]:
    """Return the months of the first and the last second, counted from year 0; -1 where no time is known."""
    if span == ALL_TIME:
        return -1, -1
    return _month(span[0]), _month(span[1] - 1)


def _month(seconds: int) -> int:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.year * 12 + moment.month

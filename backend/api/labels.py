"""Asking how a document would be labelled. Nothing of it is stored."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from backend.api.security import Caller, needs
from backend.records.fhir import conforming_document
from backend.records.label_grounds import Explained, explain
from backend.records.label_scan import Finding
from backend.records.label_tables import UNLABELLED, LabelTables

router = APIRouter(prefix="/v1", tags=["records"])


class LabelMapView(BaseModel):
    """The deployment's map of local codes that is in force."""

    version: str
    reviewed_on: date
    digest: str


class LabelTablesView(BaseModel):
    """``digest`` is kept with every stored record: of the published tables and the map."""

    version: int
    digest: str
    published_digest: str
    map: LabelMapView | None


class GroundView(BaseModel):
    """One reason. ``row`` is where the tables say so, as file/place; ``map/...`` is the deployment's map."""

    source: str = Field(
        description="code, words, tag, security, extension, questionnaire, category, type, reference, unknown"
    )
    system: str = ""
    code: str = Field(default="", description="of words the listed phrase, never the text it stands in")
    row: str = ""
    entry: int | None = Field(default=None, description="of a reference: the entry whose labels came with it")
    categories: list[str] = []
    sensitivities: list[str] = []


class EntryLabelsView(BaseModel):
    """``known`` is false where a part is known to no table; such data is restricted."""

    entry: int
    full_url: str | None
    resource_type: str
    categories: list[str]
    sensitivities: list[str]
    confidentiality: str = Field(description="HL7 v3 Confidentiality: L, M, N, R or V")
    known: bool
    why: list[GroundView]


class LabelsView(BaseModel):
    tables: LabelTablesView
    entries: list[EntryLabelsView]


@router.post(
    "/labels",
    response_model=LabelsView,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/fhir+json": {"schema": {"type": "object"}}},
        }
    },
)
async def label(request: Request, caller: Annotated[Caller, Depends(needs())]) -> LabelsView:
    """Label a FHIR R4 resource or Bundle as on the way in, and say why. Nothing is stored.

    The document need not be about one patient. What it refers to outside itself restricts it, as ever.
    """
    content = await request.body()
    return await run_in_threadpool(_labels, content, caller.services.labels)


def _labels(content: bytes, tables: LabelTables) -> LabelsView:
    explained = explain(conforming_document(content), tables)
    return LabelsView(tables=tables_view(tables), entries=[_entry(item, tables) for item in explained])


def tables_view(tables: LabelTables) -> LabelTablesView:
    known = tables.label_map
    return LabelTablesView(
        version=tables.version,
        digest=tables.digest,
        published_digest=tables.published,
        map=known and LabelMapView(version=known.version, reviewed_on=known.reviewed_on, digest=known.digest),
    )


def _entry(item: Explained, tables: LabelTables) -> EntryLabelsView:
    passed = [
        GroundView(
            source="reference",
            entry=brought.index,
            sensitivities=_sensitivities(brought.sensitivities, tables),
        )
        for brought in item.passed
    ]
    return EntryLabelsView(
        entry=item.resource.index,
        full_url=item.resource.full_url,
        resource_type=item.resource.type,
        categories=_categories(item.categories, tables),
        sensitivities=_sensitivities(item.sensitivities, tables),
        confidentiality=item.confidentiality,
        known=not item.sensitivities & UNLABELLED,
        why=[_ground(finding, tables) for finding in item.findings] + passed,
    )


def _ground(finding: Finding, tables: LabelTables) -> GroundView:
    return GroundView(
        source=finding.source,
        system=finding.system,
        code=finding.code,
        row=finding.row,
        categories=_categories(finding.categories, tables),
        sensitivities=_sensitivities(finding.sensitivities, tables),
    )


def _categories(mask: int, tables: LabelTables) -> list[str]:
    return list(tables.names(mask, tables.category_bits))


def _sensitivities(mask: int, tables: LabelTables) -> list[str]:
    return list(tables.names(mask, tables.sensitivity_bits))

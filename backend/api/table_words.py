"""The words of the published code tables, for pages that show codes to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from backend.api.entity_tags import IfNoneMatch, names
from backend.api.security import Open
from backend.consent.tables import CodeTable

router = APIRouter(prefix="/v1/tables", tags=["consents"])
AN_HOUR: Final = "public, max-age=3600"  # a new version comes with a new program only


class TableWords(BaseModel):
    """By code, in bit order: the words that signed summaries are made of."""

    version: int
    language: str
    purposes: Mapping[str, str]
    categories: Mapping[str, str]
    sensitivities: Mapping[str, str]
    actions: Mapping[str, str]
    obligations: Mapping[str, str]
    powers: Mapping[str, str]
    kinds: Mapping[str, str] = Field(description="of consents, by the kind that their listing gives")
    duo: Mapping[str, str] = Field(description="of the GA4GH Data Use Ontology")


@router.get("/words", response_model=TableWords, responses={304: {"description": "as named"}})
def words(
    services: Open, response: Response, language: Literal["en", "de"], if_none_match: IfNoneMatch = None
) -> TableWords | Response:
    """The words for each code, in one language."""
    tables = services.tables
    tag = f'"{tables.digest[:32]}-{language}"'
    headers = {"ETag": tag, "Cache-Control": AN_HOUR, "Content-Language": language}
    if names(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)

    def of(table: CodeTable) -> Mapping[str, str]:
        return table.texts[language]

    return TableWords(
        version=tables.version,
        language=language,
        purposes=of(tables.purposes),
        categories=of(tables.categories),
        sensitivities=of(tables.sensitivities),
        actions=of(tables.actions),
        obligations=of(tables.obligations),
        powers=of(tables.powers),
        kinds={code.lower(): text for code, text in tables.kind_texts[language].items()},
        duo=tables.duo[language],
    )

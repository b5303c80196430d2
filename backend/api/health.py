"""Whether the service lives, whether it is ready, and its metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from backend.api.security import Open
from backend.api.standing_metrics import exposed
from backend.consent.tables import CodeTable
from backend.operations.types import UP
from backend.records.label_loading import tables_digest

router = APIRouter(tags=["operation"])
ERRORS_PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "errors.md"


class Ready(BaseModel):
    """``parts`` maps each part to 'up' or to the code of its error."""

    ready: bool
    parts: dict[str, str]


class BitsView(BaseModel):
    """Where each code stands in the masks that are signed: code to bit, the least significant one 0."""

    purposes: dict[str, int]
    categories: dict[str, int]
    sensitivities: dict[str, int]
    actions: dict[str, int]


class TablesView(BaseModel):
    """The codes that may be used, in bit order, with the digest that decisions name."""

    version: int
    digest: str = Field(description="SHA-256 over the next two digests, as decisions name it")
    codes_digest: str
    labels_digest: str = Field(description="of the label tables, with the map of local codes if there is one")
    labels_version: int
    label_map: str | None = Field(description="digest of the map of local codes")
    purposes: list[str]
    categories: list[str]
    sensitivities: list[str]
    actions: list[str]
    obligations: list[str]
    powers: list[str]
    bits: BitsView


class LedgerView(BaseModel):
    """Where signatures count: the EIP-712 domain."""

    chain_id: int
    consent_registry: str
    tenant: str


@router.get("/health/live", response_class=Response)
def live() -> Response:
    """The process answers."""
    return Response("alive\n", media_type="text/plain")


@router.get("/health/serving", response_class=Response)
def serving() -> Response:
    """This process serves, whatever its parts can do; 503 `standing_by` in one that waits for its turn.

    What a proxy before two processes asks: stops are taken also while a part is away.
    """
    return Response("serving\n", media_type="text/plain")


@router.get("/health/ready", response_model=Ready)
def ready(services: Open, response: Response) -> Ready:
    """Every part can be used now; 503 and the name of the part otherwise."""
    parts = services.watching.parts()
    is_ready = all(state == UP for state in parts.values())
    response.status_code = 200 if is_ready else 503
    return Ready(ready=is_ready, parts=parts)


@router.get("/docs/errors", response_class=Response)
def explain_errors() -> Response:
    """What each error code means and what to do: the page that problems point to."""
    return Response(ERRORS_PAGE.read_text(), media_type="text/markdown; charset=utf-8")


@router.get("/metrics", response_class=Response)
def metrics(services: Open) -> Response:
    """Prometheus text format: what was counted, and how the service stands now."""
    standing = exposed(services.watching.facts(), services.privacy_budget)
    return Response(generate_latest() + standing, media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/tables", response_model=TablesView, tags=["consents"])
def tables(services: Open) -> TablesView:
    """The published code tables."""
    published, labels = services.tables, services.labels

    def codes(table: CodeTable) -> list[str]:
        return list(table.bits)

    return TablesView(
        version=published.version,
        digest=tables_digest(published, labels),
        codes_digest=published.digest,
        labels_digest=labels.digest,
        labels_version=labels.version,
        label_map=labels.label_map.digest if labels.label_map else None,
        purposes=codes(published.purposes),
        categories=codes(published.categories),
        sensitivities=codes(published.sensitivities),
        actions=codes(published.actions),
        obligations=codes(published.obligations),
        powers=codes(published.powers),
        bits=BitsView(
            purposes=dict(published.purposes.bits),
            categories=dict(published.categories.bits),
            sensitivities=dict(published.sensitivities.bits),
            actions=dict(published.actions.bits),
        ),
    )


@router.get("/v1/ledger", response_model=LedgerView, tags=["consents"])
def ledger(services: Open) -> LedgerView:
    """The chain and contract that signatures are for."""
    return LedgerView(
        chain_id=services.domain.chain_id,
        consent_registry=services.domain.verifying_contract,
        tenant="0x" + services.tenant.hex(),
    )

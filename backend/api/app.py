"""Puts the HTTP application together: routers, problems, limits, documentation."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp

from backend.api import (
    abdm,
    affected,
    audit,
    backups,
    blocked_requesters,
    boards,
    budgets,
    care_teams,
    catalogue,
    clients,
    consent_requests,
    consents,
    contact,
    datasets,
    decision_interfaces,
    decisions,
    encryption_keys,
    end_to_end,
    enrolments,
    erasures,
    escrows,
    fhir_audit,
    fhir_consents,
    health,
    labels,
    legal_holds,
    log,
    members,
    notices,
    oauth,
    openid,
    operations,
    organisations,
    overviews,
    paper_consents,
    payments,
    payouts,
    portability,
    previews,
    problems,
    receipts,
    record_exports,
    records,
    recovery,
    revocation_notices,
    revocations,
    rpc,
    runs,
    sessions,
    signing_keys,
    studies,
    table_words,
    users,
    wallets,
    webhooks,
)
from backend.api.middleware import Edge
from backend.api.pages import pages_router
from backend.api.services import Services

DESCRIPTION = """
Patients decide who may use which of their health records, for which purpose and until when. Every read is
decided against the patient's signed consents on the chain, and every decision is in an audit log that anyone
can verify offline.

Errors are `application/problem+json` with a stable `code`, explained in docs/errors.md.
"""


def create_app(
    services: Services, *, max_body_bytes: int, max_attachment_bytes: int, pages: Path | None = None
) -> ASGIApp:
    """Return the ASGI application. ``pages``: the directory that the build of ``web/`` writes."""
    app = create_api(services, pages)
    return Edge(app, max_body_bytes=max_body_bytes, max_attachment_bytes=max_attachment_bytes)


def create_api(services: Services, pages: Path | None = None) -> FastAPI:
    """Return the routes without the edge; building it touches no service."""
    app = FastAPI(
        title="Assent",
        version="0.1.0",
        description=DESCRIPTION,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    problems.install(app)
    for module in (
        records,  # first: routes are tried in order, and reads come most often
        wallets,
        openid,
        sessions,
        members,
        organisations,
        care_teams,
        users,
        clients,
        webhooks,
        signing_keys,
        backups,
        oauth,
        enrolments,
        erasures,
        legal_holds,
        encryption_keys,
        end_to_end,
        portability,
        consent_requests,
        blocked_requesters,
        previews,
        overviews,
        consents,
        paper_consents,
        recovery,
        fhir_consents,
        receipts,
        abdm,
        notices,
        revocations,
        revocation_notices,
        contact,
        decisions,
        decision_interfaces,
        labels,
        audit,
        log,
        affected,
        fhir_audit,
        studies,
        boards,
        runs,
        catalogue,
        datasets,
        record_exports,
        escrows,
        payouts,
        payments,
        budgets,
        table_words,
        rpc,
        operations,
        health,
    ):
        app.include_router(module.router)
    app.include_router(pages_router(pages))
    return app

"""The de-identified records that a run made, sealed to the researcher's key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from backend.api.runs import HexRun, own_run
from backend.api.schemas import Hex32
from backend.api.sealed_releases import RESPONSES, download
from backend.api.security import Caller, agent_of, needs, requesting_member
from backend.identity.roles import Scope

router = APIRouter(prefix="/v1/studies/{study}/runs/{run}/fhir", tags=["research"])
Running = Annotated[Caller, Depends(needs(Scope.STUDY_RUN))]


@router.get(
    "",
    response_class=StreamingResponse,
    responses=RESPONSES,
)
def fetch(study: Hex32, run: HexRun, caller: Running) -> StreamingResponse:
    """Fetch the de-identified records of single patients that the newest run made, while the consents it was
    made under all stand.

    ``backend.client`` opens it, and nobody without the private key does.
    """
    services, principal = caller
    found, job = own_run(caller, study, run)
    return download(
        services.exports.give(found, job, agent=agent_of(principal), researcher=requesting_member(principal))
    )

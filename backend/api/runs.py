"""Runs of an approved study: begun here, driven by the service, looked at until they have ended."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from backend.api.schemas import Hex32, bytes32
from backend.api.security import Caller, agent_of, needs, requesting_member
from backend.identity.roles import Scope
from backend.research.errors import RunNotFound, StudyNotFound
from backend.research.jobs.types import Job, JobId, JobState, Phase
from backend.research.study import Study
from backend.research.types import StudyId
from backend.types import to_hex

router = APIRouter(prefix="/v1/studies/{study}/runs", tags=["research"])
Running = Annotated[Caller, Depends(needs(Scope.STUDY_RUN))]
WAIT_SECONDS = 10.0  # for a run to end while its caller waits
HexRun = Annotated[str, Field(pattern=r"^0x[0-9a-f]{32}$")]


class RunView(BaseModel):
    """``percent`` is of the phase, in steps of 5. ``code`` says why a run failed or was stopped."""

    run_id: str
    study_id: str
    state: JobState
    phase: Phase
    percent: int
    code: str
    created_at: int = Field(description="unix seconds")
    changed_at: int
    removed_at: int | None = Field(description="unix seconds: when its result was removed by retention")
    result: dict[str, Any] | None = Field(default=None, description="once it is done")


@router.post("", responses={202: {"model": RunView}})
def begin(
    study: Hex32,
    caller: Running,
    response: Response,
    wait: Annotated[float, Query(ge=0, le=30, description="seconds")] = WAIT_SECONDS,
) -> dict[str, Any]:
    """Run an approved study over those whose consent is live now. An unchanged cohort costs nothing.

    A run that ends soon answers with its result; for another one 202 says where to look. While a run is under
    way, this returns the same one.
    """
    services, principal = caller
    found = own_study(caller, study)
    job = services.runs.enqueue(found, agent=agent_of(principal), researcher=requesting_member(principal))
    now = services.runs.wait(job, seconds=wait)
    if now.state is JobState.DONE:
        return services.runs.result(now)
    response.status_code = 202
    response.headers["Location"] = f"/v1/studies/{study}/runs/0x{job.job_id.hex()}"
    return _view(now).model_dump(mode="json")


@router.get("", response_model=list[RunView])
def list_runs(
    study: Hex32, caller: Running, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> list[RunView]:
    """List the runs of your study, newest first, without their results."""
    services, _ = caller
    return [_view(job) for job in services.runs.of_study(own_study(caller, study), limit=limit)]


@router.get("/{run}", response_model=RunView)
def show(study: Hex32, run: HexRun, caller: Running) -> RunView:
    """See how a run stands; once it is done, with its result."""
    _, job = own_run(caller, study, run)
    view = _view(job)
    return view.model_copy(update={"result": caller.services.runs.result(job)}) if job.result else view


def own_run(caller: Caller, study: str, run: str) -> tuple[Study, Job]:
    """Return a run of a study of the caller's. Raises StudyNotFound, RunNotFound."""
    found = own_study(caller, study)
    try:
        job_id = JobId(bytes.fromhex(run.removeprefix("0x")))
    except ValueError as malformed:
        raise RunNotFound from malformed
    return found, caller.services.runs.get(found, job_id)


def own_study(caller: Caller, study: str) -> Study:
    """Return a study of the caller's organisation. Raises StudyNotFound."""
    found = caller.services.studies.get(StudyId(bytes32(study)))
    if found.proposal.researcher != caller.principal.member_id:
        raise StudyNotFound
    return found


def _view(job: Job) -> RunView:
    return RunView(
        run_id=f"0x{job.job_id.hex()}",
        study_id=to_hex(job.study),
        state=job.state,
        phase=job.phase,
        percent=job.percent,
        code=job.code,
        created_at=job.created_at,
        changed_at=job.changed_at,
        removed_at=job.removed_at,
    )

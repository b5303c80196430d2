"""Backups of the running service: begin one, and see how far the last one reaches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.security import Caller, needs
from backend.identity.roles import Scope

router = APIRouter(prefix="/v1/backups", tags=["operation"])
_CALLER = Depends(needs(Scope.BACKUP_MAKE))


class BackupView(BaseModel):
    running: bool = Field(description="a new one is being made, or read back")
    generation: str | None = Field(description="the one that is kept up to date; none yet after a start")
    parts: int = Field(description="parts of its tail")
    shipped_at: int | None = Field(description="unix seconds when what there was then had been written")
    log_size: int = Field(description="entries of the audit log that it holds")
    verified_at: int | None = Field(description="unix seconds when a whole one was last read back and right")
    key_expires_at: int | None = Field(description="unix seconds; from then on nothing is backed up")
    error: str | None = Field(description="code of the last failure since then")
    refused: str | None = Field(description="code of what the last check of a whole one found, if not right")


@router.post("", status_code=202, response_model=BackupView)
def begin_backup(caller: Annotated[Caller, _CALLER]) -> BackupView:
    """Begin a whole new backup in the configured directory. Ask again with GET until ``running`` is false."""
    services, _ = caller
    services.backups.make()
    return BackupView(**services.backups.status())


@router.get("", response_model=BackupView)
def show_backup(caller: Annotated[Caller, _CALLER]) -> BackupView:
    """Return how far the backup reaches, and until when its key lives."""
    services, _ = caller
    return BackupView(**services.backups.status())

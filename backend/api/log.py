"""The audit log for everybody: checkpoints, keys, and the tiles below them (C2SP tlog-tiles, prefix /v1/log).

Nothing here tells about a person: leaves are commitments.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, Field

from backend.api.notices import FOREVER
from backend.api.schemas import PLAIN_TEXT, Body
from backend.api.security import Open
from backend.audit import tile_paths
from backend.audit.checkpoint import cosigners

router = APIRouter(prefix="/v1/log", tags=["audit"])
OCTETS: Final = "application/octet-stream"
_MAX_NOTE_CHARACTERS: Final = 200_000
_NOTE: dict[int | str, dict[str, Any]] = {200: {"content": {PLAIN_TEXT: {"schema": {"type": "string"}}}}}
_TILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}}
}
Number = Annotated[
    str, Path(description="as C2SP tlog-tiles writes it: 067, x001/x234/067, 273.p/112", max_length=100)
]


class CheckpointView(BaseModel):
    checkpoint: str = Field(description="C2SP signed note, of the whole log")
    published: str = Field(description="the newest one for witnesses and monitors, with their cosignatures")
    key: str = Field(description="the log's newest Ed25519 verifier key; /v1/log/keys has all")
    anchored_size: int
    anchor_overdue: bool


class LogKeyView(BaseModel):
    epoch: int
    from_size: int = Field(description="it signs checkpoints of this many entries and more")
    made_at: datetime
    keys: list[str] = Field(description="verifier keys: Ed25519 and ML-DSA-44")
    statement: str = Field(description="signed note: by this key and the one before")


class CosignedBody(Body):
    checkpoint: str = Field(max_length=_MAX_NOTE_CHARACTERS, description="the published note, cosigned")


class CosignedView(BaseModel):
    size: int
    cosigners: list[str] = Field(description="names on the checkpoint as it is served now")


@router.get("/checkpoint", response_model=CheckpointView, responses=_NOTE)
def checkpoint(services: Open, accept: Annotated[str, Header(max_length=1024)] = "") -> Any:
    """The newest signed checkpoints of the log; the published one alone with ``Accept: text/plain``."""
    status = services.anchorer.status()
    published = services.checkpointer.published(anchor_overdue=status.overdue).note
    if "text/plain" in accept:
        return Response(
            published, media_type=f"{PLAIN_TEXT}; charset=utf-8", headers={"Cache-Control": "max-age=1"}
        )
    return CheckpointView(
        checkpoint=services.checkpointer.now().note,
        published=published,
        key=services.log_keys.verifier_keys[0],
        anchored_size=status.anchored_size,
        anchor_overdue=status.overdue,
    )


@router.get("/key", response_class=Response)
def log_key(services: Open) -> Response:
    """The verifier keys of the log's checkpoints, one a line, the newest first.

    Compare them with what the custodian published elsewhere."""
    return Response("".join(key + "\n" for key in services.log_keys.verifier_keys), media_type=PLAIN_TEXT)


@router.get("/keys", response_model=list[LogKeyView])
def log_keys(services: Open) -> list[LogKeyView]:
    """Every key the log ever had, the oldest first, each with the statement that its predecessor signed."""
    return [
        LogKeyView(
            epoch=key.epoch,
            from_size=key.from_size,
            made_at=datetime.fromtimestamp(key.made_at, UTC),
            keys=list(key.keys),
            statement=key.statement,
        )
        for key in services.log_keys.known
    ]


@router.get("/witnesses", response_class=Response)
def witnesses(services: Open) -> Response:
    """The verifier keys of the witnesses whose cosignatures are taken, one a line."""
    return Response("".join(key + "\n" for key in services.cosigning.witnesses), media_type=PLAIN_TEXT)


@router.get("/tile/{level}/{number:path}", response_class=Response, responses=_TILE)
def tile(
    level: Annotated[str, Path(description="0 to 63, or 'entries'", max_length=10)],
    number: Number,
    services: Open,
) -> Response:
    """A tile of hashes, or a bundle of entries, which are commitments. It never changes."""
    content = services.log_files.read(tile_paths.read(level, number))
    return Response(content, media_type=OCTETS, headers={"Cache-Control": FOREVER})


@router.post("/cosignatures", response_model=CosignedView)
def add_cosignatures(body: CosignedBody, services: Open) -> CosignedView:
    """Put a witness's cosignatures on the log's checkpoint. Needs no token: only listed witnesses can."""
    stored = services.cosigning.add(body.checkpoint)
    return CosignedView(size=stored.size, cosigners=sorted(cosigners(stored.note, services.audit.origin)))

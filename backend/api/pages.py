"""Serves the pages: what the build of ``web/`` left in one directory, and nothing beside it.

``/app/...`` is one document whatever follows, for the pages route by themselves. Files below ``/assets/`` are
named by their content, so they never change and are kept for good.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from backend.api.encodings import accepted
from backend.api.entity_tags import IfNoneMatch, names
from backend.errors import NotFound

FOREVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"  # kept, and asked for at each use whether it is still the one
_ASSET: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_MEDIA_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_CODINGS: Final = (("br", ".br"), ("gzip", ".gz"))  # smallest first
_METHODS: Final = ["GET", "HEAD"]
AcceptEncoding = Annotated[str | None, Header(max_length=1024)]


class PagesNotBuilt(NotFound):
    """The service runs, its pages were not built."""

    code = "pages_not_built"
    remedy = "Run 'make pages' (or 'make run', which does), then load the page again. The API works without."


def pages_router(directory: Path | None) -> APIRouter:
    """Return the routes of the pages in ``directory``, read at each request; None: there are none."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=_METHODS)
    async def to_pages() -> Response:
        return RedirectResponse("/app/", status_code=307)

    @router.api_route("/app", methods=_METHODS)
    @router.api_route("/app/{page:path}", methods=_METHODS)
    def index(request: Request, if_none_match: IfNoneMatch = None) -> Response:
        content = _built(directory).joinpath("index.html").read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": ASK_AGAIN}
        if names(if_none_match, tag):
            return Response(status_code=304, headers=headers)
        body = b"" if request.method == "HEAD" else content
        headers["Content-Length"] = str(len(content))
        return Response(body, media_type="text/html; charset=utf-8", headers=headers)

    @router.api_route("/assets/{file}", methods=_METHODS)
    def asset(file: str, accept_encoding: AcceptEncoding = None) -> Response:
        if _ASSET.fullmatch(file) is None:
            raise NotFound
        return _file(_built(directory) / "assets" / file, accept_encoding, FOREVER)

    @router.api_route("/favicon.svg", methods=_METHODS)
    def favicon(accept_encoding: AcceptEncoding = None) -> Response:
        return _file(_built(directory) / "favicon.svg", accept_encoding, ASK_AGAIN)

    return router


def _built(directory: Path | None) -> Path:
    if directory is None or not directory.joinpath("index.html").is_file():
        raise PagesNotBuilt
    return directory


def _file(path: Path, accept_encoding: str | None, kept: str) -> Response:
    """Answer with the file, or with the compressed one beside it. A link is no file of the build."""
    media_type = _MEDIA_TYPES.get(path.suffix)
    if media_type is None or path.is_symlink() or not path.is_file():
        raise NotFound
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    for coding, suffix in _CODINGS:
        beside = path.with_name(path.name + suffix)
        if accepted(accept_encoding, coding) and beside.is_file() and not beside.is_symlink():
            path = beside
            headers["Content-Encoding"] = coding
            break
    return FileResponse(path, media_type=media_type, headers=headers)

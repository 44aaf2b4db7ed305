"""``/`` and what it loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""What a browser may do for the page: load what lies here and speak to this server, and nothing else."""
_FOLDER = Path(__file__).parent
_TYPES: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASSETS: Mapping[str, Path] = {file.name: file for file in _FOLDER.iterdir() if file.suffix in _TYPES}


@router.get("/")
async def page() -> Response:
    """The page."""
    return Response((_FOLDER / "index.html").read_bytes(), headers=dict(HEADERS), media_type="text/html")


@router.get("/page/{name}")
async def asset(name: str) -> Response:
    """One of its files."""
    if (file := _ASSETS.get(name)) is None:
        raise HTTPException(404, "Not Found")
    return Response(file.read_bytes(), media_type=_TYPES[file.suffix])

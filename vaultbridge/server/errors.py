"""Facts to HTTP: the only file that knows which error is which status, in the shape that each client reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from vaultbridge.core.errors import (
    ConfigError,
    DeadlineExceeded,
    Forbidden,
    IndexingError,
    ModelMissing,
    NotReady,
    Overloaded,
    RequestError,
    Unauthorized,
    UnknownModel,
    VaultbridgeError,
    WorkerLost,
    WrongVault,
)
from vaultbridge.server.scrub import without_folders

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2

ErrorType = Literal["invalid_request_error", "rate_limit_error", "server_error"]


class ErrorView(TypedDict):
    """What is wrong; ``code`` stays the same from version to version, ``param`` is the field at fault."""

    message: str
    type: ErrorType
    param: str | None
    code: str


class ErrorBody(TypedDict):
    """An error as OpenAI's clients read it."""

    error: ErrorView


class MessageBody(TypedDict):
    """An error as Ollama's clients read it."""

    error: str


# The first class that matches decides.
_STATUS: tuple[tuple[type[VaultbridgeError], int], ...] = (
    (Unauthorized, 401),
    (Forbidden, 403),
    (UnknownModel, 404),
    (WrongVault, 409),
    (RequestError, 400),
    (Overloaded, 429),
    (NotReady, 503),
    (DeadlineExceeded, 503),
    (WorkerLost, 503),
    (ModelMissing, 503),
    (ConfigError, 503),
    (IndexingError, 503),
    (VaultbridgeError, 500),
)


def status_of(error: Exception) -> int:
    """The HTTP status for an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_view(error: Exception) -> ErrorView:
    """What is told of an error, as OpenAI's clients read it."""
    status = status_of(error)
    if not isinstance(error, VaultbridgeError):
        return _view(status, "Something went wrong in the server; its log says what.", "internal_error")
    return _view(status, str(error), error.code, error.param if isinstance(error, RequestError) else None)


def error_body(error: Exception) -> ErrorBody:
    """The same in an object of its own."""
    return {"error": error_view(error)}


def error_response(error: Exception, path: str = "") -> JSONResponse:
    """The response that tells a client of ``error``, in the dialect that is spoken at ``path``."""
    return _response(status_of(error), error_view(error), path)


def refusal(status: int, message: str, code: str, path: str = "") -> JSONResponse:
    """The response to what is wrong with HTTP itself rather than with what was asked."""
    return _response(status, _view(status, message, code), path)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` in the shape that its client reads."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        return error_response(error, request.url.path)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = error.errors()
        if errors[0]["type"] == "json_invalid":
            return refusal(400, "The body is not valid JSON.", "invalid_json", request.url.path)
        # Of a field that may have several shapes the deepest complaint is about the one that was meant.
        places = [(_place(one, error.body), one["type"] != "missing", one["msg"]) for one in errors]
        steps, _, message = max(places, key=lambda place: (len(place[0]), place[1]))
        param = ".".join(steps) or None
        where = f"{param}: " if param else ""
        return _response(400, _view(400, f"{where}{message}.", "invalid_request", param), request.url.path)

    async def routed(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        response = refusal(error.status_code, f"{error.detail}.", code, request.url.path)
        response.headers.update(error.headers or {})
        return response

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        log.error("unforeseen error: %s", type(error).__name__, exc_info=error)
        return error_response(error, request.url.path)

    app.add_exception_handler(VaultbridgeError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, routed)
    app.add_exception_handler(Exception, unforeseen)


def _place(complaint: Mapping[str, Any], body: Any) -> list[str]:
    """Where in the body a complaint belongs: pydantic names the shapes that it tried as well."""
    source, *location = complaint["loc"]
    if source != "body":
        return [str(step) for step in location]
    steps = []
    for left, step in zip(range(len(location) - 1, -1, -1), location, strict=True):
        if isinstance(body, dict) and (step in body or (not left and complaint["type"] == "missing")):
            steps.append(str(step))
            body = body.get(step)
        elif isinstance(body, list) and isinstance(step, int):
            steps.append(str(step))
            body = body[step]
    return steps


def _view(status: int, message: str, code: str, param: str | None = None) -> ErrorView:
    kind: ErrorType = (
        "rate_limit_error" if status == 429 else "invalid_request_error" if status < 500 else "server_error"
    )
    return {"message": without_folders(message), "type": kind, "param": param, "code": code}


def _response(status: int, view: ErrorView, path: str) -> JSONResponse:
    # Ollama's clients expect the message alone.
    body: ErrorBody | MessageBody = {"error": view["message"]} if path.startswith("/api/") else {"error": view}
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers)

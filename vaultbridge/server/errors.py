"""Facts to HTTP: the only file that knows which error is which status, in OpenAI's error shape."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from vaultbridge.core.errors import (
    ConfigError,
    DeadlineExceeded,
    Forbidden,
    IndexingError,
    ModelMissing,
    NotReady,
    Overloaded,
    RequestError,
    UnknownModel,
    VaultbridgeError,
    WorkerLost,
    WrongVault,
)

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2

# The first class that matches decides.
_STATUS: tuple[tuple[type[VaultbridgeError], int], ...] = (
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


def error_body(error: Exception) -> dict[str, Any]:
    """``{"error": {"message", "type", "param", "code"}}``, as OpenAI's clients read it."""
    status = status_of(error)
    kind = "invalid_request_error" if status < 429 else "rate_limit_error" if status == 429 else "server_error"
    if not isinstance(error, VaultbridgeError):
        return _body("Something went wrong in the server; its log says what.", kind, None, "internal_error")
    param = error.param if isinstance(error, RequestError) else None
    return _body(str(error), kind, param, error.code)


def error_response(error: Exception) -> JSONResponse:
    """The response that tells a client of ``error``."""
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in (429, 503) else None
    return JSONResponse(error_body(error), status, headers)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` in OpenAI's shape."""

    async def known(_: Request, error: Exception) -> JSONResponse:
        return error_response(error)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            body = _body("The body is not valid JSON.", "invalid_request_error", None, "invalid_json")
        else:
            param = ".".join(str(part) for part in first["loc"][1:]) or None
            where = f"{param}: " if param else ""
            body = _body(f"{where}{first['msg']}.", "invalid_request_error", param, "invalid_request")
        return JSONResponse(body, 400)

    async def routed(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        body = _body(f"{error.detail}.", "invalid_request_error", None, code)
        return JSONResponse(body, error.status_code, error.headers)

    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        log.error("unforeseen error: %s", type(error).__name__, exc_info=error)
        return error_response(error)

    app.add_exception_handler(VaultbridgeError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, routed)
    app.add_exception_handler(Exception, unforeseen)


def _body(message: str, kind: str, param: str | None, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}

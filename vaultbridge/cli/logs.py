"""How log lines look: for people, or one JSON object a line for programs; each with the request it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, TextIO

_NOISY = (
    "httpx",
    "httpx2",
    "httpcore",
    "watchdog",
    "asyncio",
    "filelock",
    "uvicorn",
    "gguf",
    "markdown_it",
    "matplotlib",
    "sse_starlette",
)


def configure(*, verbose: bool) -> None:
    """Log to standard error, foreign libraries only what is wrong."""
    handler = _StandardError()
    handler.setFormatter(_Text())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def follow_requests(form: Literal["text", "json"], request_id: Callable[[], str]) -> None:
    """From now on every line names the request in whose course it is written, in this form."""

    def name(record: logging.LogRecord) -> bool:
        record.__dict__["request_id"] = request_id()
        return True

    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Json() if form == "json" else _Text())
        handler.addFilter(name)


if TYPE_CHECKING:
    _Handler = logging.StreamHandler[TextIO]
else:
    _Handler = logging.StreamHandler  # takes no parameter before Python 3.11


class _StandardError(_Handler):
    """Standard error as it is when something is written: a progress bar takes its place, so as to stay below."""

    def emit(self, record: logging.LogRecord) -> None:
        self.setStream(sys.stderr)
        super().emit(record)


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        request = getattr(record, "request_id", "")
        return super().formatMessage(record) + (f" [{request}]" if request else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := getattr(record, "request_id", ""):
            line["request_id"] = request
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, "fields", {}), ensure_ascii=False)

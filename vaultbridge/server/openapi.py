"""How the server describes itself at ``/openapi.json``."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from vaultbridge import __version__
from vaultbridge.server.errors import ErrorBody, MessageBody

_REFERENCE = "#/components/schemas/{model}"
_TAGS = (
    ("answers", "Text that is grounded in the vault, in OpenAI's dialect."),
    ("vectors", "Embeddings and reranking."),
    ("models", "What is served."),
    ("vault", "Search, status and warming up."),
    ("health", "How the server does."),
    ("ollama", "The same answers in Ollama's dialect."),
)

EVENTS = "text/event-stream"

Replies = dict[int | str, dict[str, Any]]


def replies(body: Any) -> Replies:
    """What a route says of its good reply, a JSON document of the type ``body``."""
    return {200: {"model": body, "description": "The answer."}}


def streams(body: Any, chunk: Any, media_type: str = EVENTS) -> Replies:
    """What a route says of its good reply: ``body``, or a stream of which each event or line is a ``chunk``."""
    schema = TypeAdapter(chunk).json_schema(mode="serialization", ref_template=_REFERENCE)
    stream = {media_type: {"schema": _event(schema) if media_type == EVENTS else schema}}
    return {200: {"model": body, "description": "The answer, or a stream of its parts.", "content": stream}}


def events(chunk: Any) -> Replies:
    """What a route says of its good reply, a stream of which each event is a ``chunk``."""
    schema = TypeAdapter(chunk).json_schema(mode="serialization", ref_template=_REFERENCE)
    return {200: {"description": "A stream of events.", "content": {EVENTS: {"schema": _event(schema)}}}}


def _event(chunk: dict[str, Any]) -> dict[str, Any]:
    definitions = chunk.pop("$defs", {})
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": chunk}
    return {
        "description": "An event of the stream; `[DONE]` is the last one.",
        "type": "object",
        "properties": {"event": {"type": "string"}, "data": {"anyOf": [data, {"const": "[DONE]"}]}},
        "required": ["data"],
        "$defs": definitions,
    }


def failures(body: Any = ErrorBody) -> Replies:
    """What all routes of a dialect say of errors."""
    return {
        "4XX": {"model": body, "description": "The request cannot be served as it came."},
        "5XX": {"model": body, "description": "The server is not ready, or failed; with 503 try again."},
    }


OLLAMA_FAILURES = failures(MessageBody)


class DescribedApi(FastAPI):
    """FastAPI without pages of its own, whose description is complete."""

    def __init__(self) -> None:
        super().__init__(
            title="vaultbridge",
            version=__version__,
            summary="An OpenAI-compatible server whose answers are grounded in an Obsidian vault.",
            description="A body is JSON, whatever its `Content-Type` says. Unknown fields are ignored, and values that "
            "clients are known to send out of range are brought into it. Our own keys stand in the object "
            "`vaultbridge`, or in headers `X-Vaultbridge-Grounding`, `-K`, `-Sources`, `-Note` and `-Hygiene`.",
            license_info={"name": "MIT", "identifier": "MIT"},
            openapi_tags=[{"name": name, "description": text} for name, text in _TAGS],
            docs_url=None,
            redoc_url=None,
        )

    def openapi(self) -> dict[str, Any]:
        """The description, with what streams are made of and the token that may be asked for."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document.setdefault("components", {})
            for schema in _schemas(document):
                components["schemas"] |= schema.pop("$defs", {})
            components["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer", "description": "Only if the server was given a token."}
            }
            document["security"] = [{}, {"token": []}]
        return self.openapi_schema or {}


def _schemas(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        content["schema"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        if "schema" in content
    ]

"""``/openapi.json``: complete, and true of what is sent."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.server.building import TOMATOES
from tests.server.reading import Json, question

METHODS = {"get", "post", "put", "delete"}


@pytest.fixture
def document(client: httpx.Client) -> Json:
    body: Json = client.get("/openapi.json").raise_for_status().json()
    return body


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_operation_says_what_it_takes_and_gives(document: Json) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert method in METHODS, where
        assert operation["tags"], where
        assert operation.get("summary"), where
        assert {"4XX", "5XX"} <= set(operation["responses"]), where
        good = [response for status, response in operation["responses"].items() if status.startswith("2")]
        for content in (content for response in good for content in response["content"].items()):
            assert content[1].get("schema"), f"{where} {content[0]}"


def test_every_body_has_an_example(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for method, path, operation in operations(document):
        if "requestBody" in operation and path.startswith(("/v1", "/vault")):
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            assert schemas[reference.rsplit("/", 1)[-1]]["examples"], f"{method} {path}"


def test_no_reference_leads_nowhere(document: Json) -> None:
    for reference in set(references(document)):
        part = document
        for name in reference.removeprefix("#/").split("/"):
            assert name in part, reference
            part = part[name]


def test_tags_are_explained_and_the_token_is_optional(document: Json) -> None:
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"]}
    assert {} in document["security"]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["info"]["license"]["name"] == "MIT"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat/completions", question(TOMATOES)),
        ("POST", "/v1/chat/completions", question(TOMATOES, logprobs=True, top_logprobs=2)),
        (
            "POST",
            "/v1/chat/completions",
            question("call clock {}", model="x@plain", tools=[{"type": "function", "function": {"name": "clock"}}]),
        ),
        ("POST", "/v1/completions", {"prompt": TOMATOES, "logprobs": 2}),
        ("POST", "/v1/responses", {"input": TOMATOES}),
        ("POST", "/v1/embeddings", {"input": "x"}),
        ("POST", "/v1/rerank", {"query": "x", "documents": ["x"]}),
        ("GET", "/v1/models", None),
        ("GET", "/vault/search?q=tomatoes", None),
        ("GET", "/vault/related?note=Garden/Tomatoes.md", None),
        ("POST", "/vault/related", {"text": TOMATOES}),
        ("GET", "/vault/status", None),
        ("GET", "/vault/notes/Latin.md", None),
        ("POST", "/vault/warm", {"draft": TOMATOES}),
        ("GET", "/health", None),
    ],
)
def test_what_is_sent_is_what_is_described(
    client: httpx.Client, document: Json, method: str, path: str, body: Json
) -> None:
    route = path.partition("?")[0].replace("/Latin.md", "/{path}")
    content = document["paths"][route][method.lower()]["responses"]["200"]["content"]["application/json"]
    check(document, content["schema"], client.request(method, path, json=body).raise_for_status().json(), path)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/chat/completions", {"messages": []}), ("/v1/embeddings", {"input": ""}), ("/v1/models/no", None)],
)
def test_errors_are_what_is_described(client: httpx.Client, document: Json, path: str, body: Json | None) -> None:
    method = "post" if body is not None else "get"
    route = path.replace("/no", "/{name}")
    schema = document["paths"][route][method]["responses"]["4XX"]["content"]["application/json"]["schema"]
    check(document, schema, client.request(method, path, json=body).json(), path)


def check(document: Json, schema: Json, value: object, where: str) -> None:
    """Whether ``value`` fits the schema, and has no field that it does not name."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if fits(document, kind, value, where)]
        assert kinds, f"{where}: {value!r} is none of {schema['anyOf']}"
        return
    if "const" in schema or "enum" in schema:
        assert value in schema.get("enum", [schema.get("const")]), where
        return
    kind = schema["type"]
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    if kind in types:
        assert isinstance(value, types[kind]), f"{where}: {value!r} is no {kind}"  # type: ignore[arg-type]
    elif kind == "array":
        assert isinstance(value, list), where
        for index, item in enumerate(value):
            check(document, schema.get("items", {}), item, f"{where}.{index}")
    else:
        assert isinstance(value, dict), where
        assert set(schema.get("required", ())) <= set(value), f"{where}: {set(schema['required']) - set(value)}"
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            assert inner is not None, f"{where}: {name} is not described"
            if inner is not True and inner != {}:
                check(document, inner, item, f"{where}.{name}")


def fits(document: Json, schema: Json, value: object, where: str) -> bool:
    try:
        check(document, schema, value, where)
    except AssertionError:
        return False
    return True

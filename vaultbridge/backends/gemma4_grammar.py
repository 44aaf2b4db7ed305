"""JSON schemas as GBNF for Gemma 4's way of writing objects: bare keys in their order, texts between marks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vaultbridge.backends.gbnf_rules import Rules, literal, through
from vaultbridge.backends.replies.gemma4 import QUOTE

_COMMON: Rules = {
    "text": f"{literal(QUOTE)} text-rest",
    **through(QUOTE, "text-rest"),
    "whole": '"-"? ("0" | [1-9] [0-9]{0,15})',
    "number": 'whole ("." [0-9]{1,15})?',
    "boolean": '"true" | "false"',
    "key": "[a-zA-Z0-9_-]{1,64}",
    "object": '"{" (key ":" value ("," key ":" value)*)? "}"',
    "array": '"[" (value ("," value)*)? "]"',
    "value": 'text | number | boolean | "null" | object | array',
}
_KINDS = {
    "string": "text", "integer": "whole", "number": "number", "boolean": "boolean", "null": '"null"',
    "object": "object", "array": "array",
}  # fmt: skip


def gemma4_rules(schemas: Sequence[Mapping[str, Any]], prefix: str) -> Rules:
    """The rules ``prefix0``, ``prefix1`` and so on for values of these schemas.

    Types, properties, items, fixed values and alternatives are kept to; whatever else a schema asks for is not.
    """
    rules = dict(_COMMON)
    for place, schema in enumerate(schemas):
        _Schemas(schema, rules).add(schema, f"{prefix}{place}")
    return rules


class _Schemas:
    """One tool's schema and those inside of it."""

    def __init__(self, root: Mapping[str, Any], rules: Rules) -> None:
        self._root = root
        self._rules = rules
        self._referred: dict[str, str] = {}

    def add(self, schema: Any, name: str) -> str:
        """Add the rule ``name`` for a schema's values."""
        self._rules[name] = "value"  # what refers to itself finds it
        self._rules[name] = self._rule(schema if isinstance(schema, Mapping) else {}, name)
        return name

    def _rule(self, schema: Mapping[str, Any], name: str) -> str:
        kinds = schema.get("type")
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]), name)
        if "const" in schema or "enum" in schema:
            return " | ".join(map(_fixed, [schema["const"]] if "const" in schema else schema["enum"]))
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            return self._either(alternatives, name)
        if isinstance(kinds, list):
            return self._either([{**schema, "type": kind} for kind in kinds], name)
        if "properties" in schema:
            return self._object(schema, name)
        if "items" in schema:
            item = self.add(schema["items"], f"{name}-item")
            return f'"[" ({item} ("," {item})*)? "]"'
        return _KINDS.get(str(kinds), "value")

    def _either(self, schemas: Sequence[Any], name: str) -> str:
        return " | ".join(self.add(schema, f"{name}-{place}") for place, schema in enumerate(schemas))

    def _reference(self, where: str, name: str) -> str:
        if where not in self._referred:
            target: Any = self._root
            for part in where.removeprefix("#").strip("/").split("/") if where != "#" else []:
                target = target[part]
            self._referred[where] = name
            self._rules[name] = self._rule(target, name)
            return self._rules[name]
        return self._referred[where]

    def _object(self, schema: Mapping[str, Any], name: str) -> str:
        """Its properties in the order of their names, as the template sorts them; what is not required may be left
        out."""
        required = set(schema.get("required", ()))
        members = sorted(schema["properties"].items(), key=lambda member: member[0].lower())
        first, later = '"}"', '"}"'  # how it goes on where none, or some, of the members stands before
        for place, (key, value) in reversed(list(enumerate(members))):
            self._rules[f"{name}-then{place}"] = later
            self._rules[f"{name}-from{place}"] = (
                f"{literal(key + ':')} {self.add(value, f'{name}-value{place}')} {name}-then{place}"
            )
            member = f"{name}-from{place}"
            first = member if key in required else f"{member} | {first}"
            later = f'"," {member}' if key in required else f'"," {member} | {later}'
        return f'"{{" ({first})'


def _fixed(value: Any) -> str:
    return literal(f"{QUOTE}{value}{QUOTE}") if isinstance(value, str) else literal(json.dumps(value))

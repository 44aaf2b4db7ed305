"""JSON schemas as GBNF: llama-cpp-python's converter, kept to what it promises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llama_cpp.llama_grammar import SchemaConverter

from vaultbridge.backends.gbnf_rules import Rules, renamed

MOST_REPEATED = 500
"""The highest bound of a schema's lengths and counts: the converter nests a parenthesis for each."""

_BOUNDS = ("minItems", "maxItems", "minLength", "maxLength")
_UNQUOTED = r'[^"\\\x00-\x1F'
"""The beginning of a class of characters that stand in a JSON string as they are."""
_PATTERN_PART = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\.|\{[^}]*\}|.", re.DOTALL)
_CLASSES = {r"\d": "0-9", r"\w": "a-zA-Z0-9_", r"\s": " "}


def json_grammar(schema: str) -> str:
    """GBNF for the JSON texts that a schema allows, as far as the converter knows its keywords.

    Raises ValueError, or whatever the converter stumbles over.
    """
    grammar: str = _converted(schema).format_grammar()
    return grammar


def json_rules(schemas: Sequence[Mapping[str, Any]], prefix: str) -> Rules:
    """The rules ``prefix0``, ``prefix1`` and so on for JSON texts that each schema allows. Raises as above."""
    rules: Rules = {}
    for place, schema in enumerate(schemas):
        rules |= renamed(_converted(json.dumps(schema))._rules, f"{prefix}{place}-")
        rules[f"{prefix}{place}"] = f"{prefix}{place}-root"
    return rules


def _converted(schema: str) -> _Converter:
    parsed = json.loads(schema)
    converter = _Converter(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
    converter.visit(converter.resolve_refs(parsed, ""), "")
    return converter


class _Converter(SchemaConverter):  # type: ignore[misc]
    """The converter, kept to what it promises.

    As it comes, it lets control characters into strings, takes the escapes out of fixed texts, forgets what stands
    beside a list of types, and repeats without a bound.
    """

    def visit(self, schema: dict[str, Any], name: str) -> Any:
        """Add the rules of one schema and name the first."""
        for bound in _BOUNDS:
            if not 0 <= schema.get(bound, 0) <= MOST_REPEATED:
                raise ValueError(f"{bound} may be at most {MOST_REPEATED}")
        kinds = schema.get("type")
        if isinstance(kinds, list):
            schema = {key: value for key, value in schema.items() if key != "type"}
            if "enum" not in schema and "const" not in schema:
                schema = {"anyOf": [{**schema, "type": kind} for kind in kinds]}
        return super().visit(schema, name)

    def _add_rule(self, name: str, rule: str) -> Any:
        if name == "char":
            rule = rule.replace(r'[^"\\', _UNQUOTED, 1)
        elif name == "dot":
            rule = f"{_UNQUOTED}]"
        return super()._add_rule(name, rule)

    def _format_literal(self, literal: str) -> str:
        text = json.dumps(json.loads(literal), ensure_ascii=False)
        return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))

    def _visit_pattern(self, pattern: str, name: str) -> Any:
        if not (pattern.startswith("^") and pattern.endswith("$")):
            raise ValueError("a pattern must begin with ^ and end with $")
        parts = _PATTERN_PART.findall(pattern[1:-1].replace("(?:", "("))
        return super()._visit_pattern(f"^({''.join(map(_as_gbnf, parts))})$", name)


def _as_gbnf(part: str) -> str:
    """A part of a regular expression as GBNF has it. Raises ValueError for what a JSON string holds only escaped."""
    if '"' in part or min(part) < " ":
        raise ValueError("a pattern may hold neither quotes nor control characters")
    if part.startswith("{") and any(int(number) > MOST_REPEATED for number in re.findall(r"\d+", part)):
        raise ValueError(f"a pattern may repeat at most {MOST_REPEATED} times")
    if part.startswith("\\"):
        return f"[{_unescaped(part)}]"
    if not part.startswith("["):
        return part
    inside = re.sub(r"\\.", lambda escape: _unescaped(escape[0]), part[1:-1])
    if inside.startswith("^"):
        return f"{_UNQUOTED}{inside[1:]}]"
    if any(low <= special <= high for low, high in re.findall(r"(.)-(.)", inside) for special in '"\\'):
        raise ValueError(f"{part} in a pattern would allow quotes or backslashes")
    return part[:1] + inside + part[-1:]


def _unescaped(escape: str) -> str:
    if escape in _CLASSES:
        return _CLASSES[escape]
    if re.match(r"\\[\w\\]", escape):
        raise ValueError(f"{escape} is not supported in a pattern")
    return f"\\x{ord(escape[1]):02X}"

"""Front matter: the YAML between two ``---`` lines at the very top of a note."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

MAX_FRONTMATTER = 100_000
MAX_DEPTH = 64

_FENCED = re.compile(r"---[ \t]*(?:\r\n?|\n)((?:.*?(?:\r\n?|\n))??)(?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)", re.DOTALL)
_CORE_SCHEMA = {
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    "null": (r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    "float": (r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads plain scalars by YAML 1.2's core schema, as Obsidian does, and not by PyYAML's 1.1.

    So ``2024-05-06`` and ``yes`` stay text, and ``12:30`` is not 750.
    """

    yaml_implicit_resolvers: Mapping[str, Any] = {}


for _name, (_pattern, _first) in _CORE_SCHEMA.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), list(_first))


def split(text: str) -> tuple[str, int]:
    """Find the front matter: its YAML, and where the body begins; ``("", 0)`` if there is none.

    Format: https://help.obsidian.md/properties. A ``---`` that is never closed is a horizontal rule.
    """
    found = _FENCED.match(text)
    return (found[1], found.end()) if found else ("", 0)


def load(source: str) -> tuple[dict[str, Any], str]:
    """Read front matter into plain values; what cannot be read gives no properties and the reason why.

    Keys are text; values are text, numbers, booleans, None, lists and dicts of these. Never raises.
    """
    if len(source) > MAX_FRONTMATTER:
        return {}, f"front matter: longer than {MAX_FRONTMATTER} characters"
    try:
        if reason := _unwanted(source):
            return {}, reason
        values = yaml.load(source, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        # The first line of the YAML is the second of the file.
        line = f"line {error.problem_mark.line + 2}: " if error.problem_mark else ""
        return {}, f"front matter: {line}{error.problem or 'not valid YAML'}"
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError):
        # PyYAML's constructors raise the latter four on explicit tags that do not fit, such as ``!!int x``.
        return {}, "front matter: not valid YAML"
    if values is None:
        return {}, ""
    if not isinstance(values, dict):
        return {}, "front matter: not a list of properties (name: value)"
    return {str(key): _plain(value) for key, value in values.items()}, ""


def _unwanted(source: str) -> str:
    """Look before anything is built: a few aliases can stand for gigabytes, deep nesting ends the stack."""
    depth = 0
    for event in yaml.parse(source, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            return "front matter: YAML aliases (*name) are not read"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return f"front matter: nested more than {MAX_DEPTH} deep"
    return ""


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)

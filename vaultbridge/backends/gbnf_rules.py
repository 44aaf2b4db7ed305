"""Parts that GBNF is written of."""

from __future__ import annotations

import json
import re

Rules = dict[str, str]
"""What stands for what, by name."""

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{[^}]*\}|(?P<name>[a-zA-Z0-9-]+)', re.DOTALL)


def literal(text: str) -> str:
    """Exactly this text."""
    return json.dumps(text, ensure_ascii=False)


def through(mark: str, name: str) -> Rules:
    """The rule ``name``: any text up to the first ``mark``, which is its end."""
    rules = {}
    for known in range(len(mark)):  # characters of the mark that stand just before
        ways = {}
        for character in set(mark):
            text = mark[:known] + character
            now = next(size for size in range(len(text), -1, -1) if mark.startswith(text[len(text) - size :]))
            if now:
                ways[character] = literal(character) + (f" {_state(name, now)}" if now < len(mark) else "")
        others = "".join(f"\\x{ord(character):02X}" for character in sorted(ways))
        rules[_state(name, known)] = " | ".join([*(ways[one] for one in sorted(ways)), f"[^{others}] {name}"])
    return rules


def renamed(rules: Rules, prefix: str) -> Rules:
    """The same rules under names with a prefix."""

    def changed(part: re.Match[str]) -> str:
        return prefix + part[0] if part["name"] else part[0]

    return {prefix + name: _PART.sub(changed, rule) for name, rule in rules.items()}


def written(rules: Rules) -> str:
    """A grammar's text."""
    return "\n".join(f"{name} ::= {rule}" for name, rule in rules.items())


def _state(name: str, known: int) -> str:
    return f"{name}-{known}" if known else name

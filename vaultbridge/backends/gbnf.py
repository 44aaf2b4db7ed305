"""GBNF as llama.cpp survives it: over some grammars its own reader overflows its stack or never comes back."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

MOST_CHARACTERS = 100_000
MOST_NESTED = 1_000
"""Parentheses, and rules that begin with one another: llama.cpp follows both by recursion, in one thread's stack."""
MOST_WAYS = 5_000
"""Ways in which a text may go on from one point: llama.cpp compares each with each, at every token."""

_PART = re.compile(
    r"""(?:\s|\#[^\r\n]*)*(?:
    (?P<rule>[a-zA-Z0-9-]+)[ \t]*::= | (?P<name>[a-zA-Z0-9-]+)
    | (?P<nothing>""|\[\^?\]) | (?P<text>"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\.)
    | (?P<open>\() | (?P<close>\)) | (?P<or>\|)
    | (?P<times>[*+?]|\{\s*(?P<least>\d+)\s*(?P<more>,\s*(?P<most>\d*)\s*)?\}) | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Item:
    """A part of a sequence: another rule, or text; ``times`` it stands there, or none at all."""

    rule: str | None
    optional: bool = False
    times: int = 1


_Rule = list[list[_Item]]


@dataclass(slots=True)
class _Reader:
    """Rules by their names, each a list of alternatives; groups become rules of their own."""

    rules: dict[str, _Rule] = field(default_factory=dict)

    def read(self, text: str) -> None:
        """Take a grammar apart. Raises ValueError where that is impossible."""
        at = 0
        open_rules: list[str] = []
        while at < len(text):
            part = _PART.match(text, at)
            if part is None or (not open_rules and part["rule"] is None and part["end"] is None):
                line = text.count("\n", 0, at) + 1
                raise ValueError(f"line {line} is not GBNF: {text[at : at + 40].strip()!r}")
            at = part.end()
            if part["rule"] is not None:
                if len(open_rules) > 1:
                    raise ValueError(f"a parenthesis is not closed before the rule {part['rule']!r}")
                open_rules = [part["rule"]]
                self.rules[part["rule"]] = [[]]
            elif part["open"]:
                group = f"({len(self.rules)}"
                self.rules[open_rules[-1]][-1].append(_Item(group))
                self.rules[group] = [[]]
                open_rules.append(group)
                if len(open_rules) > MOST_NESTED:
                    raise ValueError(f"parentheses may be at most {MOST_NESTED:,} deep")
            elif part["close"]:
                open_rules.pop()
                if not open_rules:
                    raise ValueError("a parenthesis is closed that was never opened")
            elif part["or"]:
                self.rules[open_rules[-1]].append([])
            elif part["times"]:
                self._repeat(self.rules[open_rules[-1]][-1], part)
            elif part["end"] is None:
                self.rules[open_rules[-1]][-1].append(_Item(part["name"], optional=part["nothing"] is not None))

    def _repeat(self, sequence: list[_Item], part: re.Match[str]) -> None:
        if not sequence:
            raise ValueError(f"{part['times']!r} has nothing to repeat")
        least = int(part["least"]) if part["least"] else 1 if part["times"] == "+" else 0
        most = int(part["most"]) if part["most"] else least
        sequence[-1] = replace(
            sequence[-1],
            optional=sequence[-1].optional or least == 0,
            times=max(1, sequence[-1].times) * max(1, least, most),
        )

    def empty(self) -> set[str]:
        """The rules that may stand for nothing."""
        users = defaultdict(list)
        for name, rule in self.rules.items():
            for item in (item for sequence in rule for item in sequence if item.rule is not None):
                users[item.rule].append(name)
        found: set[str] = set()
        pending = list(self.rules)
        while pending:
            name = pending.pop()
            if name not in found and any(
                all(item.optional or item.rule in found for item in sequence) for sequence in self.rules[name]
            ):
                found.add(name)
                pending += users[name]
        return found

    def leading(self, name: str, empty: set[str]) -> list[_Item]:
        """The items that a rule may begin with."""
        found: list[_Item] = []
        for sequence in self.rules[name]:
            for item in sequence:
                found.append(item)
                if not (item.optional or item.rule in empty):
                    break
        return found

    def ordered(self, empty: set[str]) -> list[str]:
        """The rules, each after those that it may begin with. Raises ValueError if it may begin with itself."""
        done: dict[str, None] = {}
        for start in self.rules:
            path = {start: iter(self.leading(start, empty))} if start not in done else {}
            while path:
                name, rest = next(reversed(path.items()))
                below = next((item.rule for item in rest if item.rule is not None and item.rule not in done), None)
                if below is None:
                    done[name] = None
                    del path[name]
                elif below in path:
                    raise ValueError(f"the rule {_shown(below)} may begin with itself (left recursion)")
                elif len(path) == MOST_NESTED:
                    raise ValueError(f"more than {MOST_NESTED:,} rules begin with one another")
                else:
                    path[below] = iter(self.leading(below, empty))
        return list(done)


def check(text: str) -> None:
    """Raise ValueError, with what is wrong, for a grammar that llama.cpp could not take without harm."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it may have at most {MOST_CHARACTERS:,} characters")
    reader = _Reader()
    reader.read(text)
    rules = reader.rules
    if "root" not in rules:
        raise ValueError("it has no rule named root")
    for name in rules:
        for item in (item for sequence in rules[name] for item in sequence if item.rule not in rules):
            if item.rule is not None:
                raise ValueError(f"the rule {item.rule!r} is used, but not defined")
    empty = reader.empty()
    ways: dict[str | None, int] = {None: 1}
    for name in reader.ordered(empty):
        ways[name] = min(MOST_WAYS, 1 + sum(_ways(item, ways, empty) for item in reader.leading(name, empty)))
    for name, rule in rules.items():
        most = ways[name]
        for sequence in rule:
            here = 0
            for item in reversed(sequence):
                here = _ways(item, ways, empty) + (here if item.optional or item.rule in empty else 0)
                most = max(most, here)
        if most >= MOST_WAYS:
            raise ValueError(f"a text could go on in {MOST_WAYS:,} ways or more in {_shown(name)}")


def _ways(item: _Item, ways: Mapping[str | None, int], empty: Set[str]) -> int:
    """In how many ways an item may begin: each of its repetitions may, if those before it stand for nothing."""
    return ways[item.rule] * (item.times if item.rule in empty else 1)


def _shown(name: str) -> str:
    return repr(name) if not name.startswith("(") else "a parenthesis"

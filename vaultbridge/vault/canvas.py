"""Obsidian's canvas: a file's JSON to a ``Note`` whose headings are its groups.

Format: JSON Canvas 1.0, https://jsoncanvas.org/spec/1.0.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import FileState, Heading, Note, note_name
from vaultbridge.vault.markdown import marks, unique
from vaultbridge.vault.plain import plain_note, well_formed
from vaultbridge.vault.structure import Structure

MAX_NODES = 5_000
MAX_NAME = 80
MAX_LEVEL = 6

_BETWEEN_PARTS = "\n\n"
_FORBIDDEN_IN_LINK = re.compile(r"[#|^\[\]\r\n]")
_FORBIDDEN_IN_FRAGMENT = re.compile(r"[|\[\]\r\n]")


def parse(text: str, state: FileState) -> tuple[Note, str]:
    """Write a canvas as Markdown, and read that. Nothing is a problem; raises NoteUnreadable if it is no canvas.

    The text is of our making, card by card from the top to the bottom and from left to right: first what is in no
    group, then group by group under its label as a heading, inner groups after the cards of the outer one. A card is in
    the smallest group around its middle; a group without a label is none. Cards of text stand as they are, of files as
    embeds, of web pages as their address; the label of an edge stands below the card that it leaves. Tags and links
    count as in a note, headings within cards do not, since Obsidian cannot link to them.
    """
    nodes, edges = _load(text)
    pieces = list(_pieces(nodes, edges))
    whole = _BETWEEN_PARTS.join(piece for piece, _ in pieces)
    parts = tuple(accumulate((len(piece) + len(_BETWEEN_PARTS) for piece, _ in pieces[:-1]), initial=0))
    structure = Structure(whole, parts)
    links, tags, _ = marks(structure)
    note = replace(
        plain_note(whole, state),
        headings=tuple(
            Heading(level, piece[level + 1 :], structure.span(start, start + len(piece)))
            for start, (piece, level) in zip(parts, pieces, strict=False)
            if level
        ),
        links=tuple(links),
        tags=unique(tags),
        parts=parts,
    )
    return note, ""


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A card or a group: what it says, as Markdown, and what edges call it. Two that say the same are two."""

    id: str
    is_group: bool
    x: float
    y: float
    width: float
    height: float
    text: str
    name: str

    @property
    def area(self) -> float:
        return self.width * self.height

    def holds(self, other: _Node) -> bool:
        """Whether the other's middle is in it."""
        x, y = other.x + other.width / 2, other.y + other.height / 2
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height


_Contents = dict[_Node | None, list[_Node]]


def _load(text: str) -> tuple[list[_Node], list[Mapping[str, Any]]]:
    try:
        # A canvas that was never drawn on is an empty file.
        content = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise NoteUnreadable(f"not a canvas: line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists in lists
        raise NoteUnreadable("not a canvas: its JSON cannot be read") from error
    if not isinstance(content, dict):
        raise NoteUnreadable("not a canvas: no object with nodes and edges")
    nodes = [_node(written) for written in _objects(content, "nodes")]
    if len(nodes) > MAX_NODES:
        raise NoteUnreadable(f"too large: {len(nodes)} cards and groups, the limit is {MAX_NODES}")
    return nodes, _objects(content, "edges")


def _objects(content: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    written = content.get(name)
    return [item for item in written if isinstance(item, dict)] if isinstance(written, list) else []


def _node(written: Mapping[str, Any]) -> _Node:
    kind, text, name = written.get("type"), "", ""
    if kind == "text":
        text = _string(written, "text").strip("\r\n")
        name = _line(next(filter(None, (line.strip(" #\t") for line in text.splitlines())), ""))
    elif kind == "file":
        path = _string(written, "file")
        text, name = _embed(path, _string(written, "subpath")), note_name(path)
    elif kind == "link":
        text = name = _line(_string(written, "url"))
    elif kind == "group":
        name = _line(_string(written, "label"))
    x, y, width, height = (_number(written, side) for side in ("x", "y", "width", "height"))
    said = text if text.strip() else ""
    return _Node(_string(written, "id"), kind == "group", x, y, width, height, said, name)


def _embed(path: str, subpath: str) -> str:
    """A file as a note embeds it; as a Markdown link if a wikilink cannot spell it."""
    if not path.strip():
        return ""
    fragment = subpath.removeprefix("#")
    if not _FORBIDDEN_IN_LINK.search(path) and not _FORBIDDEN_IN_FRAGMENT.search(fragment):
        return f"![[{path}#{fragment}]]" if fragment else f"![[{path}]]"
    label = _line(_FORBIDDEN_IN_LINK.sub(" ", note_name(path)))
    return f"![{label}]({quote(path)}#{quote(fragment)})" if fragment else f"![{label}]({quote(path)})"


def _string(written: Mapping[str, Any], key: str) -> str:
    value = written.get(key)
    return well_formed(value) if isinstance(value, str) else ""


def _number(written: Mapping[str, Any], key: str) -> float:
    try:
        value = float(written.get(key, 0.0))
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return value if math.isfinite(value) else 0.0


def _line(text: str) -> str:
    return " ".join(text.split())


def _pieces(nodes: Sequence[_Node], edges: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    """What stands in each part of the text, with its level if it is a heading, else 0."""
    labels = _labels(nodes, edges)
    cards, groups = _inside(nodes)
    waiting: list[tuple[_Node | None, int]] = [(None, 0)]
    while waiting:
        group, depth = waiting.pop()
        if group is not None:
            level = min(depth, MAX_LEVEL)
            yield f"{'#' * level} {group.name}", level
            if said := labels[group.id]:
                yield said, 0
        for card in sorted(cards[group], key=_place):
            if said := _BETWEEN_PARTS.join(filter(None, [card.text, labels[card.id]])):
                yield said, 0
        waiting += [(inner, depth + 1) for inner in sorted(groups[group], key=_place, reverse=True)]


def _place(node: _Node) -> tuple[float, float]:
    return node.y, node.x


def _inside(nodes: Sequence[_Node]) -> tuple[_Contents, _Contents]:
    """The cards and the groups that are in each group, or in none."""
    named = sorted((node for node in nodes if node.is_group and node.name), key=lambda group: group.area)
    cards: _Contents = defaultdict(list)
    groups: _Contents = defaultdict(list)
    # A group can be in a larger one only, or two could be in each other.
    for rank, group in enumerate(named, start=1):
        groups[_around(group, named[rank:])].append(group)
    for node in nodes:
        if not node.is_group:
            cards[_around(node, named)].append(node)
    return cards, groups


def _around(node: _Node, groups: Sequence[_Node]) -> _Node | None:
    return next((group for group in groups if group.holds(node)), None)


def _labels(nodes: Sequence[_Node], edges: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """What is written on the edges that leave each node: one line each, with what they lead to."""
    names = {node.id: node.name for node in nodes}
    lines: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        if label := _line(_string(edge, "label")):
            target = names.get(_string(edge, "toNode"), "")
            lines[_string(edge, "fromNode")].append(f"{label} → {target[:MAX_NAME].rstrip()}" if target else label)
    return defaultdict(str, {origin: "\n".join(said) for origin, said in lines.items()})

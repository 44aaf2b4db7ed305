"""Obsidian's Markdown: a file's text to a ``Note``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from vaultbridge.core.notes import FileState, Heading, Link, Note, note_name
from vaultbridge.vault import frontmatter
from vaultbridge.vault.inline import INLINE, displayed, local_link, tag_name, tag_names, wikilink
from vaultbridge.vault.structure import Structure, structure_of

_INLINE_PARSER = MarkdownIt("commonmark").enable("strikethrough")
_MARK = re.compile(r"[\[#^]")
"""What every link, tag or block id has: most prose has none of them."""
_HIGHLIGHT = re.compile(r"==(?=\S)(.+?)(?<=\S)==")


def parse(text: str, state: FileState) -> tuple[Note, str]:
    """Parse a note; the second value says why its front matter could not be read, empty if all is well.

    Broken front matter leaves ``frontmatter`` empty and the rest of the note as it is. The title is the property
    ``title`` if it is a text, else the file's name. Tags come without ``#``; they and aliases keep their case, each
    stands once, those of the properties first. Links in properties count, as in Obsidian. Code, math and comments
    (``%%``) hold neither links nor tags nor block ids. Headings are the top-level ones. Never raises.
    """
    structure = structure_of(text, ())
    properties, reason = frontmatter.load(structure.yaml)
    named = [link for match in INLINE.finditer(text, 0, structure.body) if (link := _wikilink(match, structure))]
    listed = [name for value in _values(properties, "tags", "tag") for name in tag_names(value)]
    links, tags, blocks = marks(structure)
    title = properties.get("title")
    note = Note(
        path=state.path,
        title=" ".join(title.split()) if isinstance(title, str) and title.strip() else note_name(state.path),
        text=text,
        frontmatter=properties,
        headings=tuple(_headings(structure)),
        links=(*named, *links),
        tags=unique([*listed, *tags]),
        aliases=unique(alias.strip() for alias in _values(properties, "aliases", "alias")),
        blocks=unique(blocks),
        state=state,
    )
    return note, reason


def marks(structure: Structure) -> tuple[list[Link], list[str], list[str]]:
    """The links, tags and block ids in a text's prose, each in the order in which they stand; none in front matter."""
    links: list[Link] = []
    tags: list[str] = []
    blocks: list[str] = []
    for start, end in structure.prose():
        if not _MARK.search(structure.text, start, end):
            continue
        for match in INLINE.finditer(structure.text, start, end):
            if match["tag"]:
                tags.append(tag_name(match["tag"]))
            elif match["block"]:
                blocks.append(match["block"])
            elif link := _wikilink(match, structure) or _markdown_link(match, structure):
                links.append(link)
    return links, tags, blocks


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in the order in which it first stands."""
    return tuple(dict.fromkeys(filter(None, names)))


def _values(properties: Mapping[str, Any], *names: str) -> Iterator[str]:
    """The texts of list-like properties; a text is a list with commas. Obsidian does not mind the name's case."""
    for name, value in properties.items():
        if name.lower() in names:
            for item in value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]:
                if isinstance(item, str | int | float):
                    yield str(item)


def _wikilink(match: re.Match[str], structure: Structure) -> Link | None:
    if not match["wiki"]:
        return None
    target, fragment, alias = wikilink(match["inner"])
    if not target and not fragment:
        return None
    return Link(target, fragment, alias, match[0].startswith("!"), structure.span(*match.span()))


def _markdown_link(match: re.Match[str], structure: Structure) -> Link | None:
    place = local_link(match["angled"] or match["bare"] or "")
    if place is None:
        return None
    return Link(*place, match["label"], match[0].startswith("!"), structure.span(*match.span()))


def _headings(structure: Structure) -> Iterator[Heading]:
    for block in structure.blocks:
        if block.kind == "heading":
            opening, content = block.tokens[:2]
            end = block.start + len(structure.text[block.start : block.end].rstrip())
            yield Heading(int(opening.tag[1:]), _plain(content.content), structure.span(block.start, end))


def _plain(markdown: str) -> str:
    """Inline Markdown as a reader sees it."""
    [inline] = _INLINE_PARSER.parseInline(INLINE.sub(displayed, markdown))
    return " ".join("".join(map(_shown, inline.children or ())).split())


def _shown(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.type == "html_inline":
        return ""
    return _HIGHLIGHT.sub(r"\1", token.content) if token.type == "text" else token.content

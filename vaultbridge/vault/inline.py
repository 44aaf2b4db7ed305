"""What stands inside a line of an Obsidian note: links, tags and block ids, and the code, math and comments that
hide them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

# One alternative after the other, leftmost first: whatever an earlier one has eaten is neither link nor tag.
# Sources: https://help.obsidian.md/syntax, https://help.obsidian.md/tags, https://help.obsidian.md/links
INLINE = re.compile(
    r"""
      \\[^\w\s]                                                   # an escaped symbol
    | (?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)
    | (?P<comment>%%.*?%%|<!--(?:[^<]|<(?!!--))*?-->)
    | \$\$.+?\$\$                                                 # math
    | \$(?![\s$])(?:\\.|[^\\$])*?(?<!\s)\$(?!\d)
    | (?P<wiki>!?\[\[(?P<inner>[^\[\]\r\n]+)\]\])
    | (?P<link>!?\[(?P<label>(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]
        \([ \t]*(?:<(?P<angled>[^<>\r\n]*)>|(?P<bare>[^\s()<>]*(?:\([^\s()]*\)[^\s()]*)*))
        (?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?[ \t]*\))
    | <[A-Za-z/!?][^<>]*>                                         # HTML, an address
    | (?<!\S)\#(?P<tag>[^\s\u2000-\u200c\u200e-\u206f\u2e00-\u2e7f\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40
        \uff5b-\uff65!"\#$%&'()*+,.:;<=>?@\[\\\]^`{|}~]+)
    | (?<!\S)\^(?P<block>[A-Za-z0-9-]+)(?=[ \t]*(?:[\r\n]|\Z))
    """,
    re.VERBOSE | re.DOTALL,
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_TAG_SEPARATOR = re.compile(r"[\s,]+")


def wikilink(inner: str) -> tuple[str, str, str]:
    """Take ``target#fragment|alias`` apart; in a table the bar is written ``\\|``."""
    place, _, alias = inner.replace("\\|", "|").partition("|")
    target, _, fragment = place.partition("#")
    return target.strip(), fragment.strip(), alias.strip()


def local_link(destination: str) -> tuple[str, str] | None:
    """Take a Markdown link's destination apart into target and fragment; None if it leads out of the vault."""
    if not destination or _SCHEME.match(destination):
        return None
    target, _, fragment = destination.partition("#")
    return unquote(target), unquote(fragment)


def tag_name(written: str) -> str:
    """Give a tag's name without ``#`` and outer slashes; empty if it is none, since a number alone is no tag."""
    name = written.lstrip("#").strip("/")
    return "" if name.isdigit() else name


def tag_names(written: str) -> Iterator[str]:
    """Give the tags of a property's text, which commas or spaces separate."""
    return (name for part in _TAG_SEPARATOR.split(written) if (name := tag_name(part)))


def displayed(match: re.Match[str]) -> str:
    """Replace what only Obsidian knows with what a reader sees: a link's words, nothing for a comment."""
    if match["comment"]:
        return ""
    if match["wiki"]:
        target, fragment, alias = wikilink(match["inner"])
        return alias or " > ".join(filter(None, [target, *fragment.split("#")]))
    return match[0]

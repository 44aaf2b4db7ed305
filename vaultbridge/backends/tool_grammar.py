"""What the tools of a prompt force upon its answer."""

from __future__ import annotations

import re

from vaultbridge.backends.gbnf import check
from vaultbridge.backends.gbnf_rules import Rules, literal, through, written
from vaultbridge.backends.gemma4_grammar import gemma4_rules
from vaultbridge.backends.json_grammar import json_rules
from vaultbridge.backends.replies.gemma4 import CLOSE, OPEN
from vaultbridge.backends.replies.styles import CallStyle, ReplyStyle
from vaultbridge.backends.replies.thinking import Thoughts
from vaultbridge.core.dialogue import Conversation, Grammar
from vaultbridge.core.errors import InvalidRequest

MOST_CALLS = 8
"""Calls in one answer that a grammar lets through: a small model would go on for ever."""
_NOTHING = {"type": "object", "properties": {}}


def tool_grammar(style: ReplyStyle, prompt: Conversation, *, inside: bool) -> Grammar | None:
    """The calls that are asked for, with arguments by the tools' schemas.

    A call that is required is the whole answer, but for a thought before it (``inside`` of which the answer may
    begin); with one tool there is one call. Without that, the grammar waits for the mark of the first call, where the
    style has such a mark. None if nothing is forced. Raises InvalidRequest for a schema that cannot be kept to.
    """
    mark = style.calls.mark
    if not prompt.tools or not (prompt.call_required or mark):
        return None
    try:
        rules = _calls(style.calls, prompt)
        rules["root"] = "calls"
        if prompt.call_required and style.thoughts:
            rules |= _thought(style.thoughts, inside=inside)
            rules["root"] = "thought calls"
        text = written(rules)
        check(text)
    except (ValueError, AssertionError, TypeError, AttributeError, LookupError, RecursionError) as error:
        if not prompt.call_required and not any(tool.strict for tool in prompt.tools):
            return None
        raise InvalidRequest(
            f"A tool's parameters cannot be forced upon the model: {str(error)[:200]}.", "Simplify them.", param="tools"
        ) from error
    return Grammar("gbnf", text, () if prompt.call_required else (_trigger(style.thoughts, mark, inside=inside),))


def _calls(style: CallStyle, prompt: Conversation) -> Rules:
    schemas = [tool.parameters or _NOTHING for tool in prompt.tools]
    heads = [f"{OPEN}call:{tool.name}" if style.gemma4 else style.head(tool.name) for tool in prompt.tools]
    end = CLOSE if style.gemma4 else "}" + style.closing
    rules = gemma4_rules(schemas, "arguments-") if style.gemma4 else json_rules(schemas, "arguments-")
    rules |= {f"call-{i}": f"{literal(head)} arguments-{i} {literal(end)}" for i, head in enumerate(heads)}
    rules["call"] = " | ".join(f"call-{i}" for i in range(len(heads)))
    several = prompt.parallel_calls and not (prompt.call_required and len(heads) == 1)
    more = f"({literal(style.separator)} call){{0,{MOST_CALLS - 1}}}" if several else ""
    rules["calls"] = f"{literal(style.before)} call {more} {literal(style.after)}"
    return rules


def _thought(thoughts: Thoughts, *, inside: bool) -> Rules:
    whole = f'{literal("" if inside else thoughts.opening)} thought-rest "\\n"{{0,2}}'
    return {"thought": whole if inside else f"({whole})?", **through(thoughts.closing, "thought-rest")}


def _trigger(thoughts: Thoughts | None, mark: str, *, inside: bool) -> str:
    """Where calls begin: not in a thought, unless no thought can write the mark."""
    if thoughts is None or thoughts.anywhere:
        return re.escape(mark)
    opening, closing = re.escape(thoughts.opening), re.escape(thoughts.closing)
    before = f"[\\s\\S]*?{closing}" if inside else f"(?:\\s*{opening}[\\s\\S]*?{closing}|(?!\\s*{opening}))"
    return f"\\A{before}[\\s\\S]*?({re.escape(mark)})"

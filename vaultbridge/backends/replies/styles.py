"""How a model writes thoughts and calls, as far as its chat template tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from vaultbridge.backends.replies.gemma4 import CLOSE, OPEN, QUOTE, Gemma4CallsReader
from vaultbridge.backends.replies.json_calls import CLOSINGS, JsonCallsReader
from vaultbridge.backends.replies.reading import PlainReader
from vaultbridge.backends.replies.thinking import CHANNEL, TAGS, ThinkingReader, Thoughts
from vaultbridge.core.dialogue import Conversation, ToolCall
from vaultbridge.core.ports import ReplyReader

MARKS = (*TAGS.marks, "<|channel>", "<channel|>", OPEN, CLOSE, QUOTE, *filter(None, (*CLOSINGS, *CLOSINGS.values())))
"""What the readers look for; a vocabulary may have tokens of their own for them."""


@dataclass(frozen=True, slots=True)
class CallStyle:
    """Calls in JSON, or as ``gemma4`` has them.

    ``key`` is what the arguments are called in JSON; the other texts stand around each call, or around all of them.
    """

    key: str = "arguments"
    opening: str = ""
    closing: str = ""
    before: str = ""
    after: str = ""
    separator: str = "\n"
    gemma4: bool = False

    @property
    def mark(self) -> str:
        """What no answer holds but where calls begin; empty if there is no such thing."""
        return OPEN if self.gemma4 else (self.before or self.opening).rstrip("\n")

    def head(self, name: str) -> str:
        """A call up to its arguments; a brace and ``closing`` end it."""
        return f'{self.opening}{{"name": {json.dumps(name, ensure_ascii=False)}, "{self.key}": '

    def written(self, calls: Sequence[ToolCall]) -> str:
        """Calls as the model would write them."""
        each = [f"{self.head(call.name)}{call.arguments or '{}'}}}{self.closing}" for call in calls]
        return f"{self.before}{self.separator.join(each)}{self.after}" if calls else ""


HERMES = CallStyle(opening="<tool_call>\n", closing="\n</tool_call>")
MISTRAL = CallStyle(before="[TOOL_CALLS][", after="]", separator=", ")
BARE = CallStyle()
GEMMA3 = CallStyle(key="parameters")
"""Llama 3's too."""
GEMMA4 = CallStyle(separator="", gemma4=True)


@dataclass(frozen=True, slots=True)
class ReplyStyle:
    """What a model's answers may hold beside plain text."""

    calls: CallStyle
    thoughts: Thoughts | None = None

    def reader(self, prompt: Conversation, *, inside: bool) -> ReplyReader:
        """A reader for one answer, which begins ``inside`` of a thought or not.

        Models think in tags even where their template does not tell, and a thought must not end up in a note.
        """
        reader: ReplyReader = PlainReader()
        if prompt.tools:
            kind = Gemma4CallsReader if self.calls.gemma4 else JsonCallsReader
            reader = kind(prompt.tools, parallel=prompt.parallel_calls)
        return ThinkingReader(self.thoughts or TAGS, reader, inside=inside)


def style_of(template: str, *, knows_tools: bool) -> ReplyStyle:
    """The style that a chat template's source speaks of."""
    thoughts = CHANNEL if "<|channel>" in template else TAGS if TAGS.closing in template else None
    if knows_tools and OPEN in template:
        calls = GEMMA4
    elif "[TOOL_CALLS]" in template:
        calls = MISTRAL
    elif "<start_of_turn>" in template and "<tool_call>" not in template:
        calls = GEMMA3
    elif knows_tools and "<tool_call>" not in template:
        calls = GEMMA3 if '"parameters"' in template else BARE
    else:
        calls = HERMES
    return ReplyStyle(calls, thoughts)


BASE = ReplyStyle(HERMES)
"""A base model's, which has no template."""

"""The newest text of a prompt, as far as it is the user's own: what an editor puts around it is taken off."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vaultbridge.core.dialogue import Continuation, Prompt
from vaultbridge.retrieve.fence import Fence, open_fence, read_fence

# Text Generator's context: the title, the blocks under starred headings, a line of blanks, and then the text.
_TITLE = re.compile(r"\ATitle:[ \t]*(?P<title>[^\n]*)\n?")
_STARRED = re.compile(r"\A\s*Starred Blocks:(?:[ \t]*\n|.*?\n[ \t]+\n|[ \t]*)", re.DOTALL)
_LIMIT = re.compile(r"^\*\*\*[ \t]*$", re.MULTILINE)
"""The line above which Text Generator's users want nothing to be sent."""
_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(?:.*?\n)??---[ \t]*(?:\r?\n|\Z)", re.DOTALL)

_IN_A_SENTENCE = re.compile(r"[^\W_]['’]?[ \t]*\Z|[,;，、；–—-][ \t]*\Z")
_SENTENCE = re.compile(r"[^.!?。！？]*\Z")
_ASKS = re.compile(
    r"^\W*(?:what|who|whom|whose|when|where|which|why|how|is|are|was|were|do|does|did|can|could|should|would|will"
    r"|list|explain|describe|summari[sz]e|tell|show|give|find|compare|write|translate|create|make)\b"
    r"|[吗呢么]|什么|怎|如何|为何|哪|谁|多少|多久|是否|请|帮我|介绍|解释|总结|列出|告诉"
    r"|何|どう|なぜ|いつ|どこ|誰|ですか|教えて|무엇|어떻|왜|언제|어디|누구|알려",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """``title`` is that of the note which the text comes from; empty if nobody says which."""

    text: str
    title: str = ""

    @property
    def last_line(self) -> str:
        """The last line that is not blank."""
        return self.text.rstrip().rsplit("\n", 1)[-1].strip()

    @property
    def fence(self) -> Fence | None:
        """The fence of the code that the text ends in."""
        return open_fence(self.text)

    @property
    def fence_is_last(self) -> bool:
        """Whether no code stands behind the fence yet."""
        return read_fence(self.last_line) is not None

    @property
    def unfinished(self) -> bool:
        """Whether the text ends in the middle of a sentence that asks for nothing but its end."""
        line = self.text.rsplit("\n", 1)[-1]
        if line.lstrip().startswith("#") or not in_a_sentence(line):
            return False
        sentence = _SENTENCE.search(line)
        return sentence is not None and not asks(sentence[0])


def asks(sentence: str) -> bool:
    """Whether a sentence asks or orders something, by the word that it begins with; in CJK by any of its words."""
    return _ASKS.search(sentence) is not None


def in_a_sentence(text: str) -> bool:
    """Whether a text ends in the middle of a sentence, or of a line that has none."""
    return _IN_A_SENTENCE.search(text) is not None


def user_texts(prompt: Prompt) -> list[str]:
    """What the user wrote, turn for turn; a text to be continued is one turn."""
    if isinstance(prompt, Continuation):
        return [prompt.text]
    return [message.text for message in prompt.messages if message.role == "user" and message.text.strip()]


def read_draft(text: str) -> Draft:
    """A user's text without title, starred blocks and front matter."""
    title = ""
    if found := _TITLE.match(text):
        title, text = found["title"].strip(), _STARRED.sub("", text[found.end() :])
        *_, below = _LIMIT.split(text)
        text = below if below.strip() else text
    return Draft(_FRONT_MATTER.sub("", text), title)


def newest_draft(prompt: Prompt) -> Draft:
    """The draft of a prompt's newest text; empty without any."""
    texts = user_texts(prompt)
    return read_draft(texts[-1]) if texts else Draft("")

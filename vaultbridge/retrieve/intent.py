"""What a request is after: an answer that the vault may hold, or work on a text that it brings along itself."""

from __future__ import annotations

import re
from typing import Literal

from vaultbridge.core.dialogue import Prompt
from vaultbridge.retrieve.draft import newest_draft
from vaultbridge.vault.measure import measure

Intent = Literal["question", "title", "suggestion", "rewriting", "code"]
"""Only a question wants the vault. ``rewriting``: summing up and translating too."""

FEWEST_TOKENS = 15
"""What measures less is no text to work on: ``Summarize: bees`` asks for notes."""
LONGEST_INSTRUCTION = 400

# Default prompts of Text Generator: its command "Generate a Title", and its suggestions while one types.
_KNOWN: tuple[tuple[Intent, re.Pattern[str]], ...] = (
    ("title", re.compile(r"\A\s*Generate a title for the current document \(do not use ")),
    ("suggestion", re.compile(r"\A\s*Continue the follo?wing text:[ \t]*\n", re.IGNORECASE)),
)

_BEGINS = r"\A\W*(?:(?:please|kindly|can you|could you|would you|act as [^.]*\.)\s+)*(?:carefully\s+)?"
_TASKS = re.compile(
    _BEGINS + r"(?:summari[sz]e|translate|rewrite|rephrase|reword|paraphrase|proofread|simplify|shorten|condense|expand"
    r"|reduce|polish|improve|correct|fix|edit|convert|refactor|finali[sz]e|tl;?dr"
    r"|(?:make|create|write|give(?: me)?|provide)\s+(?:an?\s+)?(?:[\w-]+\s+){0,3}summary\s+of"
    r"|act as an assistant helping find action items inside a document)\b"
    r"|翻译|译成|译为|总结|概括|摘要|归纳|改写|润色|重写|校对|修正|纠正|修改|简化|缩写|扩写|精简",
    re.IGNORECASE,
)
_TITLES = re.compile(
    _BEGINS + r"(?:generate|write|suggest|create|give(?: me)?)\s+(?:an?\s+)?(?:[\w-]+\s+){0,2}title\s+for\b"
    r"|(?:生成|起|拟|写|取).{0,6}标题",
    re.IGNORECASE,
)
_BROUGHT_BELOW = re.compile(
    r"\b(?:following|below|selected_?text|inside a document)\b|[:：]\s*\Z"
    r"|以下|下面|下列|如下|这段|这篇|这句|此段|选中|所选"
    r"|\bthis (?:text|passage|paragraph|article|section|e-?mail|message|sentence|document|code|function|snippet)\b",
    re.IGNORECASE,
)
_BROUGHT_ABOVE = re.compile(
    r"\babove\b|上面|上述|以上|这段|这篇"
    r"|\bthis (?:text|passage|paragraph|article|section|e-?mail|message|document|code|function|snippet)\b",
    re.IGNORECASE,
)
_WANTS_VAULT = re.compile(
    r"\bvault\b|\b(?:my|our|all|other|related) (?:\w+ ){0,2}notes?\b|\b(?:from|with|using|in|on) (?:the )?notes\b|\[\["
    r"|(?<!\S)(?:tag|path):\S|我的.{0,4}笔记|所有笔记|其他笔记|相关笔记|笔记库|笔记中|笔记里",
    re.IGNORECASE,
)
# Copilot's way to bring a text along.
_TAGGED = re.compile(r"<(?P<tag>text|selected_?text)>(?P<text>.*)</(?P=tag)>", re.DOTALL | re.IGNORECASE)
_INSTRUCTION_FIRST = re.compile(
    rf"\s*(?P<instruction>[^\n]{{1,{LONGEST_INSTRUCTION}}}?(?:[:：]|(?=\n)))(?P<text>.+)", re.DOTALL
)
_INSTRUCTION_LAST = re.compile(
    rf"(?P<text>.+)\n[ \t]*(?P<instruction>[^\n]{{1,{LONGEST_INSTRUCTION}}})\s*\Z", re.DOTALL
)
_ASKED_BELOW = re.compile(r"\n[ \t]*\n[^\n]*[?？]\s*\Z")


def read_intent(prompt: Prompt) -> Intent:
    """What a prompt's newest text is after. In doubt it is a question: a note too many harms less than one too few."""
    draft = newest_draft(prompt)
    for intent, pattern in _KNOWN:
        if pattern.match(draft.text):
            return intent
    if draft.fence is not None:
        return "code"
    if tagged := _TAGGED.search(draft.text):
        return _work(draft.text[: tagged.start()].replace("<instruction>", ""), tagged["text"])
    first = _INSTRUCTION_FIRST.match(draft.text)
    # Editors send everything above the cursor again: a question at its end is what is asked now.
    if first and _BROUGHT_BELOW.search(first["instruction"]) and not _ASKED_BELOW.search(first["text"]):
        intent = _work(first["instruction"], first["text"])
        if intent != "question":
            return intent
    last = _INSTRUCTION_LAST.match(draft.text)
    if last and _BROUGHT_ABOVE.search(last["instruction"]):
        return _work(last["instruction"], last["text"])
    return "question"


def _work(instruction: str, text: str) -> Intent:
    if _WANTS_VAULT.search(instruction) or measure(text.strip()) < FEWEST_TOKENS:
        return "question"
    if _TITLES.search(instruction):
        return "title"
    return "rewriting" if _TASKS.search(instruction) else "question"
